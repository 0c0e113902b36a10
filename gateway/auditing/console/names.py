"""Identifiers as people read them: decoded, able to break at each slash, with the name of the member."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

from gateway.auditing.ports import EvidenceSource
from gateway.xroad.faults import XRoadFault
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.identifiers import ClientId, client_of, decode_path

_MEMBER_PARTS: Final = 3
_CLIENT_PARTS: Final = 4


@dataclass(frozen=True, slots=True)
class Names:
    """Names by the newest configuration that the source knows; without one, identifiers stand alone."""

    globalconf: GlobalConf | None

    def member(self, identifier: str | None) -> str:
        """Return the name of the member that a client or service belongs to; empty when nobody knows it."""
        client = _client_in(identifier)
        if client is None or self.globalconf is None:
            return ""
        return self.globalconf.member_name(client) or ""

    @staticmethod
    def shown(identifier: str | None) -> Markup:
        """Return an identifier that a line may break behind each slash of."""
        return Markup("/<wbr>").join(escape(part) for part in _read(identifier or "").split("/"))

    @staticmethod
    def code(code: str) -> Markup:
        """Return a dotted code that a line may break behind each dot of, and that is copied as it is."""
        return Markup(".<wbr>").join(escape(segment) for segment in code.split("."))

    @staticmethod
    def short(service: str | None, provider: str | None) -> str:
        """Return code and version of a service, without its provider."""
        if not service:
            return ""
        return _read(service.removeprefix(f"{provider}/") if provider else service)


def names_of(source: EvidenceSource) -> Names:
    """Return the names that a source knows."""
    try:
        return Names(source.globalconf_at(None))
    except XRoadFault:
        return Names(None)


def _read(identifier: str) -> str:
    try:
        return "/".join(decode_path(identifier))
    except XRoadFault:  # what somebody claimed may be anything
        return identifier


def _client_in(identifier: str | None) -> ClientId | None:
    if not identifier:
        return None
    try:
        parts = decode_path(identifier)
        return client_of(parts[: _CLIENT_PARTS if len(parts) >= _CLIENT_PARTS else _MEMBER_PARTS])
    except XRoadFault:
        return None
