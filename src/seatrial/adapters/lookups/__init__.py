"""Lookup tables where requests can read them without a network call."""
