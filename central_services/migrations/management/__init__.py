"""Alembic environment: tables of management requests."""
