"""Optional parts: monitoring client, OCSP nextUpdate check, OCSP fetch interval (X-Road monitoring-conf.xsd).

Only an internal source carries them, and each may be absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.xroad.globalconf.elements import (
    CLIENT_ATTRIBUTES,
    Reader,
    client_element,
    element,
    new_document,
    open_document,
    read_client,
    serialise,
)
from gateway.xroad.identifiers import ClientId

MONITORING: Final = "MONITORING"
NEXT_UPDATE: Final = "NEXTUPDATE"
FETCH_INTERVAL: Final = "FETCHINTERVAL"
FILE_NAMES: Final = {
    MONITORING: "monitoring-params.xml",
    NEXT_UPDATE: "nextupdate-params.xml",
    FETCH_INTERVAL: "fetchinterval-params.xml",
}
DEFAULT_FETCH_INTERVAL_S: Final = 1200
_INT_MAX: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class OptionalParts:
    """What the optional parts say, with the defaults of their absence."""

    monitoring_client: ClientId | None = None
    verify_next_update: bool = True
    ocsp_fetch_interval_s: int = DEFAULT_FETCH_INTERVAL_S


def parse_monitoring(xml: bytes) -> ClientId | None:
    """Return the one client that may read every server's environmental and operational data."""
    conf = open_document(xml, "conf")
    outer = conf.child("monitoringClient")
    inner = outer.find("monitoringClientId", attributes=CLIENT_ATTRIBUTES)
    outer.end()
    conf.end()
    return None if inner is None else read_client(inner)


def parse_next_update(xml: bytes) -> bool:
    """Tell whether the nextUpdate of OCSP responses is checked."""
    return _only(xml, "verifyNextUpdate").boolean()


def parse_fetch_interval(xml: bytes) -> int:
    """Return the seconds between fetches of OCSP responses."""
    return _only(xml, "ocspFetchInterval").integer(minimum=1, maximum=_INT_MAX)


def build_monitoring(client: ClientId | None) -> bytes:
    """Write `monitoring-params.xml`."""
    conf = new_document("conf")
    outer = element(conf, "monitoringClient")
    if client is not None:
        client_element(outer, "monitoringClientId", client)
    return serialise(conf)


def build_next_update(verify: bool) -> bytes:
    """Write `nextupdate-params.xml`."""
    conf = new_document("conf")
    element(conf, "verifyNextUpdate", "true" if verify else "false")
    return serialise(conf)


def build_fetch_interval(seconds: int) -> bytes:
    """Write `fetchinterval-params.xml`."""
    conf = new_document("conf")
    element(conf, "ocspFetchInterval", str(seconds))
    return serialise(conf)


def _only(xml: bytes, name: str) -> Reader:
    conf = open_document(xml, "conf")
    child = conf.child(name)
    conf.end()
    return child
