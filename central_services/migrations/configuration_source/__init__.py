"""Alembic environment: tables of the configuration source."""
