"""Schema of the cross-check service."""
