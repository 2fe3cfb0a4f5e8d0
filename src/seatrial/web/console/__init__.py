"""The control plane: its API and the pages that show what the loop does."""
