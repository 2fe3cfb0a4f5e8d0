"""Takes in a model, a sample and a purpose; writes the first contract and product file."""
