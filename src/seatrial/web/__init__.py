"""The doors over HTTP: scoring and console."""
