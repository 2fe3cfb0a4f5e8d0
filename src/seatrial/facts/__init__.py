"""Immutable records that the stages hand to each other. No I/O."""
