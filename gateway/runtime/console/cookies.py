"""Cookies of a console: read with bounds, written so that only this origin sends and reads them (RFC 6265bis).

Over HTTPS the names begin with `__Host-`: a browser then takes them only from this host, for every
path, and never from a subdomain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

MAX_COOKIES: Final = 50
_VALUE: Final = re.compile(r"[A-Za-z0-9_\-.~]{1,2048}")
_HOST_PREFIX: Final = "__Host-"


def read_cookies(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the cookies of a request whose values are of our alphabet; of two with one name the first."""
    found: dict[str, str] = {}
    lines = (value.decode("latin-1") for key, value in headers if key.lower() == b"cookie")
    pairs = [pair for line in lines for pair in line.split(";", MAX_COOKIES)[:MAX_COOKIES]]
    for pair in pairs[:MAX_COOKIES]:
        name, equals, value = pair.strip().partition("=")
        if equals and name not in found and _VALUE.fullmatch(value):
            found[name] = value
    return found


def cookie_name(name: str, *, secure: bool) -> str:
    """Return the name under which a cookie travels."""
    return f"{_HOST_PREFIX}surma-{name}" if secure else f"surma-{name}"


def set_cookie(
    name: str, value: str, *, secure: bool, max_age_s: int | None = None, same_site: str = "Strict"
) -> tuple[bytes, bytes]:
    """Return the header that sets a cookie, until the browser closes unless `max_age_s` is given.

    Raises ValueError for a value that a cookie of ours never has.
    """
    if not _VALUE.fullmatch(value):
        raise ValueError(f"the value of cookie {name} holds what a cookie may not")
    parts = [f"{cookie_name(name, secure=secure)}={value}", "Path=/", "HttpOnly", f"SameSite={same_site}"]
    if secure:
        parts.append("Secure")
    if max_age_s is not None:
        parts.append(f"Max-Age={max_age_s}")
    return b"set-cookie", "; ".join(parts).encode("ascii")


def delete_cookie(name: str, *, secure: bool) -> tuple[bytes, bytes]:
    """Return the header that makes a browser forget a cookie."""
    return set_cookie(name, "-", secure=secure, max_age_s=0)
