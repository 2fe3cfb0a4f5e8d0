"""Replays recorded data through the real loop under a simulated clock and compares policies."""
