"""Callers' side of the data plane: `seatrial.Client` and `seatrial.AsyncClient`, and what they give back."""
