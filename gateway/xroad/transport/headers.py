"""HTTP headers between two servers (PR-MESSTRANSP 3.1, X-Road AbstractClientMessageProcessor.java).

Peers look response headers up by their lower-case names, so all of ours are written in lower case.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.xroad.digests import DigestAlgorithm, find_digest_algorithm
from gateway.xroad.faults import AccessRefused, MalformedMessage
from gateway.xroad.mime import Headers
from gateway.xroad.rest.message import RestRequest, RestResponse
from gateway.xroad.soap.message import SoapMessage

CONTENT_TYPE: Final = "content-type"
HASH_ALGORITHM: Final = "x-hash-algorithm"
ORIGINAL_CONTENT_TYPE: Final = "x-original-content-type"
ORIGINAL_SOAP_ACTION: Final = "x-original-soapaction"
REQUEST_ID: Final = "x-road-request-id"
PROXY_VERSION: Final = "x-proxy-version"
MESSAGE_TYPE: Final = "x-road-message-type"

REST_MESSAGE: Final = "REST"
ALGORITHM: Final = DigestAlgorithm.SHA512

_VERSION: Final = re.compile(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:[-+].*)?", re.ASCII)


def build_request_headers(
    message: SoapMessage | RestRequest,
    content_type: str,
    *,
    original_content_type: str | None,
    request_id: str,
    proxy_version: str,
) -> Headers:
    """Return the headers of a request in the reference's order.

    `original_content_type` is the information system's, None when it sent none.
    """
    rest = isinstance(message, RestRequest)
    headers: list[tuple[str, str]] = [(MESSAGE_TYPE, REST_MESSAGE)] if rest else []
    headers += [
        (HASH_ALGORITHM, ALGORITHM.label),
        (ORIGINAL_CONTENT_TYPE, original_content_type or ""),
        (REQUEST_ID, request_id),
        (PROXY_VERSION, proxy_version),
    ]
    if isinstance(message, SoapMessage):
        headers.append((ORIGINAL_SOAP_ACTION, message.soap_action or ""))
    headers.append((CONTENT_TYPE, content_type))
    return tuple(headers)


def build_response_headers(message: SoapMessage | RestResponse | None, content_type: str) -> Headers:
    """Return the headers of an answer; `message` is None when only a fault is sent."""
    headers = [(CONTENT_TYPE, content_type), (HASH_ALGORITHM, ALGORITHM.label)]
    if isinstance(message, SoapMessage):
        headers.append((ORIGINAL_CONTENT_TYPE, message.original_content_type))
    return tuple(headers)


def check_hash_algorithm(value: str | None) -> None:
    """Refuse a request, or an answer with parts to hash, that does not say SHA-512 (internal_error).

    The reference reads any name here and goes on with SHA-512: only that works from end to end.
    """
    if value is None or not value.strip():
        raise MalformedMessage("internal_error", "transport.hash_algorithm_missing")
    if find_digest_algorithm(value.strip()) is not ALGORITHM:
        raise MalformedMessage("internal_error", "transport.hash_algorithm", value=value[:64])


def check_proxy_version(value: str | None, minimum: str) -> None:
    """Refuse a consumer's server that is older than `minimum`, or does not say (client_proxy_version_not_supported)."""
    wanted = _version(minimum)
    if wanted is None:
        raise RuntimeError(f"the minimum version {minimum!r} is no version")
    found = _version(value or "")
    if found is None or found < wanted:
        raise AccessRefused(
            "client_proxy_version_not_supported", "transport.proxy_version", value=(value or "-")[:64], minimum=minimum
        )


def _version(text: str) -> tuple[int, ...] | None:
    found = _VERSION.fullmatch(text.strip())
    return None if found is None else tuple(int(number) for number in found.groups())
