"""The access rule: who may call which endpoint of which service (X-Road ServerConfImpl.java, PathGlob.java).

Default deny. Rights are kept by service code, so one right covers all versions. A SOAP call has
neither method nor path and matches only the right to the whole service.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import Enum
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from gateway.serverconf.model import (
    BASE_METHOD,
    BASE_PATH,
    AccessRight,
    Endpoint,
    ServerConf,
    ServiceKind,
    ServiceRecord,
)
from gateway.xroad.faults import AccessRefused
from gateway.xroad.identifiers import ClientId, GlobalGroupId, LocalGroupId, ServiceId

# The escapes that stay: the slash inside a name, and the sign itself.
_ESCAPES: Final = re.compile(r"(%2[Ff]|%25)")

IsInGlobalGroup = Callable[[ClientId, GlobalGroupId], bool]


def decide(
    conf: ServerConf,
    client: ClientId,
    service: ServiceId,
    *,
    method: str | None,
    path: str | None,
    in_global_group: IsInGlobalGroup,
) -> ServiceRecord:
    """Return the service that `client` may call, or refuse in the reference's order.

    1. the service exists, else unknown_service
    2. it is of the kind that is asked for (REST calls bring a method), else service_type
    3. a right covers the client, method and decoded path, else access_denied
    4. its description is enabled, else service_disabled with the operator's notice
    """
    record = conf.services.get(service)
    if record is None:  # (1)
        raise AccessRefused("unknown_service", "access.unknown_service", service=service, server=conf.server)
    if (record.kind is ServiceKind.WSDL) != (method is None):  # (2)
        raise AccessRefused("service_type", "access.service_type", service=service, kind=record.kind.value)
    rights = conf.rights.get((service.provider, service.service_code), ())
    if not any(
        _covers(conf, right, client, service.provider, method, path, in_global_group) for right in rights
    ):  # (3)
        raise AccessRefused("access_denied", "access.denied", client=client, service=service)
    if record.disabled_notice is not None:  # (4)
        raise AccessRefused("service_disabled", "access.disabled", service=service, notice=record.disabled_notice)
    return record


def granted_endpoints(
    conf: ServerConf, client: ClientId, service: ServiceId, in_global_group: IsInGlobalGroup
) -> tuple[Endpoint, ...]:
    """Return the endpoint rules of a service that the rights of `client` name, itself or by a group."""
    return tuple(
        right.endpoint
        for right in conf.rights.get((service.provider, service.service_code), ())
        if _names(conf, right, client, service.provider, in_global_group)
    )


def _covers(
    conf: ServerConf,
    right: AccessRight,
    client: ClientId,
    provider: ClientId,
    method: str | None,
    path: str | None,
    in_global_group: IsInGlobalGroup,
) -> bool:
    return _names(conf, right, client, provider, in_global_group) and endpoint_matches(
        right.endpoint.method, right.endpoint.path, method, path
    )


def _names(
    conf: ServerConf, right: AccessRight, client: ClientId, provider: ClientId, in_global_group: IsInGlobalGroup
) -> bool:
    subject = right.subject
    if isinstance(subject, GlobalGroupId):
        return in_global_group(client, subject)
    if isinstance(subject, LocalGroupId):
        return client in conf.local_groups.get((provider, subject.group_code), frozenset())
    return subject == client


def endpoint_matches(rule_method: str, rule_path: str, method: str | None, path: str | None) -> bool:
    """Tell whether an endpoint rule covers a call; `path` is decoded, None for SOAP."""
    if method is None or path is None:
        return rule_method == BASE_METHOD and rule_path == BASE_PATH
    if rule_method not in (BASE_METHOD, method.upper()):
        return False
    return rule_path == BASE_PATH or _matches(_pieces(rule_path), path)


def rule_path(service_path: str) -> str:
    """Return the raw path of a call as rules see it: escapes decoded, except those of `/` and `%`.

    Spellings that RFC 3986 6.2.2 calls equivalent become one text, and `%2F` never becomes a `/`.
    """
    return "".join(
        piece.upper() if piece.upper() in ("%2F", "%25") else unquote(piece, errors="surrogateescape")
        for piece in _ESCAPES.split(service_path)
    )


class _Wildcard(Enum):
    SEGMENT = "*"  # any run without a slash
    ANYTHING = "**"


@lru_cache(maxsize=4096)
def _pieces(pattern: str) -> tuple[str | _Wildcard, ...]:
    table: dict[str, str | _Wildcard] = {"**": _Wildcard.ANYTHING, "*": _Wildcard.SEGMENT, r"\*": "*"}
    return tuple(table.get(piece, piece) for piece in re.findall(r"\\\*|\*\*|\*|[^*\\]+|\\", pattern))


def _matches(pieces: Sequence[str | _Wildcard], path: str) -> bool:
    """Hold a path against a glob rule, going back to the last wildcard only.

    That is enough, for an earlier one could take nothing that the last cannot; a regular expression
    would try them all, and let a caller keep us busy with a long path.
    """
    piece, at = 0, 0
    segment: tuple[int, int] | None = None  # the piece after the last `*`, and where it was tried
    anything: tuple[int, int] | None = None
    while piece < len(pieces) or at < len(path):
        current = pieces[piece] if piece < len(pieces) else None
        if current is _Wildcard.ANYTHING:
            piece, anything, segment = piece + 1, (piece + 1, at), None
        elif current is _Wildcard.SEGMENT:
            piece, segment = piece + 1, (piece + 1, at)
        elif isinstance(current, str) and path.startswith(current, at):
            piece, at = piece + 1, at + len(current)
        elif segment is not None and segment[1] < len(path) and path[segment[1]] != "/":
            piece, at = segment[0], segment[1] + 1
            segment = (piece, at)
        elif anything is not None and anything[1] < len(path):
            piece, at = anything[0], anything[1] + 1
            anything, segment = (piece, at), None
        else:
            return False
    return True
