"""What a REST request claims, in either dialect, as far as it can be read: for the log, when it became no message.

Nothing is refused here: what cannot be read is not known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from gateway.xroad.faults import MalformedMessage
from gateway.xroad.identifiers import ClientId, ServiceId, client_of, decode_path
from gateway.xroad.mime import Headers
from gateway.xroad.rest import headers as names
from gateway.xroad.rest import uxp
from gateway.xroad.rest.target import parse_target

T = TypeVar("T")


class Claims(NamedTuple):
    """Who asks for what under which id; None where nobody knows."""

    client: ClientId | None = None
    service: ServiceId | None = None
    query_id: str | None = None


def claims_of(target: str, headers: Headers) -> Claims:
    """Return what a request of an information system claims."""
    if uxp.is_uxp(target.partition("?")[0]):
        client, query_id = names.last_of(headers, uxp.CLIENT), _id_of_dialect(headers)
        service = _read(_service_from, names.last_of(headers, uxp.SERVICE) or "")
    else:
        client, query_id = names.last_of(headers, names.CLIENT), names.last_of(headers, names.ID)
        service = _read(lambda text: parse_target(text).service, target)
    return Claims(_read(names.client_from, client or ""), service, (query_id or "").strip(" \t") or None)


def _id_of_dialect(headers: Headers) -> str | None:
    return next((value for name in uxp.IDS if (value := names.last_of(headers, name))), None)


def _service_from(text: str) -> ServiceId:
    parts = decode_path(text.strip(" \t"))
    return ServiceId(client_of(parts[:4]), "".join(parts[4:5]))


def _read(reader: Callable[[str], T], text: str) -> T | None:
    try:
        return reader(text)
    except MalformedMessage:
        return None
