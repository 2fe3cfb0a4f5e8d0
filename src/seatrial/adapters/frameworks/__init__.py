"""Libraries that fit models."""
