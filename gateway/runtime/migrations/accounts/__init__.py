"""Alembic environment: tables of accounts."""
