"""Who looks at a page: found by the secret in the session cookie.

A server asks its sessions (`accounts.sign_in`). A program that one person runs for herself has one
visitor, who enters with the address that the program prints.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Protocol

from gateway.runtime.accounts.model import Principal
from gateway.runtime.console.csrf import new_secret


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in; `secret` is what the cookie holds and is never shown."""

    principal: Principal
    secret: str
    auth: str = "Session"


class Doorkeeper(Protocol):
    """Knows who holds a secret."""

    async def find_visitor(self, secret: str) -> Visitor | None:
        """Return who is signed in with `secret`; None for nobody, and for a session that has ended."""
        ...


class OneVisitor:
    """The doorkeeper of a program for one person; `key` is part of the address to enter by."""

    def __init__(self, principal: Principal) -> None:
        self.key = new_secret()
        self._visitor = Visitor(principal, self.key, "Local")

    async def find_visitor(self, secret: str) -> Visitor | None:
        """Return the one visitor to whoever knows the key."""
        return self._visitor if hmac.compare_digest(secret.encode(), self.key.encode()) else None
