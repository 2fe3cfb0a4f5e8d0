"""The data report: one HTML page, complete in itself."""
