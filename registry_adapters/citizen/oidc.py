"""Sign-in by OpenID Connect, our side of it: authorization code with PKCE (OpenID Connect Core 1.0, 3.1; RFC 7636).

What comes back through the browser proves nothing. The code is redeemed at the provider, and the ID
token it gives is checked before any claim of it is read:

    (1) signed by a key that the provider publishes, with one of our algorithms; never `none`
    (2) `iss` is the provider
    (3) `aud` names us; with several audiences `azp` does too
    (4) `exp` has not passed, `iat` and `nbf` have come, each with some leeway
    (5) `nonce` is the one of this sign-in
    (6) `sub` is there

Claims of the userinfo endpoint count only for the same `sub`. The provider's addresses come from its discovery
document, which must name the issuer that the settings name.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import math
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gateway.runtime.clock import Clock
from registry_adapters.citizen.model import Identity, is_code
from registry_adapters.citizen.settings import OidcSettings, is_safe_url

_log: Final = logging.getLogger(__name__)

ALGORITHMS: Final = ("ES256", "ES384", "RS256", "PS256")
DISCOVERY_PATH: Final = "/.well-known/openid-configuration"
KEEP_METADATA: Final = timedelta(hours=1)
ASK_KEYS_AGAIN: Final = timedelta(seconds=60)  # at most so often for a key that is not known
MAX_NAME: Final = 255
MAX_REPRESENTED: Final = 50
_TIMES: Final = (("exp", None), ("iat", None), ("nbf", 0))  # claims, and what stands for one that is absent


class SignInError(Exception):
    """Nobody was signed in; `text_id` says why to the person, `status` to the browser."""

    def __init__(self, text_id: str, status: int = 400, **facts: object) -> None:
        super().__init__(text_id, facts)
        self.text_id = text_id
        self.status = status
        self.facts = facts


@dataclass(frozen=True, slots=True)
class Attempt:
    """The secrets of one sign-in, from the redirection to the provider until the way back."""

    state: str
    nonce: str
    code_verifier: str

    @property
    def code_challenge(self) -> str:
        """The digest of the verifier that the provider is told first (RFC 7636, 4.2)."""
        digest = hashlib.sha256(self.code_verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def new_attempt() -> Attempt:
    """Return fresh random secrets: 256 bits each."""
    return Attempt(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(32))


@dataclass(frozen=True, slots=True)
class Provider:
    """What the discovery document of a provider says (OpenID Connect Discovery 1.0, 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    names_itself: bool  # it adds `iss` to what the browser brings back (RFC 9207)


class OidcClient:
    """Signs citizens in with one provider; used from many threads."""

    def __init__(self, settings: OidcSettings, redirect_uri: str, clock: Clock) -> None:
        self.settings = settings
        self.redirect_uri = redirect_uri
        self._clock = clock
        self._http = httpx.Client(timeout=settings.timeout_s, follow_redirects=False)
        self._lock = threading.Lock()
        self._silent_at = -math.inf  # by the monotonic clock
        self._provider: tuple[Provider, datetime] | None = None
        self._keys: tuple[KeySet, datetime] | None = None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def authorization_url(self, attempt: Attempt, language: str) -> str:
        """Return where a browser goes to sign in. Raises SignInError."""
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": " ".join(self.settings.scopes),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.code_challenge,
            "code_challenge_method": "S256",
            "ui_locales": language,
        }
        return _with_query(self.provider().authorization_endpoint, query)

    def end_session_url(self, back: str, language: str) -> str | None:
        """Return where the person signs out of the provider too; None where it has no such page, or is silent."""
        try:
            endpoint = self.provider().end_session_endpoint
        except SignInError:
            return None
        query = {"client_id": self.settings.client_id, "post_logout_redirect_uri": back, "ui_locales": language}
        return None if endpoint is None else _with_query(endpoint, query)

    def check_issuer(self, issuer: str | None) -> None:
        """Check who, by the browser's word, answered (RFC 9207, 2.4). Raises SignInError."""
        if issuer != self.settings.issuer and (issuer is not None or self.provider().names_itself):
            raise SignInError("citizen.refused_issuer")

    def redeem(self, code: str, attempt: Attempt) -> Identity:
        """Return whom the provider vouches for. Raises SignInError."""
        provider = self.provider()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "client_id": self.settings.client_id,
            "code_verifier": attempt.code_verifier,
        }
        secret = (self.settings.client_id, self.settings.client_secret) if self.settings.client_secret else None
        answer = self._json("POST", provider.token_endpoint, data=form, auth=secret)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise SignInError("citizen.refused_answer", 502)
        claims = self.verify(token, attempt.nonce)
        if not any(claims.get(name) for name in self.settings.code_claims) and provider.userinfo_endpoint:
            claims = {**self._userinfo(provider.userinfo_endpoint, answer, claims["sub"]), **claims}
        return self._identity_of(claims)

    def verify(self, token: str, nonce: str) -> dict[str, Any]:
        """Return the claims of an ID token that passes every check. Raises SignInError with the first that fails."""
        claims = self._signed_claims(token)  # (1)
        if claims.get("iss") != self.settings.issuer:  # (2)
            raise SignInError("citizen.refused_issuer")
        self._check_audience(claims)  # (3)
        self._check_times(claims)  # (4)
        if not secrets.compare_digest(str(claims.get("nonce")).encode(), nonce.encode()):  # (5)
            raise SignInError("citizen.refused_nonce")
        if not isinstance(claims.get("sub"), str) or not claims["sub"]:  # (6)
            raise SignInError("citizen.refused_answer", 502)
        return claims

    def provider(self) -> Provider:
        """Return the provider's addresses, asked for once an hour; who waited for it to be silent does not ask anew.

        Raises SignInError.
        """
        now, began = self._clock.now(), time.monotonic()
        with self._lock:
            if self._provider is None or now - self._provider[1] > KEEP_METADATA:
                if self._silent_at >= began:
                    raise SignInError("citizen.refused_silent", 502)
                try:
                    document = self._json("GET", self.settings.issuer.rstrip("/") + DISCOVERY_PATH)
                except SignInError:
                    self._silent_at = time.monotonic()
                    raise
                self._provider = _provider_of(document, self.settings.issuer), now
            return self._provider[0]

    def _signed_claims(self, token: str) -> dict[str, Any]:
        for again in (False, True):
            try:
                return dict(jwt.decode(token, self._key_set(again=again), algorithms=list(ALGORITHMS)).claims)
            except (JoseError, ValueError, KeyError, TypeError) as cause:
                if again:
                    _log.info("an ID token is refused: %s", type(cause).__name__)
                    raise SignInError("citizen.refused_signature") from cause
        raise AssertionError("unreachable")

    def _key_set(self, *, again: bool) -> KeySet:
        """Return the provider's keys; `again` when a token was signed with one we do not know yet."""
        now = self._clock.now()
        jwks_uri = self.provider().jwks_uri
        with self._lock:
            asked = self._keys[1] if self._keys else None
            if self._keys is None or now - self._keys[1] > KEEP_METADATA or (
                again and asked is not None and now - asked >= ASK_KEYS_AGAIN
            ):  # fmt: skip
                document = self._json("GET", jwks_uri)
                try:
                    self._keys = KeySet.import_key_set(document), now  # type: ignore[arg-type]
                except (JoseError, ValueError, KeyError, TypeError) as cause:
                    raise SignInError("citizen.refused_answer", 502) from cause
            return self._keys[0]

    def _check_audience(self, claims: Mapping[str, Any]) -> None:
        stated = claims.get("aud")
        audiences = stated if isinstance(stated, list) else [stated]
        ours = self.settings.client_id
        if ours not in audiences or ((len(audiences) > 1 or "azp" in claims) and claims.get("azp") != ours):
            raise SignInError("citizen.refused_audience")

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now, leeway = self._clock.now().timestamp(), self.settings.leeway_s
        expires, issued, begins = (_number(claims.get(name, absent)) for name, absent in _TIMES)
        if expires + leeway <= now or issued - leeway > now or begins - leeway > now:
            raise SignInError("citizen.refused_expired")

    def _userinfo(self, url: str, answer: Mapping[str, Any], subject: str) -> dict[str, Any]:
        claims = self._json("GET", url, headers={"Authorization": f"Bearer {answer.get('access_token')}"})
        if claims.get("sub") != subject:
            raise SignInError("citizen.refused_answer", 502)
        return claims

    def _identity_of(self, claims: Mapping[str, Any]) -> Identity:
        code = next((claims[name] for name in self.settings.code_claims if claims.get(name)), None)
        if not is_code(code):
            raise SignInError("citizen.refused_no_code", 403)
        name = claims.get(self.settings.name_claim)
        represented = claims.get(self.settings.represents_claim) if self.settings.represents_claim else None
        return Identity(str(code), _name(name, str(code)), _represented(represented))

    def _json(self, method: str, url: str, **options: Any) -> dict[str, Any]:
        try:
            response = self._http.request(
                method, url, headers={"Accept": "application/json"} | options.pop("headers", {}), **options
            )
            if (
                method == "POST" and response.status_code == 400
            ):  # RFC 6749 5.2: the code is used up, too old or not for us
                raise SignInError("citizen.refused_code")
            response.raise_for_status()
            document = response.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as cause:
            _log.warning(
                "the identity provider does not answer as it should: %s", type(cause).__name__, extra={"url": url}
            )
            raise SignInError("citizen.refused_silent", 502) from cause
        if not isinstance(document, dict):
            raise SignInError("citizen.refused_answer", 502)
        return document


def _provider_of(document: Mapping[str, Any], issuer: str) -> Provider:
    if document.get("issuer") != issuer:
        raise SignInError("citizen.refused_issuer", 502)

    def url(name: str) -> str | None:
        value = document.get(name)
        if value is not None and not (isinstance(value, str) and is_safe_url(value)):
            raise SignInError("citizen.refused_answer", 502)
        return value

    authorization, token, keys = url("authorization_endpoint"), url("token_endpoint"), url("jwks_uri")
    if authorization is None or token is None or keys is None:
        raise SignInError("citizen.refused_answer", 502)
    names_itself = document.get("authorization_response_iss_parameter_supported") is True
    userinfo, end_session = url("userinfo_endpoint"), url("end_session_endpoint")
    return Provider(issuer, authorization, token, keys, userinfo, end_session, names_itself)


def _with_query(url: str, query: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise SignInError("citizen.refused_expired")
    return value


def _name(value: object, default: str) -> str:
    return value.strip()[:MAX_NAME] if isinstance(value, str) and value.strip() else default


def _represented(value: object) -> tuple[tuple[str, str], ...]:
    """Return the codes and names of a claim; what is not of that form counts for nothing."""
    listed = value if isinstance(value, list) else []
    found = [one for one in listed[:MAX_REPRESENTED] if isinstance(one, dict) and is_code(one.get("code"))]
    return tuple({one["code"]: _name(one.get("name"), one["code"]) for one in found}.items())
