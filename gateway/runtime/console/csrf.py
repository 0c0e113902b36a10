"""Requests that a visitor did not mean to make: a token in every form, and where the form came from.

The token is derived from the secret in the visitor's cookie, so nothing is stored and a token dies with
its session. Another site can make a browser send a form, but can neither read the token nor hide its
origin.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

FIELD: Final = "csrf_token"
_CONTEXT: Final = b"surma console form"


def new_secret() -> str:
    """Return a random secret for a cookie: 256 bits."""
    return secrets.token_urlsafe(32)


def token_of(secret: str) -> str:
    """Return the token for the forms of whoever holds `secret`."""
    return hmac.new(secret.encode(), _CONTEXT, hashlib.sha256).hexdigest()


def matches(secret: str, token: str) -> bool:
    """Tell whether a form carries the token of `secret`."""
    return hmac.compare_digest(token_of(secret).encode(), token.encode("utf-8", "surrogateescape"))


def is_own_origin(*, host: str | None, origin: str | None, fetch_site: str | None) -> bool:
    """Tell whether a form was sent by a page of ours, as far as the browser says (Fetch, `Origin`).

    A browser that says nothing is judged by the token alone.
    """
    if origin is not None:
        scheme, separator, authority = origin.partition("://")
        return bool(separator) and scheme in ("http", "https") and host is not None and authority == host
    return fetch_site in (None, "same-origin", "none")
