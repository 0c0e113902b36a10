"""A signed answer as the HTTP response of port 5500 (PR-MESSTRANSP 3.1, X-Road ServerMessageProcessor.java).

Header names go out in lower case: peers look them up literally.
"""

from __future__ import annotations

from gateway.exchange.boundaries import new_boundary
from gateway.exchange.requests import OutboundResponse
from gateway.xroad.rest.message import RestResponse
from gateway.xroad.signature.signed_message import SignedMessage, bodies_of
from gateway.xroad.soap.message import SoapMessage
from gateway.xroad.transport.encoder import TransportEncoder
from gateway.xroad.transport.headers import build_response_headers


def signed_answer(signed: SignedMessage) -> OutboundResponse:
    """Return the transport message; small ones in one piece, large ones as a stream."""
    encoder = TransportEncoder(boundary=new_boundary())
    message = signed.message
    assert isinstance(message, SoapMessage | RestResponse)
    headers = build_response_headers(message, encoder.content_type)
    chunks = encoder.encode(signed)
    if bodies_of(message):
        return OutboundResponse(200, headers, chunks)
    whole = b"".join(chunks)
    return OutboundResponse(200, headers, whole, len(whole))
