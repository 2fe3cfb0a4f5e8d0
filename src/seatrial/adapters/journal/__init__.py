"""The durable journal as framed segment files: a writer per process, one reader."""
