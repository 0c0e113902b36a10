"""Schemas of the gateway's databases: one Alembic environment per store."""
