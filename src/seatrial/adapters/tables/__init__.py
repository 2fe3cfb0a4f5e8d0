"""Append-only tables with exactly-once commits."""
