"""Who asks, through which service, for which case and on what ground: as plain facts.

The facts are the security server's word: it has verified the client. They come in SOAP header blocks
(PR-MESS 2.2), in X-Road-* headers (PR-REST 4.3) or in the older Uxp-* ones, and are taken verbatim.
Purpose and legal ground have no field in either protocol: they travel as `Uxp-Purpose-Ids` and `Legal-Ground` headers
(percent-encoded UTF-8), in SOAP as foreign header blocks `purposeIds` and `legalGround` of CONTEXT_NS.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import unquote

from gateway.xroad.identifiers import ClientId, ServiceId, client_of, decode_path
from gateway.xroad.soap.headers import RepresentedParty, SoapHeaders
from registry_adapters.sdk.errors import RequestError

CONTEXT_NS: Final = "urn:surma:context"
CLIENT_HEADERS: Final = ("x-road-client", "uxp-client")  # a server sets that of its dialect, and proves no other
MAX_FACT_LENGTH: Final = 255  # what X-Road's own tables hold of an id, user or issue
_CONTROL: Final = re.compile("[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


class Dialect(StrEnum):
    """The protocol a request came in."""

    SOAP = "soap"
    REST = "rest"
    UXP = "uxp"


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What a registry may know of a request besides its body."""

    dialect: Dialect
    client: ClientId
    message_id: str
    service: ServiceId | None = None
    request_id: str | None = None  # the gateway's own id of the exchange; REST only
    user_id: str | None = None
    issue: str | None = None
    represented_party: str | None = None
    purposes: tuple[str, ...] = ()
    legal_ground: str | None = None


def context_of_soap(headers: SoapHeaders, blocks: Mapping[str, str]) -> RequestContext:
    """Return the context of a SOAP request; `blocks` are the texts of its CONTEXT_NS header blocks."""
    party = headers.represented_party
    return RequestContext(
        Dialect.SOAP,
        headers.client,
        _checked("id", headers.id) or "",
        service=headers.service,
        user_id=_checked("userId", headers.user_id),
        issue=_checked("issue", headers.issue),
        represented_party=_checked("representedParty", _party(party)) if party else None,
        purposes=_purposes(blocks.get("purposeIds")),
        legal_ground=_checked("legalGround", blocks.get("legalGround")),
    )


def context_of_http(headers: Mapping[str, str], query: Mapping[str, str]) -> RequestContext:
    """Return the context of a REST request; `headers` are looked up in lower case.

    Raises RequestError when neither dialect names a client: then no security server sent it.
    """
    uxp = "x-road-client" not in headers
    client = headers.get("uxp-client" if uxp else "x-road-client")
    if client is None:
        raise RequestError("registry.client_missing")
    if any(decode_path(headers[name]) != decode_path(client) for name in CLIENT_HEADERS if name in headers):
        raise RequestError("registry.header_invalid", header="client")

    def fact(name: str, *others: str) -> str | None:
        names = (f"uxp-{name}" if uxp else f"x-road-{name}", *others)
        return _checked(name, _utf8(next((headers[key] for key in names if key in headers), None)))

    service = headers.get("uxp-service" if uxp else "x-road-service")
    return RequestContext(
        Dialect.UXP if uxp else Dialect.REST,
        client_of(decode_path(client)),
        fact("id", "uxp-queryid", "uxp-transaction-id") or _checked("queryId", query.get("queryId")) or "",
        service=_service_of(service) if service else None,
        request_id=fact("request-id", "uxp-transaction-id"),
        user_id=fact("userid") or _checked("userId", query.get("userId")),
        issue=fact("issue"),
        represented_party=fact("represented-party"),
        purposes=_purposes(_decoded(headers.get("uxp-purpose-ids") or headers.get("purpose-id"))),
        legal_ground=_checked("Legal-Ground", _decoded(headers.get("legal-ground"))),
    )


def _party(party: RepresentedParty) -> str:
    return "/".join(part for part in (party.party_class, party.party_code) if part)


def _service_of(text: str) -> ServiceId | None:
    parts = decode_path(text)
    if len(parts) not in (5, 6):
        raise RequestError("registry.header_invalid", header="service")
    return ServiceId(client_of(parts[:4]), parts[4], parts[5] if len(parts) == 6 else None)


def _utf8(value: str | None) -> str | None:
    """Undo the Latin-1 that ASGI reads headers in, where the sender wrote UTF-8."""
    try:
        return None if value is None else value.encode("latin-1").decode()
    except UnicodeError:
        return value


def _decoded(value: str | None) -> str | None:
    return None if value is None else unquote(value, errors="replace")


def _checked(name: str, value: str | None) -> str | None:
    if value is None:
        return None
    if len(value) > MAX_FACT_LENGTH or _CONTROL.search(value):
        raise RequestError("registry.header_invalid", header=name)
    return value


def _purposes(text: str | None) -> tuple[str, ...]:
    listed = _checked("purposeIds", text) or ""
    return tuple(purpose.strip() for purpose in listed.split(",") if purpose.strip())
