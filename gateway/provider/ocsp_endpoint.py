"""Port 5577: our own OCSP responses, asked for by certificate hash (X-Road CertHashBasedOcspResponder.java).

One unknown hash spoils the whole answer, as peers expect; SHA-256 hashes (`cert_hash`) are ignored as
the reference ignores them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol
from urllib.parse import parse_qsl

from gateway.exchange.boundaries import new_boundary
from gateway.runtime.http.model import Response
from gateway.runtime.http.server import Request
from gateway.runtime.texts import render
from gateway.xroad.faults import ConfigurationUnusable

MAX_HASHES: Final = 32


class OwnStatus(Protocol):
    """Where our OCSP responses come from."""

    def ocsp_responses_for(self, sha1_hashes: Iterable[str]) -> Sequence[bytes] | None:
        """Return one fresh response per SHA-1 hex, in the order asked; None when one is not to be had."""
        ...


class OcspEndpoint:
    """The handler of port 5577."""

    def __init__(self, status: OwnStatus) -> None:
        self._status = status

    async def __call__(self, request: Request) -> Response:
        """Answer GET with one part per hash in the order asked, HEAD with 200, everything else with 500."""
        if request.method == "HEAD":
            return Response(200)
        if request.method != "GET":
            return _refusal(f"Invalid HTTP method {request.method}")
        query = request.target.partition("?")[2]
        hashes = [value for name, value in parse_qsl(query) if name == "cert"]
        if not hashes:
            return _refusal("Could not get cert hash")
        if len(hashes) > MAX_HASHES:
            return _refusal(f"More than {MAX_HASHES} cert hashes")
        try:
            responses = self._status.ocsp_responses_for(hashes)
        except ConfigurationUnusable as unusable:
            return _refusal(render(unusable.text_id, unusable.facts))
        if responses is None:
            return _refusal("Could not find OCSP responses for all certificate hashes")
        return _answer(responses)


def _answer(responses: Sequence[bytes]) -> Response:
    boundary = f"jetty{new_boundary()[:18].decode()}"
    parts = b"".join(
        b"--%b\r\nContent-Type: application/ocsp-response\r\n\r\n%b\r\n" % (boundary.encode(), response)
        for response in responses
    )
    content_type = f'multipart/related; type="application/ocsp-response"; charset=UTF-8; boundary={boundary}'
    return Response(200, headers=(("Content-Type", content_type),), body=parts + b"--%b--\r\n" % boundary.encode())


def _refusal(text: str) -> Response:
    return Response(500, headers=(("Content-Type", "text/plain; charset=utf-8"),), body=text.encode())
