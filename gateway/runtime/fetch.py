"""Low-rate control traffic over HTTP: configuration, OCSP, time-stamps, descriptions. Never messages.

The client of the message path, without proxies, cookies or redirects, with a bound on time and on the
size of an answer: what is fetched comes from outside and is believed only after verification.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from gateway.runtime.http.client import ClientLimits, HttpClient
from gateway.runtime.http.model import ConnectionFacts, Headers
from gateway.runtime.http.problems import HttpProblem, HttpTooLarge
from gateway.runtime.texts import render

DEFAULT_TIMEOUT_S: Final = 30.0
DEFAULT_MAX_BYTES: Final = 64 * 1024 * 1024
# What stands in an address that is encoded already, and what needs no encoding (RFC 3986 2).
_LEFT_ALONE: Final = "%:/?#[]@!$&'()*+,;="


# Takes the certificate of the other end (DER), None where there is no TLS; refuses it by an exception of its own.
CheckCertificate = Callable[[bytes | None], None]


class FetchError(Exception):
    """An answer could not be had; the text names the address and what happened."""

    def __init__(self, url: str, reason: str, *, status: int | None = None) -> None:
        super().__init__(f"{url}: {reason}")
        self.url = url
        self.reason = reason
        self.status = status


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer of any status; header names are in lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def content_type(self) -> str:
        """The Content-Type as sent; empty when there is none."""
        return self.headers.get("content-type", "")


class Fetcher:
    """An HTTP client for control traffic.

    `verify` is True for the system's authorities, False for none, or a context of one's own. Redirects are
    not followed: an address that was configured is the one that is asked.
    """

    def __init__(
        self,
        *,
        verify: bool | ssl.SSLContext = True,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        connect_timeout_s: float | None = None,
        max_bytes: int = DEFAULT_MAX_BYTES,
        user_agent: str = "surma",
    ) -> None:
        self._max_bytes = max_bytes
        self._verify = verify
        self._headers = (("User-Agent", user_agent), ("Accept-Encoding", "identity"))
        self._client = HttpClient(
            ClientLimits(
                connect_timeout_s=connect_timeout_s or timeout_s,
                tls_handshake_timeout_s=connect_timeout_s or timeout_s,
                response_timeout_s=timeout_s,
                body_idle_timeout_s=timeout_s,
            )
        )

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
        check_certificate: CheckCertificate | None = None,
    ) -> Fetched:
        """GET `url`; any status is an answer. Raises FetchError when there is none, or it is too large.

        `check_certificate` is asked before anything is sent.
        """
        return await self._request("GET", url, b"", headers or {}, max_bytes, check_certificate)

    async def post(
        self,
        url: str,
        content: bytes,
        *,
        content_type: str,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
    ) -> Fetched:
        """POST `content` to `url`; as `get`."""
        return await self._request("POST", url, content, {"Content-Type": content_type, **(headers or {})}, max_bytes)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def __aenter__(self) -> Fetcher:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _request(
        self,
        method: str,
        url: str,
        content: bytes,
        headers: Mapping[str, str],
        max_bytes: int | None,
        check_certificate: CheckCertificate | None = None,
    ) -> Fetched:
        limit = self._max_bytes if max_bytes is None else max_bytes

        def check(facts: ConnectionFacts) -> None:
            if check_certificate is not None:
                check_certificate(facts.peer_certificate)

        try:
            where = _split(url)
            response = await self._client.request(
                method, where.host, where.port, where.target, (*self._headers, *headers.items()), content,
                ssl=self._context() if where.is_tls else None, server_name=where.host, on_connected=check,
            )  # fmt: skip
            try:
                answer = await response.read(limit)
            except HttpTooLarge:
                raise FetchError(url, f"the answer is larger than {limit} bytes", status=response.status) from None
        except HttpProblem as cause:
            raise FetchError(url, render(cause.text_id, cause.facts)) from cause
        except (ValueError, ssl.SSLError) as cause:
            raise FetchError(url, str(cause) or type(cause).__name__) from cause
        return Fetched(url, response.status, _joined(response.headers), answer)

    def _context(self) -> ssl.SSLContext:
        if isinstance(self._verify, bool):
            self._verify = _context(verify=self._verify)  # only now: many a fetcher never speaks TLS
        return self._verify


@dataclass(frozen=True, slots=True)
class _Address:
    host: str
    port: int
    is_tls: bool
    target: str


def _split(url: str) -> _Address:
    """Return the parts of an address. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError("an address looks like http://host/path or https://host/path")
    is_tls = parts.scheme == "https"
    host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode("ascii")
    target = quote(parts.path or "/", safe=_LEFT_ALONE) + (
        f"?{quote(parts.query, safe=_LEFT_ALONE)}" * bool(parts.query)
    )
    return _Address(host, parts.port or (443 if is_tls else 80), is_tls, target)


def _context(*, verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _joined(headers: Headers) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found


def expect_ok(answer: Fetched) -> bytes:
    """Return the content of an answer with status 200. Raises FetchError for any other."""
    if answer.status != 200:
        raise FetchError(answer.url, f"answered with status {answer.status}", status=answer.status)
    return answer.content
