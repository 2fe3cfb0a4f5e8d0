"""The agreement about the data: read once, compiled to a table check and to a request decoder."""
