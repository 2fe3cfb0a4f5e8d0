"""Clocks: the machine's own, and one that only a rehearsal moves."""
