"""Facts of accounts; what a role allows is the business of the program that asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

EVERYTHING = "*"


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """How long a session lives, and what happens after failed attempts to sign in.

    A pause begins after so many failures in a row and doubles with each further one. More people may
    share an address than a name, so an address is given more attempts.
    """

    session_idle_s: int = 1800
    session_lifetime_s: int = 43_200
    failures_of_user: int = 5
    failures_of_address: int = 25
    first_pause_s: int = 30
    longest_pause_s: int = 1800
    forget_failures_s: int = 86_400

    def __post_init__(self) -> None:
        for name in ("session_idle_s", "session_lifetime_s", "failures_of_user", "failures_of_address"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
        if not 1 <= self.first_pause_s <= self.longest_pause_s:
            raise ValueError("first_pause_s must be at least 1 and at most longest_pause_s")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is listed: the secret itself is nowhere.

    A key of a user has the grants of that user and no roles of its own.
    """

    id: int
    roles: tuple[str, ...]
    scope: str
    created_at: datetime
    user_id: int | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """One role within one scope: everything, or the URL form of a member or subsystem."""

    role: str
    scope: str = EVERYTHING


@dataclass(frozen=True, slots=True)
class User:
    """A local user; without a password nobody can sign in as them."""

    id: int
    name: str
    has_password: bool
    is_locked: bool
    created_at: datetime
    grants: frozenset[Grant]


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in; what the cookie holds is kept as a hash only."""

    user_id: int
    created_at: datetime
    seen_at: datetime


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
    user_id: int | None = None

    def scopes_of(self, role: str) -> frozenset[str]:
        """Return the scopes in which this caller has a role; empty when it has not."""
        if self.grants:
            return frozenset(grant.scope for grant in self.grants if grant.role == role)
        return frozenset((self.scope,)) if role in self.roles else frozenset()

    def has_any(self, *roles: str) -> bool:
        """Tell whether one of `roles` is among those granted."""
        return not self.roles.isdisjoint(roles)


def principal_of_user(user: User, *, api_key_id: int | None = None) -> Principal:
    """Return who calls when a user does."""
    roles = frozenset(grant.role for grant in user.grants)
    return Principal(user.name, roles, api_key_id=api_key_id, grants=user.grants, user_id=user.id)
