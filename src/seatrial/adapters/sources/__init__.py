"""Where tables come from: files beside the product file, and Python functions."""
