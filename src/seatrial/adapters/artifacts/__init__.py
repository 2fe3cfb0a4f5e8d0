"""Content-addressed bytes on any object store."""
