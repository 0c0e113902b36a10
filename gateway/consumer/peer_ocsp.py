"""OCSP responses of other security servers, from their port 5577 (X-Road CertHashBasedOcspResponderClient.java).

A response is asked for once per peer while it is fresh; whether it is good is decided by
`exchange.peers`, every time.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from gateway.runtime.fetch import FetchError
from gateway.xroad.faults import AccessRefused, MalformedMessage
from gateway.xroad.mime import MultipartParser, PartBegin, PartData, boundary_of, header_of

MAX_PEERS: Final = 4096
# Address, path with query, headers -> status, content type, body.
Fetch = Callable[[str, str], Awaitable[tuple[int, str, bytes]]]


def request_target(certificates: Sequence[bytes]) -> str:
    """Return the query of port 5577: SHA-1 for what peers read today, SHA-256 beside it as 7.8 sends it."""
    old = "&".join(f"cert={hashlib.sha1(der).hexdigest()}" for der in certificates)  # noqa: S324  the protocol's
    new = "&".join(f"cert_hash={hashlib.sha256(der).hexdigest()}" for der in certificates)
    return f"/?{old}&{new}"


def parse_answer(content_type: str, body: bytes, expected: int) -> tuple[bytes, ...]:
    """Return the OCSP responses of a multipart answer, one per certificate asked for.

    Raises MalformedMessage when the structure is broken or the number of parts differs.
    """
    parser = MultipartParser(boundary_of(content_type))
    responses: list[bytearray] = []
    for event in (*parser.feed(body), *parser.finish()):
        if isinstance(event, PartBegin):
            kind = (header_of(event.headers, "content-type") or "").split(";")[0].strip().lower()
            if kind != "application/ocsp-response":
                raise MalformedMessage("invalid_content_type", "peers.status_part", content_type=kind)
            responses.append(bytearray())
        elif isinstance(event, PartData):
            responses[-1] += event.data
    if len(responses) != expected:
        raise MalformedMessage("internal_error", "peers.status_count", expected=expected, received=len(responses))
    return tuple(bytes(response) for response in responses)


class PeerOcspResponses:
    """Remembers what each peer answered; forgets when `exchange.peers` found it stale."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._kept: OrderedDict[tuple[bytes, ...], tuple[bytes, ...]] = OrderedDict()
        self._asking: dict[tuple[bytes, ...], asyncio.Task[tuple[bytes, ...]]] = {}

    def kept(self, certificates: tuple[bytes, ...]) -> tuple[bytes, ...] | None:
        """Return what the peer answered before, fresh or not."""
        return self._kept.get(certificates)

    async def responses_of(self, certificates: tuple[bytes, ...], address: str) -> tuple[bytes, ...]:
        """Ask the peer at `address`; callers at the same time share one question.

        Raises AccessRefused (ssl_authentication_failed) when there is no usable answer.
        """
        task = self._asking.get(certificates)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._ask(certificates, address))
            self._asking[certificates] = task
            task.add_done_callback(lambda _: self._asking.pop(certificates, None))
        return await asyncio.shield(task)

    async def _ask(self, certificates: tuple[bytes, ...], address: str) -> tuple[bytes, ...]:
        try:
            status, content_type, body = await self._fetch(address, request_target(certificates))
            if status // 100 != 2:
                raise MalformedMessage("http_error", "peers.status_http", status=status)
            responses = parse_answer(content_type, body, len(certificates))
        except (MalformedMessage, FetchError, OSError) as failure:
            reason = failure.reason.rstrip(".") if isinstance(failure, FetchError) else failure
            raise AccessRefused(
                "ssl_authentication_failed", "peers.status_unavailable", address=address, reason=reason
            ) from failure
        self._kept[certificates] = responses
        self._kept.move_to_end(certificates)
        while len(self._kept) > MAX_PEERS:
            self._kept.popitem(last=False)
        return responses
