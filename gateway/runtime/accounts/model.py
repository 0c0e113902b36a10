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
class Grant:
    """One role within one scope: everything, or the URL form of a member or subsystem."""

    role: str
    scope: str = EVERYTHING


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling: a name for the audit log, and what was granted.

    An API key has one scope for all of its roles; a user has `grants`, of which `roles` are those of any scope.
    """

    name: str
    roles: frozenset[str]
    scope: str = EVERYTHING
    api_key_id: int | None = None
    grants: frozenset[Grant] = frozenset()

    def scopes_of(self, role: str) -> frozenset[str]:
        """Return the scopes in which this caller has a role; empty when it has not."""
        if self.grants:
            return frozenset(grant.scope for grant in self.grants if grant.role == role)
        return frozenset((self.scope,)) if role in self.roles else frozenset()

    def has_any(self, *roles: str) -> bool:
        """Tell whether one of `roles` is among those granted."""
        return not self.roles.isdisjoint(roles)
