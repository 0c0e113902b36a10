"""Alembic environments of the stores that any program may carry."""
