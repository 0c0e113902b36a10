"""Alembic environment: tables of the test trust services."""
