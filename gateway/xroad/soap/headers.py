"""SoapHeaders and the elements of a SOAP header (PR-MESS 2.2, X-Road SaxSoapParserImpl.java).

Texts are taken as they stand, without trimming; identifiers are compared by value. What may appear
in a header, and in which identifier, is told by the tables below, which reader and writer share.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar, cast
from xml.sax.saxutils import escape, quoteattr

from gateway.xroad.facts import fact
from gateway.xroad.faults import MalformedMessage
from gateway.xroad.identifiers import (
    ClientId,
    MemberId,
    SecurityServerId,
    ServiceId,
    SubsystemId,
)
from gateway.xroad.xml import NS_IDENTIFIERS, NS_REPRESENTATION, NS_SECURITY_TOKEN, NS_XROAD

REQUEST_HASH_ALGORITHM: Final = "http://www.w3.org/2001/04/xmlenc#sha512"
PROTOCOL_VERSION: Final = "4.0"

MAX_REMEMBERED: Final = 4096
MAX_REMEMBERED_CHARACTERS: Final = 512


@dataclass(frozen=True, slots=True)
class RepresentedParty:
    """Whom the client speaks for (PR-THIRDPARTY); the class is optional."""

    party_class: str | None
    party_code: str | None


@dataclass(frozen=True, slots=True)
class SecurityToken:
    """An opaque token for the service (PR-SECTOKEN); never validated here."""

    token_type: str | None
    value: str


@fact
class SoapHeaders:
    """The X-Road header of a SOAP message."""

    client: ClientId
    service: ServiceId
    id: str
    protocol_version: str = PROTOCOL_VERSION
    user_id: str | None = None
    issue: str | None = None
    represented_party: RepresentedParty | None = None
    security_server: SecurityServerId | None = None
    security_token: SecurityToken | None = None
    request_hash: str | None = None


@dataclass(frozen=True, slots=True)
class HeaderField:
    """One header element: the attribute of SoapHeaders, permitted object types, permitted children."""

    attribute: str
    object_types: frozenset[str] = frozenset()
    children: frozenset[str] = frozenset()
    children_namespace: str = ""


_MEMBER: Final = frozenset({"xRoadInstance", "memberClass", "memberCode"})

# (namespace, local name) -> what may be inside (X-Road SaxSoapParserImpl.java).
FIELDS: Final[Mapping[tuple[str, str], HeaderField]] = {
    (NS_XROAD, "client"): HeaderField(
        "client", frozenset({"MEMBER", "SUBSYSTEM"}), _MEMBER | {"subsystemCode"}, NS_IDENTIFIERS
    ),
    (NS_XROAD, "service"): HeaderField(
        "service",
        frozenset({"SERVICE"}),
        _MEMBER | {"subsystemCode", "serviceCode", "serviceVersion"},
        NS_IDENTIFIERS,
    ),
    (NS_XROAD, "securityServer"): HeaderField(
        "security_server", frozenset({"SERVER"}), _MEMBER | {"serverCode"}, NS_IDENTIFIERS
    ),
    (NS_REPRESENTATION, "representedParty"): HeaderField(
        "represented_party", frozenset(), frozenset({"partyClass", "partyCode"}), NS_REPRESENTATION
    ),
    (NS_XROAD, "id"): HeaderField("id"),
    (NS_XROAD, "userId"): HeaderField("user_id"),
    (NS_XROAD, "issue"): HeaderField("issue"),
    (NS_XROAD, "protocolVersion"): HeaderField("protocol_version"),
    (NS_XROAD, "requestHash"): HeaderField("request_hash"),
    (NS_SECURITY_TOKEN, "securityToken"): HeaderField("security_token"),
}

_PLAIN_TEXTS: Final = frozenset({"id", "user_id", "issue", "request_hash"})

OBJECT_TYPES: Final = frozenset({"MEMBER", "SUBSYSTEM", "SERVICE", "SERVER", "GLOBALGROUP", "LOCALGROUP"})


def check_object_type(field: str, value: str | None, permitted: frozenset[str]) -> None:
    """Refuse an identifier without, or with an unsuitable, qualified objectType (invalid_xml)."""
    if value not in permitted:
        raise MalformedMessage(
            "invalid_xml", "soap.object_type", field=field, value=value or "-", permitted=", ".join(sorted(permitted))
        )


def value_of(attribute: str, text: str, parts: Mapping[str, str]) -> object:
    """Return the value of one header field from its text or its child elements.

    Raises MalformedMessage: invalid_protocol_version, or internal_error for a component that is
    missing or blank, as X-Road answers.
    """
    if attribute in _PLAIN_TEXTS:
        return text
    match attribute:
        case "client":
            return _remembered(_client, parts)
        case "service":
            return _remembered(_service, parts)
        case "security_server":
            return SecurityServerId(_member(parts), parts.get("serverCode", ""))
        case "represented_party":
            return RepresentedParty(parts.get("partyClass"), parts.get("partyCode"))
        case "security_token":
            return SecurityToken(parts.get("tokenType"), text)
        case "protocol_version" if not text.startswith("4."):
            raise MalformedMessage("invalid_protocol_version", "soap.protocol_version", value=text[:32])
    return text


def _member(parts: Mapping[str, str]) -> MemberId:
    return MemberId(parts.get("xRoadInstance", ""), parts.get("memberClass", ""), parts.get("memberCode", ""))


def _client(parts: Mapping[str, str]) -> ClientId:
    member = _member(parts)
    subsystem = parts.get("subsystemCode")
    return member if subsystem is None else SubsystemId(member, subsystem)


def _service(parts: Mapping[str, str]) -> ServiceId:
    return ServiceId(_client(parts), parts.get("serviceCode", ""), parts.get("serviceVersion"))


Identifier = TypeVar("Identifier")


def _remembered(make: Callable[[Mapping[str, str]], Identifier], parts: Mapping[str, str]) -> Identifier:
    """Make an identifier once: the same few stand in nearly every message. Long ones are not kept."""
    key = tuple(parts.items())
    known = _identifiers.get((make, key))
    if known is None:
        known = make(parts)
        if sum(map(len, parts.values())) <= MAX_REMEMBERED_CHARACTERS:
            if len(_identifiers) >= MAX_REMEMBERED:
                _identifiers.clear()
            _identifiers[make, key] = known
    return cast(Identifier, known)


_identifiers: dict[tuple[object, tuple[tuple[str, str], ...]], object] = {}


def headers_of(values: Mapping[str, object]) -> SoapHeaders:
    """Return the header these fields make up.

    Raises MalformedMessage (missing_header_field) in X-Road's order: protocolVersion, client, id, service.
    """
    for attribute, name in (
        ("protocol_version", "protocolVersion"), ("client", "client"), ("id", "id"), ("service", "service"),
    ):  # fmt: skip
        if attribute not in values:
            raise MalformedMessage("missing_header_field", "soap.field_missing", field=name)
    return SoapHeaders(**values)  # type: ignore[arg-type]


def build_header_elements(headers: SoapHeaders) -> str:
    """Return the header elements with the prefixes `xrd`, `id`, `repr` and `tok`, in the order of PR-MESS 2.2."""
    pieces = [
        f'<xrd:client id:objectType="{headers.client.object_type}">{_client_parts(headers.client)}</xrd:client>',
        f'<xrd:service id:objectType="SERVICE">{_service_parts(headers.service)}</xrd:service>',
    ]
    if headers.security_server is not None:
        server = headers.security_server
        inner = _client_parts(server.owner) + _element("id:serverCode", server.server_code)
        pieces.append(f'<xrd:securityServer id:objectType="SERVER">{inner}</xrd:securityServer>')
    pieces.append(_element("xrd:id", headers.id))
    if headers.request_hash is not None:
        pieces.append(
            f'<xrd:requestHash algorithmId="{REQUEST_HASH_ALGORITHM}">{_escape(headers.request_hash)}</xrd:requestHash>'
        )
    if headers.user_id is not None:
        pieces.append(_element("xrd:userId", headers.user_id))
    if headers.issue is not None:
        pieces.append(_element("xrd:issue", headers.issue))
    if headers.represented_party is not None:
        pieces.append(_represented_party(headers.represented_party))
    if headers.security_token is not None:
        pieces.append(_security_token(headers.security_token))
    pieces.append(_element("xrd:protocolVersion", headers.protocol_version))
    return "".join(pieces)


# A bare CR would be read back as LF, and any white space in an attribute as a blank.
_IN_TEXT: Final = {"\r": "&#13;"}
_IN_ATTRIBUTE: Final = {"\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}
# XML 1.0 2.2: what no document can hold, escaped or not.
_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def _escape(text: str) -> str:
    if _ILLEGAL.search(text):
        raise MalformedMessage("invalid_xml", "soap.illegal_character")
    return escape(text, _IN_TEXT)


def _element(name: str, text: str) -> str:
    return f"<{name}>{_escape(text)}</{name}>"


def _client_parts(client: ClientId) -> str:
    names = ("xRoadInstance", "memberClass", "memberCode", "subsystemCode")
    return "".join(_element(f"id:{name}", part) for name, part in zip(names, client.parts, strict=False))


def _service_parts(service: ServiceId) -> str:
    version = "" if service.service_version is None else _element("id:serviceVersion", service.service_version)
    return _client_parts(service.provider) + _element("id:serviceCode", service.service_code) + version


def _represented_party(party: RepresentedParty) -> str:
    inner = "".join(
        _element(f"repr:{name}", text)
        for name, text in (("partyClass", party.party_class), ("partyCode", party.party_code))
        if text is not None
    )
    return f'<repr:representedParty xmlns:repr="{NS_REPRESENTATION}">{inner}</repr:representedParty>'


def _security_token(token: SecurityToken) -> str:
    kind = "" if token.token_type is None else f" tokenType={quoteattr(token.token_type, _IN_ATTRIBUTE)}"
    return f'<tok:securityToken xmlns:tok="{NS_SECURITY_TOKEN}"{kind}>{_escape(token.value)}</tok:securityToken>'
