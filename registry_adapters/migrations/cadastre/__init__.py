"""Schema of the land cadastre."""
