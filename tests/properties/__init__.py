"""Hypothesis strategies, one module per area."""
