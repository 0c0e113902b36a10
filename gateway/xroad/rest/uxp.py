"""The older dialect of REST, as Trembita's gateways speak it: `/restapi`, `Uxp-*` headers <-> the same RestRequest.

The service stands in a header, and what follows `/restapi` is the path of the service. A request becomes
the X-Road request it means: `Uxp-Client`, `Uxp-Service` and the ids are said again as target and `X-Road-*`
headers. Everything the caller sent travels on as it was written, query and purposes included: services made
for this dialect read it. Only the transaction id is the gateway's own word. X-Road's REST services have no
version, so a version in `Uxp-Service` becomes the first segment of the path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, unquote_to_bytes

from gateway.xroad.faults import MalformedMessage
from gateway.xroad.identifiers import ClientId, ServiceId, client_of, decode_path
from gateway.xroad.mime import Headers
from gateway.xroad.rest import headers as names
from gateway.xroad.rest.faults import RestFaultResponse, build_rest_fault
from gateway.xroad.rest.target import PREFIX as XROAD_PREFIX

PREFIX: Final = "restapi"
METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"})

CLIENT: Final = "uxp-client"
SERVICE: Final = "uxp-service"
TRANSACTION_ID: Final = "uxp-transaction-id"
FAULT_CODE: Final = "uxp-faultcode"
FAULT_STRING: Final = "uxp-faultstring"
# The newer name first; `Purpose-Id` is what sample clients call it.
IDS: Final = ("uxp-queryid", "uxp-id")
_USER_ID: Final = "uxp-userid"
_ISSUE: Final = "uxp-issue"
_PURPOSES: Final = ("uxp-purpose-ids", "purpose-id")
_ID_PARAMETER: Final = "queryId"
_USER_PARAMETER: Final = "userId"

# Two that differ would be read one way by us and another way by the service.
_SINGLE: Final = frozenset({CLIENT, SERVICE, *IDS, _USER_ID, _ISSUE})
# The gateway's own words, which neither caller nor service may speak.
_FROM_GATEWAY: Final = frozenset({TRANSACTION_ID, FAULT_CODE, FAULT_STRING})

PERSONAL_DATA_PREFIX: Final = "PD_"
MAX_ID_CHARACTERS: Final = 255
MAX_FAULT_STRING: Final = 500
_PARTS_OF_A_SERVICE: Final = 5
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_PRINTABLE: Final = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


@dataclass(frozen=True, slots=True)
class XRoadForm:
    """A request of the dialect as an X-Road request: target and headers; the body is the same."""

    target: str
    headers: Headers
    purposes: tuple[str, ...]


def is_uxp(path: str) -> bool:
    """Tell whether a request with this raw path is one of the dialect."""
    return path == f"/{PREFIX}" or path.startswith(f"/{PREFIX}/")


def to_xroad(method: str, target: str, headers: Iterable[tuple[str, str]], *, transaction_id: str) -> XRoadForm:
    """Return the X-Road request that a request to `/restapi` means.

    Raises MalformedMessage: invalid_http_method, invalid_client_identifier without Uxp-Client,
    missing_header_field without Uxp-Service or, for personal data, without a purpose; internal_error for
    what cannot be read.
    """
    if method not in METHODS:
        raise MalformedMessage("invalid_http_method", "uxp.method", method=method[:32])
    kept = [header for header in headers if header[0].lower() not in _FROM_GATEWAY]
    _refuse_contradictions(kept)
    client = names.last_of(kept, CLIENT)
    if client is None:
        raise MalformedMessage("invalid_client_identifier", "uxp.client_missing")
    client_from(client)
    service, segments = _service(names.last_of(kept, SERVICE))
    path, question, query = target.removeprefix(f"/{PREFIX}").partition("?")
    purposes = purposes_of(kept)
    _require_purpose(service, purposes)
    said = (
        ("X-Road-Client", client.strip(" \t")),
        ("X-Road-Id", _said(kept, IDS) or _unless(kept, names.ID, query, _ID_PARAMETER)),
        ("X-Road-UserId", _said(kept, (_USER_ID,)) or _unless(kept, names.USER_ID, query, _USER_PARAMETER)),
        ("X-Road-Issue", _said(kept, (_ISSUE,))),
        ("Uxp-Transaction-Id", transaction_id),
    )
    added = [(name, value) for name, value in said if value is not None and (name, value) not in _named(kept, name)]
    return XRoadForm(f"/{XROAD_PREFIX}/{'/'.join(segments)}{path}{question}{query}", (*kept, *added), purposes)


def answer_headers(headers: Iterable[tuple[str, str]], transaction_id: str) -> Headers:
    """Return the headers of an answer for the caller: those of the service, and the transaction's id."""
    kept = (header for header in headers if header[0].lower() not in _FROM_GATEWAY)
    return (*kept, ("Uxp-Transaction-Id", transaction_id))


def build_uxp_fault(code: str, text: str, detail: str, accept: str | None, transaction_id: str) -> RestFaultResponse:
    """Return the answer for a fault: the body is that of REST, code and sentence stand in `Uxp-` headers.

    A sentence that is no printable ASCII is percent-encoded UTF-8 there.
    """
    rest = build_rest_fault(code, text, detail, accept)
    content_type = rest.headers[0]
    said = (
        ("Uxp-FaultCode", _header_text(code)),
        ("Uxp-FaultString", _header_text(text)),
        ("Uxp-Transaction-Id", transaction_id),
    )
    return RestFaultResponse(rest.status, (content_type, *said), rest.body)


def purposes_of(headers: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the ids of purpose declarations; clients without one send nothing, an empty value or a literal `""`."""
    listed = (value.split(",") for name, value in headers if name.lower() in _PURPOSES)
    return tuple(purpose for values in listed for value in values if (purpose := value.strip(' \t"')))


def refuse_other_speaker(headers: Iterable[tuple[str, str]], client: ClientId, service: ServiceId) -> None:
    """Refuse a request whose `Uxp-` headers name another client or service than the message itself (internal_error).

    A service made for the dialect would believe them.
    """
    for name, value in headers:
        lower = name.lower()
        if (lower == CLIENT and client_from(value) != client) or (lower == SERVICE and _service(value)[0] != service):
            raise MalformedMessage("internal_error", "uxp.other_speaker", name=name, value=value[:200])


def client_from(value: str) -> ClientId:
    """Read Uxp-Client (internal_error when it is none)."""
    try:
        return client_of(decode_path(value.strip(" \t")))
    except MalformedMessage as cause:
        raise MalformedMessage("internal_error", "uxp.bad_client", value=value[:200]) from cause


def _service(value: str | None) -> tuple[ServiceId, list[str]]:
    """Return the service, and its segments as they were written; an empty version is none."""
    if value is None:
        raise MalformedMessage("missing_header_field", "uxp.service_missing")
    segments = value.strip(" \t").split("/")
    if len(segments) == _PARTS_OF_A_SERVICE + 1 and not segments[-1]:
        segments.pop()
    try:
        parts = decode_path("/".join(segments))
        if len(parts) not in (_PARTS_OF_A_SERVICE, _PARTS_OF_A_SERVICE + 1):
            raise MalformedMessage("internal_error", "uxp.bad_service", value=value[:200])
        return ServiceId(client_of(parts[:4]), parts[4]), segments
    except MalformedMessage as cause:
        raise MalformedMessage("internal_error", "uxp.bad_service", value=value[:200]) from cause


def _refuse_contradictions(headers: Iterable[tuple[str, str]]) -> None:
    seen: dict[str, str] = {}
    for key, value in headers:
        name = key.lower()
        if name in _SINGLE and seen.setdefault(name, value) != value:
            raise MalformedMessage("internal_error", "rest.contradicting_headers", name=key)


def _require_purpose(service: ServiceId, purposes: tuple[str, ...]) -> None:
    if (service.provider.subsystem_code or "").startswith(PERSONAL_DATA_PREFIX) and not purposes:
        raise MalformedMessage("missing_header_field", "uxp.purpose_missing", service=service)


def _said(headers: Headers | list[tuple[str, str]], carriers: tuple[str, ...]) -> str | None:
    """Return what the first of these headers that says anything says."""
    for carrier in carriers:
        value = (names.last_of(headers, carrier) or "").strip(" \t")
        if value:
            return _bounded(carrier, value)
    return None


def _unless(headers: list[tuple[str, str]], header: str, query: str, parameter: str) -> str | None:
    """Return what the query says, unless the X-Road header says it already."""
    if (names.last_of(headers, header) or "").strip(" \t"):
        return None
    found = None
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if unquote(name) == parameter:
            found = value
    return _header_value(parameter, found) if found else None


def _header_value(parameter: str, value: str) -> str | None:
    """Return a parameter as the header value it becomes: UTF-8, one character a byte."""
    raw = unquote_to_bytes(value.replace("+", " "))
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as cause:
        raise MalformedMessage("internal_error", "uxp.bad_parameter", name=parameter) from cause
    text = raw.decode("latin-1").strip(" \t")
    if _CONTROL.search(text):
        raise MalformedMessage("internal_error", "uxp.bad_parameter", name=parameter)
    return _bounded(parameter, text) if text else None


def _bounded(name: str, value: str) -> str:
    if len(value) > MAX_ID_CHARACTERS:
        raise MalformedMessage("internal_error", "uxp.too_long", name=name, limit=MAX_ID_CHARACTERS)
    return value


def _named(headers: list[tuple[str, str]], name: str) -> list[tuple[str, str]]:
    """Return the headers of this name, spelled as `name` is."""
    return [(name, value) for key, value in headers if key.lower() == name.lower()]


def _header_text(text: str) -> str:
    return quote(text[:MAX_FAULT_STRING].encode("utf-8", "replace"), safe=_PRINTABLE)
