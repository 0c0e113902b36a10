"""Schema of the citizen's pages."""
