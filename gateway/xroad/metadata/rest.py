"""listMethods, allowedMethods and getOpenAPI over REST (PR-MREST, X-Road RestMetadataServiceHandlerImpl.java)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from gateway.xroad.faults import MalformedMessage
from gateway.xroad.identifiers import ServiceId
from gateway.xroad.metadata.soap import ALLOWED_METHODS, LIST_METHODS

GET_OPENAPI: Final = "getOpenAPI"
REST_SERVICES: Final = frozenset({LIST_METHODS, ALLOWED_METHODS, GET_OPENAPI})
REST_METHOD: Final = "GET"  # with any other method these codes are services like others
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class ListedService:
    """A REST service in a list; `kind` is REST or OPENAPI, endpoints are method and path."""

    id: ServiceId
    kind: str
    endpoints: tuple[tuple[str, str], ...]


def build_service_list(services: Iterable[ListedService]) -> bytes:
    """Return the answer to listMethods or allowedMethods, in UTF-8."""
    answer = {"service": [_entry(service) for service in services]}
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _entry(service: ListedService) -> dict[str, Any]:
    provider = service.id.provider
    entry = {
        "object_type": service.id.object_type,
        "service_type": service.kind,
        "xroad_instance": provider.xroad_instance,
        "member_class": provider.member.member_class,
        "member_code": provider.member.member_code,
        "subsystem_code": provider.subsystem_code,
        "service_code": service.id.service_code,
        "endpoint_list": [{"method": method, "path": path} for method, path in service.endpoints],
    }
    return {name: value for name, value in entry.items() if value is not None}


def wanted_service_code(query: str | None) -> str:
    """Return the service code that a getOpenAPI request asks for; of several the last one counts.

    Raises MalformedMessage (invalid_request) when there is none.
    """
    found = ""
    for name, value in parse_qsl(query or "", keep_blank_values=True):
        if name.lower() == "servicecode":
            found = value
    if not found.strip():
        raise MalformedMessage("invalid_request", "metadata.service_code_missing")
    return found


def hide_server(url: str) -> str:
    """Return the address in an OpenAPI description as callers may see it: its path, unless it is a template.

    Raises MalformedMessage (internal_error) for an address that cannot be taken apart.
    """
    if "{" in url and "}" in url:
        return url
    try:
        return urlsplit(url).path
    except ValueError as cause:
        raise MalformedMessage("internal_error", "metadata.server_url", url=url[:200]) from cause
