"""Alembic environments, one per store."""
