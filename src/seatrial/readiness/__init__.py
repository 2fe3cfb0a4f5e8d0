"""Readiness tests: one function each, giving evidence, a verdict and the fix."""
