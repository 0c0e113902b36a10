"""Asking a service by HTTP with an end to everything: time, size, redirections.

Whatever keeps a service from answering is the registry's unavailability: who asked can only wait.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from registry_adapters.sdk.errors import UnavailableError

_log: Final = logging.getLogger(__name__)

TIMEOUT_S: Final = 5.0
MAX_ANSWER_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """What came, read whole."""

    status: int
    content: bytes


class Asker:
    """Keeps the connections to one service; used from many threads."""

    def __init__(
        self, url: str, headers: Mapping[str, str], timeout_s: float, max_bytes: int, tls: ssl.SSLContext | None
    ) -> None:
        self.url = url.rstrip("/")
        self.timeout_s = timeout_s
        self.max_bytes = max_bytes
        self._http = httpx.Client(headers=dict(headers), timeout=timeout_s, verify=tls or True, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def ask(self, method: str, path: str, **options: Any) -> Reply:
        """Return the answer, whatever its status. Raises UnavailableError when none came, or one too large or late."""
        end = time.monotonic() + self.timeout_s
        chunks: list[bytes] = []
        size = 0
        try:
            with self._http.stream(method, self.url + path, **options) as response:
                for chunk in response.iter_bytes():
                    size += len(chunk)
                    if size > self.max_bytes:
                        raise self.unusable(f"more than {self.max_bytes} bytes")
                    if time.monotonic() > end:
                        raise self.unavailable(f"more than {self.timeout_s:g} s")
                    chunks.append(chunk)
                return Reply(response.status_code, b"".join(chunks))
        except httpx.HTTPError as cause:
            raise self.unavailable(type(cause).__name__) from cause

    def unavailable(self, reason: str) -> UnavailableError:
        """Return the error for a service that does not answer, and log why."""
        _log.error("the service behind the registry does not answer", extra={"url": self.url, "reason": reason})
        return UnavailableError("registry.source_unavailable")

    def unusable(self, reason: str) -> UnavailableError:
        """Return the error for an answer that cannot be used, and log why."""
        _log.error("the service behind the registry answered wrongly", extra={"url": self.url, "reason": reason})
        return UnavailableError("registry.source_unusable")
