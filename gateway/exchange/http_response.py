"""OutboundResponse -> HTTP: a body of known size is announced, never chunked."""

from __future__ import annotations

from gateway.exchange.requests import OutboundResponse
from gateway.runtime.http.model import Response


def http_response(answer: OutboundResponse, *, close: bool = False) -> Response:
    """Return what the HTTP server writes; the length of a stream stands in its headers."""
    headers = answer.headers
    if answer.length is not None and not isinstance(answer.body, bytes):
        headers = (*headers, ("Content-Length", str(answer.length)))
    return Response(answer.status, reason=answer.reason, headers=headers, body=answer.body, close=close)
