"""What the ports meet outside: databases, tables, files, sources, frameworks, clocks."""
