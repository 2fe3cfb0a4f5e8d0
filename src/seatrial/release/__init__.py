"""Phases, gates, traffic split, shadow, canary, rollback: the mechanism of going live."""
