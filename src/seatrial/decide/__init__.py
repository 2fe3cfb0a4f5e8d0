"""Findings and policy in, steps out: pure functions."""
