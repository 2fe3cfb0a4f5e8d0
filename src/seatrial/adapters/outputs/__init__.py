"""Where the answers of batch scoring go: files in a folder, or one file."""
