"""Exception -> fault with origin -> sentence, once, at the edge of a proxy (X-Road ErrorCodes.java).

Code below says only what failed and whose bytes were read; here the origin is put in front:
`client` for what our information system sent, `server.clientproxy` or `server.serverproxy` for
everything else, with `service_failed` where the other side's bytes or doing were at fault. A peer's
fault passes untouched.
"""

from __future__ import annotations

import errno
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.runtime.http.problems import HttpProblem
from gateway.runtime.texts import render
from gateway.xroad.faults import Party, RemoteFault, ServiceFailed, Spelling, XRoadFault, spell

log = logging.getLogger(__name__)


_OF_A_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})


class Origin(StrEnum):
    """Which half of the gateway answers."""

    CONSUMER = "server.clientproxy"
    PROVIDER = "server.serverproxy"


@dataclass(frozen=True, slots=True)
class FaultStyle:
    """How faults are printed: spelling of codes and language of texts."""

    spelling: Spelling = Spelling.SNAKE_CASE
    language: str = "en"


@dataclass(frozen=True, slots=True)
class RenderedFault:
    """A fault ready for the wire; `remote` holds a peer's own bytes, which win over everything else.

    `fault` is what of ours was rendered; there is none beside a peer's.
    """

    code: str
    text: str
    detail: str
    remote: RemoteFault | None = None
    fault: XRoadFault | None = None


def render_fault(error: BaseException, origin: Origin, style: FaultStyle, request_id: str) -> RenderedFault:
    """Say on the wire what went wrong, and once in the log under the same detail."""
    if isinstance(error, RemoteFault):
        log.info("peer fault %s: %s", error.code, error.text)
        return RenderedFault(error.code, error.text, error.detail, error)
    detail = str(uuid.uuid4())
    if isinstance(error, OSError) and error.errno in _OF_A_DISK:  # bodies that wait to be proven stand on it
        error = ServiceFailed("io_error", "exchange.no_room", reason=error.strerror)
    elif isinstance(error, HttpProblem):  # of the connection that the request comes on: the caller hung up, or dawdled
        error = ServiceFailed("io_error", "exchange.request_broke_off", reason=error)
    if isinstance(error, XRoadFault):
        log.warning("fault %s detail=%s request=%s: %s", origin, detail, request_id, error)
        fault = error
    else:
        log.error("unexpected failure detail=%s request=%s", detail, request_id, exc_info=error)
        fault = ServiceFailed("internal_error", "exchange.internal_error", detail=detail)
    code = spell(_with_origin(fault, origin), style.spelling)
    text = render(fault.text_id, _readable(fault.facts, style.language), style.language)
    return RenderedFault(code, text, detail, fault=fault)


def _readable(facts: Mapping[str, object], language: str) -> dict[str, object]:
    """Return the facts; a cause of ours among them becomes its sentence, to stand inside another one."""
    return {
        name: render(fact.text_id, _readable(fact.facts, language), language).rstrip(".")
        if isinstance(fact, XRoadFault | HttpProblem)
        else fact
        for name, fact in facts.items()
    }


# What the reference looks for after it has read the other side's message, outside of reading it.
_AFTER_READING: Final = frozenset({"missing_rest", "missing_signature", "missing_soap"})


def _with_origin(fault: XRoadFault, origin: Origin) -> str:
    if fault.party is Party.CLIENT and origin is Origin.CONSUMER:
        return f"client.{fault.code}"
    grouped = fault.code.startswith("service_failed") or fault.code in _AFTER_READING
    if fault.party is Party.SERVICE and not grouped:
        return f"{origin}.service_failed.{fault.code}"
    return f"{origin}.{fault.code}"
