"""Identifiers in paths and bodies of the admin API: parts joined with `:`, each URL-encoded (X-Road converters)."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.runtime.admin_api import api_time, decode_id, encode_id
from gateway.xroad.identifiers import ClientId, SecurityServerId, ServiceId, client_of

# A service code may itself hold dots, so the version is what stands after the last one: see `parse_service`.
_SEPARATOR = "."
_ROW_ID_DIGITS = 9  # what every database can compare with its key


def client_id(text: str) -> ClientId:
    """Read `INST:CLASS:CODE[:SUB]`."""
    return client_of(decode_id(text, 3, 4))


def show_client_id(client: ClientId) -> str:
    """Write `INST:CLASS:CODE[:SUB]`."""
    return encode_id(client.parts)


def show_server_id(server: SecurityServerId) -> str:
    """Write `INST:CLASS:CODE:SERVER`."""
    return encode_id(server.parts)


def full_code(service: ServiceId) -> str:
    """Write `code` or `code.version`."""
    return service.service_code + ("" if service.service_version is None else f"{_SEPARATOR}{service.service_version}")


def show_service_id(service: ServiceId) -> str:
    """Write `INST:CLASS:CODE:SUB:code.version`."""
    return encode_id((*service.provider.parts, full_code(service)))


def parse_service(text: str, known: frozenset[ServiceId]) -> ServiceId:
    """Return the known service that an encoded id names (404 is the caller's)."""
    parts = decode_id(text, 4, 5)
    provider = client_of(parts[:-1])
    for service in known:
        if service.provider == provider and full_code(service) == parts[-1]:
            return service
    code, _, version = parts[-1].partition(_SEPARATOR)
    return ServiceId(provider, code, version or None)


def row_id(text: str) -> int | None:
    """Read the number of a database row; None for anything that no database would give out."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _ROW_ID_DIGITS else None


def show_ms(at_ms: int) -> str:
    """Write epoch milliseconds as the API writes a time."""
    return api_time(datetime.fromtimestamp(at_ms / 1000, UTC))
