"""All recipes, in the order in which they are told."""

from __future__ import annotations

from tests.tampering import archives, kept, order, rewriting, rows  # noqa: F401  each adds its own to the table
from tests.tampering.table import RECIPES

__all__ = ["RECIPES"]
