"""Schema of a simulator; each keeps it in its own database."""
