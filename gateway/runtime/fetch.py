"""Low-rate control traffic over HTTP: configuration, OCSP, time-stamps, descriptions. Never messages.

One client for a process, without proxies or netrc from the environment, with a bound on time and on
the size of an answer: what is fetched comes from outside and is believed only after verification.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import httpx

DEFAULT_TIMEOUT_S: Final = 30.0
DEFAULT_MAX_BYTES: Final = 64 * 1024 * 1024


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

    `verify` is what httpx takes: True for the system's authorities, False for none, or an
    SSLContext. Redirects are not followed: an address that was configured is the one that is asked.
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
        self._client = httpx.AsyncClient(
            verify=verify,
            timeout=httpx.Timeout(timeout_s, connect=connect_timeout_s or timeout_s),
            trust_env=False,
            follow_redirects=False,
            headers={"user-agent": user_agent},
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

        `check_certificate` is asked before anything of the answer is read.
        """
        return await self._request("GET", url, None, headers, max_bytes, check_certificate)

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
        return await self._request("POST", url, content, {"content-type": content_type, **(headers or {})}, max_bytes)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def __aenter__(self) -> Fetcher:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _request(
        self,
        method: str,
        url: str,
        content: bytes | None,
        headers: Mapping[str, str] | None,
        max_bytes: int | None,
        check_certificate: CheckCertificate | None = None,
    ) -> Fetched:
        limit = self._max_bytes if max_bytes is None else max_bytes
        try:
            async with self._client.stream(method, url, content=content, headers=headers) as response:
                if check_certificate is not None:
                    check_certificate(_certificate_of(response))
                pieces: list[bytes] = []
                size = 0
                async for piece in response.aiter_bytes():
                    size += len(piece)
                    if size > limit:
                        raise FetchError(url, f"the answer is larger than {limit} bytes", status=response.status_code)
                    pieces.append(piece)
                return Fetched(url, response.status_code, dict(response.headers), b"".join(pieces))
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ssl.SSLError) as cause:
            raise FetchError(url, str(cause) or type(cause).__name__) from cause


def _certificate_of(response: httpx.Response) -> bytes | None:
    """Return the certificate of the other end; the stream below httpx hands its TLS object out."""
    tls = response.extensions["network_stream"].get_extra_info("ssl_object")
    return tls.getpeercert(True) if tls is not None else None


def expect_ok(answer: Fetched) -> bytes:
    """Return the content of an answer with status 200. Raises FetchError for any other."""
    if answer.status != 200:
        raise FetchError(answer.url, f"answered with status {answer.status}", status=answer.status)
    return answer.content
