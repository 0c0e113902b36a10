"""Where a registry's records come from: a file, a table, another service."""
