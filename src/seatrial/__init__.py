"""Seatrial takes a prototype model to a watched, self-repairing, value-accounted product."""

__version__ = "0.1.0"
