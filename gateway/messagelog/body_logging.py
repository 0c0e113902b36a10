"""Whose message bodies are kept, and what is kept of the others (X-Road MessageBodyManipulator.java).

The provider's subsystem decides: on its own server by the lists of local producers, on the consumer's
by those of remote ones. The lists name the exceptions to the default. What is kept without a body is
what the reference builds:

- SOAP: a new envelope with the header fields the reference knows, and in the body an empty element named
  after the service; whatever else stood in the header vanishes (SoapBuilder.java, SoapHeader.java);
- REST: method and path without service path and query, or status and reason; then only the headers
  `X-Road-` (RestRequest.java, RestResponse.java, getFilteredMessage).

The digest of the message as it was signed stays in its record, and so do those of its attachments.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from xml.sax.saxutils import escape

from gateway.messagelog.model import MessageLogSettings, RecordedBody, Side, parse_subsystems
from gateway.xroad.digests import Digest, DigestAlgorithm
from gateway.xroad.identifiers import ClientId, SecurityServerId, ServiceId
from gateway.xroad.mime import Headers
from gateway.xroad.rest.headers import serialise_headers
from gateway.xroad.rest.message import RestRequest, RestResponse
from gateway.xroad.signature.signed_message import MESSAGE_PART, Message, attachment_part
from gateway.xroad.soap.headers import REQUEST_HASH_ALGORITHM, SoapHeaders
from gateway.xroad.soap.message import SoapMessage
from gateway.xroad.xml import NS_IDENTIFIERS, NS_REPRESENTATION, NS_SOAP11, NS_XROAD

_XROAD_HEADER: Final = "x-road-"


class BodyLogging:
    """Whose bodies are kept, by the settings of this server."""

    def __init__(self, settings: MessageLogSettings) -> None:
        self._default = settings.message_body_logging
        local = settings.disabled_body_logging_local_producer_subsystems
        remote = settings.disabled_body_logging_remote_producer_subsystems
        if not self._default:
            local = settings.enabled_body_logging_local_producer_subsystems
            remote = settings.enabled_body_logging_remote_producer_subsystems
        self._exceptions: dict[Side, frozenset[ClientId]] = {
            Side.PROVIDER: parse_subsystems(local),
            Side.CONSUMER: parse_subsystems(remote),
        }

    def keeps(self, side: Side, provider: ClientId) -> bool:
        """Tell whether the bodies of this provider's messages are kept, asked and answered."""
        return (provider in self._exceptions[side]) is not self._default


def without_body(message: Message) -> bytes:
    """Return what is kept of a message whose body is not."""
    if isinstance(message, SoapMessage):
        return _empty_envelope(message)
    if isinstance(message, RestRequest):
        path = message.target.partition("?")[0]
        lines = (message.method, path[: len(path) - len(message.service_path)])
    else:
        lines = (str(message.status), message.reason)
    return "".join(f"{line}\r\n" for line in lines).encode() + serialise_headers(_xroad_only(message))


def known_digests(message_digest: bytes, bodies: Iterable[RecordedBody], *, is_whole: bool) -> dict[str, Digest]:
    """Return the digests of the signed parts that a record does not keep, by their names in the signature.

    With them a container of such a record is verified, see `xroad.asic.verify`.
    """
    known = {} if is_whole else {MESSAGE_PART: Digest(DigestAlgorithm.SHA512, message_digest)}
    for body in bodies:
        if body.location is None:
            known[attachment_part(body.number)] = Digest(DigestAlgorithm.SHA512, body.digest)
    return known


def _xroad_only(message: RestRequest | RestResponse) -> Headers:
    return tuple(header for header in message.headers if header[0].lower().startswith(_XROAD_HEADER))


# SOAP


def _empty_envelope(message: SoapMessage) -> bytes:
    headers = message.headers
    name = headers.service.service_code + ("Response" if message.is_response else "")
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><SOAP-ENV:Envelope xmlns:SOAP-ENV="{NS_SOAP11}"'
        f' xmlns:id="{NS_IDENTIFIERS}" xmlns:xroad="{NS_XROAD}">'
        f'<SOAP-ENV:Header xmlns:ns4="{NS_REPRESENTATION}">{_header_elements(headers)}</SOAP-ENV:Header>'
        f"<SOAP-ENV:Body><xroad:{name}/></SOAP-ENV:Body></SOAP-ENV:Envelope>"
    ).encode()


def _header_elements(headers: SoapHeaders) -> str:
    """Return the fields in the order in which the reference marshals them; it knows no security token."""
    client, service, server = headers.client, headers.service, headers.security_server
    pieces = [
        _identifier("xroad:client", client.object_type, _client_parts(client)),
        _identifier("xroad:service", "SERVICE", _service_parts(service)),
        "" if server is None else _identifier("xroad:securityServer", "SERVER", _server_parts(server)),
        _optional("xroad:userId", headers.user_id),
    ]
    party = headers.represented_party
    if party is not None:
        inner = _optional("ns4:partyClass", party.party_class) + _optional("ns4:partyCode", party.party_code)
        pieces.append(f"<ns4:representedParty>{inner}</ns4:representedParty>")
    pieces += [_optional("xroad:issue", headers.issue), _element("xroad:id", headers.id)]
    if headers.request_hash is not None:
        value = _escape(headers.request_hash)
        pieces.append(f'<xroad:requestHash algorithmId="{REQUEST_HASH_ALGORITHM}">{value}</xroad:requestHash>')
    pieces.append(_element("xroad:protocolVersion", headers.protocol_version))
    return "".join(pieces)


def _identifier(name: str, object_type: str, parts: str) -> str:
    return f'<{name} id:objectType="{object_type}">{parts}</{name}>'


def _client_parts(client: ClientId) -> str:
    names = ("xRoadInstance", "memberClass", "memberCode", "subsystemCode")
    return "".join(_element(f"id:{name}", part) for name, part in zip(names, client.parts, strict=False))


def _service_parts(service: ServiceId) -> str:
    code = _element("id:serviceCode", service.service_code)
    return _client_parts(service.provider) + code + _optional("id:serviceVersion", service.service_version)


def _server_parts(server: SecurityServerId) -> str:
    return _client_parts(server.owner) + _element("id:serverCode", server.server_code)


def _optional(name: str, text: str | None) -> str:
    return "" if text is None else _element(name, text)


def _element(name: str, text: str) -> str:
    return f"<{name}>{_escape(text)}</{name}>"


def _escape(text: str) -> str:
    return escape(text, {"\r": "&#13;"})
