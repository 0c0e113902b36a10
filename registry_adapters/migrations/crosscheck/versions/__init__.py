"""Schema of the demographic registry."""
