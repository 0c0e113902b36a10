"""The global configuration (PR-GCONF)."""
