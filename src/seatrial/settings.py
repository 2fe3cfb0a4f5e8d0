"""Workspace settings; each value remembers where it came from."""
