"""The metadata store on SQLite and PostgreSQL."""
