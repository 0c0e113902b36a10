"""RestRequest, RestResponse and their header parts (PR-REST 4, X-Road RestRequest.java, RestResponse.java).

A header part is the request or status line and the header lines, `Name:value`, CRLF after each, no
empty line at the end. Whoever makes the message serialises it once; from then on these bytes are
hashed, signed, sent and logged as they are.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from gateway.xroad.bodies import Body
from gateway.xroad.digests import Digest, DigestAlgorithm, digest_of
from gateway.xroad.faults import MalformedMessage
from gateway.xroad.identifiers import ClientId, SecurityServerId, ServiceId, encode_path
from gateway.xroad.mime import Headers
from gateway.xroad.rest import headers as names
from gateway.xroad.rest.target import parse_target
from gateway.xroad.rest.uxp import refuse_other_speaker
from gateway.xroad.soap.headers import RepresentedParty

METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
_LINE_BREAK: Final = re.compile(r"\r\n|\r|\n")
_STATUS: Final = re.compile(r"[2-9][0-9][0-9]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class RestRequest:
    """A REST request; `raw` is its header part, `target` the raw path and query in it."""

    raw: bytes
    method: str
    target: str
    client: ClientId
    service: ServiceId
    service_path: str
    query: str | None
    headers: Headers
    id: str
    request_id: str
    body: Body | None = None
    digest: Digest = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", digest_of(self.raw))

    @property
    def user_id(self) -> str | None:
        """X-Road-UserId, as it came."""
        return names.last_of(self.headers, names.USER_ID)

    @property
    def issue(self) -> str | None:
        """X-Road-Issue, as it came."""
        return names.last_of(self.headers, names.ISSUE)

    @property
    def represented_party(self) -> RepresentedParty | None:
        """X-Road-Represented-Party; it was checked when the request was read."""
        return names.represented_party_from(names.last_of(self.headers, names.REPRESENTED_PARTY))

    @property
    def security_server(self) -> SecurityServerId | None:
        """X-Road-Security-Server; it was checked when the request was read."""
        return names.server_from(names.last_of(self.headers, names.SECURITY_SERVER))


@dataclass(frozen=True, slots=True)
class RestResponse:
    """A REST answer; `raw` is its header part, `request_hash` base64 as it stands there."""

    raw: bytes
    status: int
    reason: str
    headers: Headers
    client: ClientId
    service: ServiceId
    id: str
    request_id: str
    request_hash: str
    body: Body | None = None
    digest: Digest = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", digest_of(self.raw))

    @property
    def is_error(self) -> bool:
        """The service answered 4xx or 5xx."""
        return 400 <= self.status <= 599


def build_rest_request(
    method: str,
    target: str,
    headers: Iterable[tuple[str, str]],
    *,
    request_id: str,
    new_id: str,
    body: Body | None = None,
) -> RestRequest:
    """Make the request of an information system, as its HTTP request came in.

    `request_id` is ours and replaces any that came; `new_id` becomes X-Road-Id when the caller sent none.
    Raises MalformedMessage: invalid_client_identifier without X-Road-Client, invalid_http_method,
    internal_error for a target or header that cannot be carried.
    """
    kept = [header for header in names.request_headers(headers) if header[0].lower() != names.ID or header[1].strip()]
    kept.append((names.REQUEST_ID, request_id))
    if names.last_of(kept, names.ID) is None:
        kept.append((names.ID, new_id))
    raw = b"%s\r\n%s\r\n%s" % (_ascii(method), _ascii(target), names.serialise_headers(kept))
    return _request(raw, method, target, tuple(kept), body)


def parse_rest_request(raw: bytes, body: Body | None = None) -> RestRequest:
    """Read a received header part; `raw` stays as it is.

    Raises MalformedMessage: internal_error, invalid_client_identifier, invalid_http_method.
    """
    method, target, *lines = _lines_of(raw)
    return _request(raw, method, target, names.parse_header_lines(lines), body)


def _request(raw: bytes, method: str, target: str, headers: Headers, body: Body | None) -> RestRequest:
    if method not in METHODS:
        raise MalformedMessage("invalid_http_method", "rest.method", method=method[:32])
    parsed = parse_target(target)
    names.refuse_contradictions(headers)
    client = names.client_from(names.last_of(headers, names.CLIENT))
    refuse_other_speaker(headers, client, parsed.service)
    names.represented_party_from(names.last_of(headers, names.REPRESENTED_PARTY))
    names.server_from(names.last_of(headers, names.SECURITY_SERVER))
    return RestRequest(
        raw, method, target, client, parsed.service, parsed.service_path, parsed.query, headers,
        _required(headers, names.ID), _required(headers, names.REQUEST_ID), body,
    )  # fmt: skip


def build_rest_response(
    request: RestRequest,
    status: int,
    reason: str,
    headers: Iterable[tuple[str, str]],
    body: Body | None = None,
    request_hash: Digest | None = None,
) -> RestResponse:
    """Make the answer out of what the service sent; `request_hash` is computed unless it is given."""
    value = (request_hash or rest_request_hash(request)).base64
    ours = (
        (names.ID, request.id),
        (names.CLIENT, encode_path(request.client)),
        (names.SERVICE, encode_path(request.service)),
        (names.REQUEST_ID, request.request_id),
        (names.REQUEST_HASH, value),
    )
    kept = (*names.response_headers(headers), *ours)
    _check_status(str(status), reason)
    raw = f"{status}\r\n{reason}\r\n".encode() + names.serialise_headers(kept)
    return RestResponse(
        raw, status, reason, kept, request.client, request.service, request.id, request.request_id, value, body
    )


def parse_rest_response(raw: bytes, body: Body | None = None) -> RestResponse:
    """Read a received header part. A header that appears twice counts as its last occurrence.

    Raises MalformedMessage (internal_error).
    """
    status, reason, *lines = _lines_of(raw)
    _check_status(status, reason)
    headers = names.parse_header_lines(lines)
    client_value = _required(headers, names.CLIENT)
    request_hash = _required(headers, names.REQUEST_HASH)
    if not _decode_base64(request_hash):
        raise MalformedMessage("internal_error", "rest.header_missing", name=names.REQUEST_HASH)
    return RestResponse(
        raw, int(status), reason, headers, names.client_from(client_value),
        names.service_from(names.last_of(headers, names.SERVICE)),
        _required(headers, names.ID), _required(headers, names.REQUEST_ID), request_hash, body,
    )  # fmt: skip


def parse_rest_message(raw: bytes, body: Body | None = None) -> RestRequest | RestResponse:
    """Read a header part out of a container: it is an answer when it begins with a digit 1 to 9."""
    return parse_rest_response(raw, body) if raw[:1] in b"123456789" and raw else parse_rest_request(raw, body)


def rest_request_hash(request: RestRequest) -> Digest:
    """Return the value of x-road-request-hash: a hash of two hashes when there is a body (PR-REST 4.3)."""
    if request.body is None:
        return request.digest
    joined = request.digest.value + request.body.digest.value
    return Digest(DigestAlgorithm.SHA512, hashlib.sha512(joined).digest())


def check_rest_consistency(request: RestRequest, response: RestResponse) -> None:
    """Refuse an answer that was given to another request (inconsistent_response)."""
    for name, asked, answered in (
        (names.CLIENT, request.client, response.client),
        (names.ID, request.id, response.id),
        (names.SERVICE, request.service, response.service),
        (names.REQUEST_ID, request.request_id, response.request_id),
    ):
        if asked != answered:
            raise MalformedMessage("inconsistent_response", "rest.answer_differs", name=name)
    if _decode_base64(response.request_hash) != rest_request_hash(request).value:
        raise MalformedMessage("inconsistent_response", "rest.request_hash_differs", id=request.id[:200])


def _ascii(text: str) -> bytes:
    try:
        return text.encode("ascii")
    except UnicodeEncodeError as cause:
        raise MalformedMessage("internal_error", "rest.bad_target", target=ascii(text[:200])) from cause


def _lines_of(raw: bytes) -> list[str]:
    """Split a header part at CR, LF or CRLF, as the reference's reader does; there are two lines at least."""
    try:
        lines = _LINE_BREAK.split(raw.decode("utf-8"))
    except UnicodeDecodeError as cause:
        raise MalformedMessage("internal_error", "rest.not_utf8") from cause
    if lines[-1] == "":
        lines.pop()
    if len(lines) < 2:
        raise MalformedMessage("internal_error", "rest.incomplete_part", lines=len(lines))
    return lines


def _required(headers: Headers, name: str) -> str:
    value = names.last_of(headers, name)
    if not value or not value.strip():
        raise MalformedMessage("internal_error", "rest.header_missing", name=name)
    return value


def _check_status(status: str, reason: str) -> None:
    if not _STATUS.fullmatch(status) or _CONTROL.search(reason):
        raise MalformedMessage("internal_error", "rest.bad_status", status=status[:32])


def _decode_base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""
