"""What is kept of an exchange that was refused or failed: which check said no, what it measured, what was claimed.

Of what is written here nothing comes from a body, and everything is short, whatever the caller sent.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from gateway.exchange.faults import RenderedFault
from gateway.exchange.ports import MessageLog
from gateway.exchange.requests import Timeline
from gateway.messagelog.model import RefusalContent, Side
from gateway.runtime.http.problems import HttpProblem
from gateway.xroad.faults import (
    ConfigurationUnusable,
    LoggingUnavailable,
    RemoteFault,
    ServiceFailed,
    SigningUnavailable,
    Spelling,
    XRoadFault,
    spell,
)
from gateway.xroad.identifiers import ClientId, encode_path
from gateway.xroad.rest.claims import Claims
from gateway.xroad.soap.message import SoapMessage

log = logging.getLogger(__name__)

MAX_CLAIM: Final = 1000
MAX_FACT: Final = 500
MAX_FACTS: Final = 16
MAX_FACTS_CHARACTERS: Final = 8000
MAX_CAUSES: Final = 3

# Whose doing it was not: ours, our keys', our configuration's, or what stands behind us.
_FAILURES: Final = (ServiceFailed, LoggingUnavailable, SigningUnavailable, ConfigurationUnusable)
# X-Road ErrorCodes.java: with these in its code, a peer's fault is a rule's; every other one is a breakdown.
_RULES: Final = frozenset({
    "access_denied", "client_proxy_version_not_supported", "invalid_client_identifier", "invalid_security_server",
    "security_category", "security_server_not_found", "service_disabled", "service_type", "signature_verification",
    "ssl_authentication_failed", "unknown_member", "unknown_service",
})  # fmt: skip


class RefusedCall(NamedTuple):
    """A call that ends with a fault; `claims` is what is known of it where it never became a message."""

    side: Side
    request_id: str
    timeline: Timeline
    at_ms: int
    address: str | None = None
    claims: Claims = Claims()


async def record_refusal(message_log: MessageLog, fault: RenderedFault, call: RefusedCall) -> None:
    """Keep a refusal before it is answered; it is answered in any case."""
    try:
        await message_log.refuse(refusal_of(fault, call), by_the_log=isinstance(fault.fault, LoggingUnavailable))
    except Exception:
        log.exception("a refusal left no entry", extra={"request_id": call.request_id, "code": fault.code})


def refusal_of(fault: RenderedFault, call: RefusedCall) -> RefusalContent:
    """Return what is kept of a call that ends with `fault`."""
    message = call.timeline.message
    client, service, query_id = call.claims if message is None else claims_in(message)
    text_id, facts, is_failure = _reason(fault)
    return RefusalContent(
        time_ms=call.at_ms,
        until_ms=call.at_ms,
        times=1,
        side=call.side,
        is_failure=is_failure,
        fault_code=plain(spell(fault.code, Spelling.SNAKE_CASE)),
        text_id=text_id,
        facts=_as_json(facts),
        address=None if call.address is None else plain(call.address),
        x_request_id=plain(call.request_id),
        query_id=None if query_id is None else plain(query_id),
        client=_url_form(client),
        provider=None if service is None else _url_form(service.provider),
        service_code=None if service is None else plain(service.service_code),
        service_version=None if service is None or service.service_version is None else plain(service.service_version),
        message_digest=None if message is None else message.digest.value,
    )


def claims_in(message: Any) -> Claims:
    """Return who asks for what in a message that was read."""
    said = message.headers if isinstance(message, SoapMessage) else message
    return Claims(said.client, said.service, said.id)


def address_of(host: str | None, certificate_der: bytes | None) -> str | None:
    """Return where a caller is: host, and the SHA-256 of the certificate that it showed."""
    if certificate_der is None:
        return host
    return f"{host or '-'} certificate {hashlib.sha256(certificate_der).hexdigest()}"


def plain(text: str, limit: int = MAX_CLAIM) -> str:
    """Return a text that every database takes: of bounded length, without half characters and zeros."""
    whole = text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    return whole if len(whole) <= limit else whole[: limit - 1] + "…"


def _reason(fault: RenderedFault) -> tuple[str, dict[str, object], bool]:
    """Return which sentence says why, with its facts, and whether something was broken."""
    if fault.remote is not None:
        return _remote_reason(fault.remote)
    assert fault.fault is not None
    return fault.fault.text_id, {**fault.fault.facts, "detail": fault.detail}, isinstance(fault.fault, _FAILURES)


def _remote_reason(remote: RemoteFault) -> tuple[str, dict[str, object], bool]:
    """Return the same for a fault of somebody else: of the other security server, or of the service behind it."""
    segments = spell(remote.code, Spelling.SNAKE_CASE).split(".")
    facts: dict[str, object] = {"code": remote.code, "text": remote.text, "sha512": _sha512(remote.raw)}
    if len(remote.detail) <= MAX_FACT and not remote.detail.strip().count(" "):
        facts["detail"] = remote.detail.strip()
    if segments[:2] != ["server", "serverproxy"]:
        return "exchange.fault_of_service", facts, True
    return "exchange.fault_of_server", facts, _RULES.isdisjoint(segments)


def _sha512(data: bytes) -> str:
    return hashlib.sha512(data).hexdigest()


def _url_form(identifier: ClientId | None) -> str | None:
    """Return the URL form; one that is longer than any identifier in use is no identifier."""
    if identifier is None or sum(map(len, identifier.parts)) > MAX_CLAIM:
        return None
    return encode_path(identifier)


_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _as_json(facts: Mapping[str, object]) -> str:
    written = _encode(_as_texts(facts, MAX_CAUSES))
    return written if len(written) <= MAX_FACTS_CHARACTERS else _encode(_as_texts(facts, 0))


def _as_texts(facts: Mapping[str, object], depth: int) -> dict[str, object]:
    """Return facts as texts; a cause among them keeps its own text id and facts, so that it can be said later."""
    return {plain(name, 60): _as_text(value, depth) for name, value in list(facts.items())[:MAX_FACTS]}


def _as_text(value: object, depth: int) -> object:
    if isinstance(value, XRoadFault | HttpProblem) and depth:
        return {"text_id": value.text_id, "facts": _as_texts(value.facts, depth - 1)}
    try:
        return plain(str(value), MAX_FACT)
    except Exception:  # a fact that cannot be printed must not hide the others
        return f"<{type(value).__name__}>"
