"""Alembic environment: tables of the registry."""
