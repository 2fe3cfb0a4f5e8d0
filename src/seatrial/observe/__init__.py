"""Joins outcomes with predictions and turns drift, quality and performance into findings."""
