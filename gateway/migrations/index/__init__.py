"""Schema of the search index."""
