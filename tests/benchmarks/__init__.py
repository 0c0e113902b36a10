"""Benchmarks: ratios inside one run, never limits on absolute time (`make bench`, docs/benchmarks.md)."""
