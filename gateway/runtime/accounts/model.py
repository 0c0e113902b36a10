"""Facts of accounts; what a role allows is the business of the program that asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

EVERYTHING = "*"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is listed: the secret itself is nowhere."""

    id: int
    roles: tuple[str, ...]
    scope: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling: a name for the audit log, its roles and its scope."""

    name: str
    roles: frozenset[str]
    scope: str = EVERYTHING
    api_key_id: int | None = None

    def has_any(self, *roles: str) -> bool:
        """Tell whether one of `roles` is among those granted."""
        return not self.roles.isdisjoint(roles)
