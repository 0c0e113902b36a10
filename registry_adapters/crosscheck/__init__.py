"""The cross-check service: compares declared with registered values and answers flags only, never the data."""
