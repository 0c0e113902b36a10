"""Registries in small: each a declaration of its records and operations, and a seed."""
