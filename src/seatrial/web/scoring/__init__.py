"""The data plane's doors: lean, and the only part on the path of a request."""
