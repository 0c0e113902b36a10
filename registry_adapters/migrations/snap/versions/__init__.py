"""Schema of the counter."""
