"""Codes and tokens of the provider: a code is redeemed once, within a minute, by whoever has its verifier (RFC 7636).

Everything lies in memory, and the signing key is made at start: nothing outlives the process.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from gateway.runtime.clock import Clock
from registry_adapters.citizen_identity.persons import Account

T = TypeVar("T")

ALGORITHM: Final = "ES256"
REQUEST_LIVES: Final = timedelta(minutes=10)
CODE_LIVES: Final = timedelta(minutes=1)
TOKEN_LIVES: Final = timedelta(minutes=5)
MAX_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What a site asked for (OpenID Connect Core 1.0, 3.1.2.1), its addresses checked."""

    client_id: str
    redirect_uri: str
    state: str | None
    nonce: str | None
    code_challenge: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What a code stands for."""

    request: AuthorizationRequest
    account: Account


@dataclass
class _Kept(Generic[T]):
    """Secrets and what they stand for, for a while; the oldest go when there are too many."""

    lives: timedelta
    clock: Clock
    held: dict[str, tuple[datetime, T]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, value: T) -> str:
        key = secrets.token_urlsafe(32)
        with self.lock:
            if len(self.held) >= MAX_KEPT:
                del self.held[next(iter(self.held))]
            self.held[key] = self.clock.now(), value
        return key

    def take(self, key: str) -> T | None:
        with self.lock:
            return self._living(self.held.pop(key, None))

    def find(self, key: str) -> T | None:
        with self.lock:
            return self._living(self.held.get(key))

    def _living(self, kept: tuple[datetime, T] | None) -> T | None:
        return kept[1] if kept is not None and self.clock.now() - kept[0] <= self.lives else None


class Tokens:
    """Everything the provider remembers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = ECKey.generate_key("P-256", {"use": "sig", "alg": ALGORITHM, "kid": secrets.token_hex(8)})
        self.requests: _Kept[AuthorizationRequest] = _Kept(REQUEST_LIVES, clock)
        self.codes: _Kept[Grant] = _Kept(CODE_LIVES, clock)
        self.access: _Kept[Account] = _Kept(TOKEN_LIVES, clock)

    def jwks(self) -> dict[str, Any]:
        """Return the public key as a set (RFC 7517, 5)."""
        return dict(KeySet([self._key]).as_dict(private=False))

    def redeem(self, code: str, client_id: str, redirect_uri: str, verifier: str) -> Grant | None:
        """Return what a code stands for, to the one it was made for; the code is used up by any attempt."""
        grant = self.codes.take(code)
        if grant is None or (grant.request.client_id, grant.request.redirect_uri) != (client_id, redirect_uri):
            return None
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return grant if secrets.compare_digest(challenge, grant.request.code_challenge) else None

    def id_token(self, issuer: str, grant: Grant) -> str:
        """Return the signed ID token of a grant."""
        now = int(self._clock.now().timestamp())
        claims: dict[str, Any] = {
            "iss": issuer,
            "aud": grant.request.client_id,
            "iat": now,
            "exp": now + int(TOKEN_LIVES.total_seconds()),
            **grant.account.claims(),
        }
        if grant.request.nonce is not None:
            claims["nonce"] = grant.request.nonce
        return jwt.encode({"alg": ALGORITHM, "kid": self._key.kid, "typ": "JWT"}, claims, self._key)
