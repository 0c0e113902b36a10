"""Schemas of the registries, one Alembic environment each."""
