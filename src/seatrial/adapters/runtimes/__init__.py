"""What runs packaged models."""
