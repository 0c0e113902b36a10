"""Schema of the tax registry."""
