"""Fits, compares with baselines, chooses the threshold by value, packages with a parity check."""
