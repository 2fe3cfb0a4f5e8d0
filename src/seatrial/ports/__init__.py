"""What several stages need from outside, as Protocols."""
