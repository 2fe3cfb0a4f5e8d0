"""Alembic's migrations of the metadata store, packaged with it."""
