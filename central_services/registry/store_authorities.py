"""Queries over approved certification and time-stamping authorities."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from central_services.registry import tables as t
from central_services.registry.model import (
    CaSettings,
    CertificationService,
    CostType,
    CsrFormat,
    IntermediateCa,
    OcspResponder,
    TimestampingService,
)


def _settings_values(settings: CaSettings) -> dict[str, object]:
    return {
        "profile": settings.profile,
        "authentication_only": settings.authentication_only,
        "default_csr_format": settings.default_csr_format.value,
        "acme_directory_url": settings.acme_directory_url,
        "acme_ip_address": settings.acme_ip_address,
        "acme_auth_profile_id": settings.acme_auth_profile_id,
        "acme_sign_profile_id": settings.acme_sign_profile_id,
    }


def _settings_of_row(row: Row[*tuple[Any, ...]]) -> CaSettings:
    return CaSettings(
        profile=row.profile,
        authentication_only=row.authentication_only,
        default_csr_format=CsrFormat(row.default_csr_format),
        acme_directory_url=row.acme_directory_url,
        acme_ip_address=row.acme_ip_address,
        acme_auth_profile_id=row.acme_auth_profile_id,
        acme_sign_profile_id=row.acme_sign_profile_id,
    )


def _responder_of_row(row: Row[*tuple[Any, ...]]) -> OcspResponder:
    return OcspResponder(row.id, row.url, row.certificate_der, CostType(row.cost_type))


def certification_services(tx: Connection) -> tuple[CertificationService, ...]:
    """Return all approved certification authorities in the order they were added."""
    of_ca: dict[int, list[OcspResponder]] = defaultdict(list)
    of_intermediate: dict[int, list[OcspResponder]] = defaultdict(list)
    for row in tx.execute(select(t.ocsp_responders).order_by(t.ocsp_responders.c.id)):
        if row.intermediate_ca_id is None:
            of_ca[row.certification_service_id].append(_responder_of_row(row))
        else:
            of_intermediate[row.intermediate_ca_id].append(_responder_of_row(row))
    below: dict[int, list[IntermediateCa]] = defaultdict(list)
    for row in tx.execute(select(t.intermediate_cas).order_by(t.intermediate_cas.c.id)):
        below[row.certification_service_id].append(
            IntermediateCa(row.id, row.certification_service_id, row.certificate_der, tuple(of_intermediate[row.id]))
        )
    return tuple(
        CertificationService(
            row.id, row.name, row.certificate_der, _settings_of_row(row), tuple(of_ca[row.id]), tuple(below[row.id])
        )
        for row in tx.execute(select(t.certification_services).order_by(t.certification_services.c.id))
    )


def find_certification_service(tx: Connection, row_id: int) -> CertificationService | None:
    """Return one approved certification authority."""
    return next((item for item in certification_services(tx) if item.id == row_id), None)


def find_intermediate_ca(tx: Connection, row_id: int) -> IntermediateCa | None:
    """Return one intermediate authority."""
    return next((i for ca in certification_services(tx) for i in ca.intermediate_cas if i.id == row_id), None)


def find_ocsp_responder(tx: Connection, row_id: int) -> OcspResponder | None:
    """Return one OCSP responder."""
    row = tx.execute(select(t.ocsp_responders).where(t.ocsp_responders.c.id == row_id)).one_or_none()
    return None if row is None else _responder_of_row(row)


def add_certification_service(tx: Connection, name: str, certificate_der: bytes, settings: CaSettings) -> int:
    """Insert an approved authority and return its row."""
    values = {"name": name, "certificate_der": certificate_der, **_settings_values(settings)}
    return _added(tx.execute(insert(t.certification_services).values(**values)).inserted_primary_key)


def update_certification_service(tx: Connection, row_id: int, settings: CaSettings) -> None:
    """Change what is said about an approved authority."""
    table = t.certification_services
    tx.execute(update(table).where(table.c.id == row_id).values(**_settings_values(settings)))


def delete_certification_service(tx: Connection, row_id: int) -> None:
    """Remove an authority with everything below it."""
    tx.execute(delete(t.certification_services).where(t.certification_services.c.id == row_id))


def add_intermediate_ca(tx: Connection, certification_service_id: int, certificate_der: bytes) -> int:
    """Insert an intermediate authority and return its row."""
    values = {"certification_service_id": certification_service_id, "certificate_der": certificate_der}
    return _added(tx.execute(insert(t.intermediate_cas).values(**values)).inserted_primary_key)


def delete_intermediate_ca(tx: Connection, row_id: int) -> None:
    """Remove an intermediate authority."""
    tx.execute(delete(t.intermediate_cas).where(t.intermediate_cas.c.id == row_id))


def add_ocsp_responder(
    tx: Connection,
    url: str,
    certificate_der: bytes | None,
    cost_type: CostType,
    *,
    certification_service_id: int | None = None,
    intermediate_ca_id: int | None = None,
) -> int:
    """Insert a responder of one authority, top or intermediate, and return its row."""
    values = {
        "certification_service_id": certification_service_id,
        "intermediate_ca_id": intermediate_ca_id,
        "url": url,
        "certificate_der": certificate_der,
        "cost_type": cost_type.value,
    }
    return _added(tx.execute(insert(t.ocsp_responders).values(**values)).inserted_primary_key)


def update_ocsp_responder(tx: Connection, item: OcspResponder) -> None:
    """Change a responder."""
    values = {"url": item.url, "certificate_der": item.certificate_der, "cost_type": item.cost_type.value}
    tx.execute(update(t.ocsp_responders).where(t.ocsp_responders.c.id == item.id).values(**values))


def delete_ocsp_responder(tx: Connection, row_id: int) -> None:
    """Remove a responder."""
    tx.execute(delete(t.ocsp_responders).where(t.ocsp_responders.c.id == row_id))


def timestamping_services(tx: Connection) -> tuple[TimestampingService, ...]:
    """Return all approved time-stamping authorities in the order they were added."""
    rows = tx.execute(select(t.timestamping_services).order_by(t.timestamping_services.c.id))
    return tuple(
        TimestampingService(row.id, row.name, row.url, row.certificate_der, CostType(row.cost_type)) for row in rows
    )


def find_timestamping_service(tx: Connection, row_id: int) -> TimestampingService | None:
    """Return one time-stamping authority."""
    return next((item for item in timestamping_services(tx) if item.id == row_id), None)


def add_timestamping_service(tx: Connection, item: TimestampingService) -> int:
    """Insert an authority, whatever its `id` says, and return its row."""
    return _added(tx.execute(insert(t.timestamping_services).values(**_tsa_values(item))).inserted_primary_key)


def update_timestamping_service(tx: Connection, item: TimestampingService) -> None:
    """Change an authority."""
    table = t.timestamping_services
    tx.execute(update(table).where(table.c.id == item.id).values(**_tsa_values(item)))


def delete_timestamping_service(tx: Connection, row_id: int) -> None:
    """Remove an authority."""
    tx.execute(delete(t.timestamping_services).where(t.timestamping_services.c.id == row_id))


def _tsa_values(item: TimestampingService) -> dict[str, object]:
    return {
        "name": item.name,
        "url": item.url,
        "certificate_der": item.certificate_der,
        "cost_type": item.cost_type.value,
    }


def _added(primary_key: object) -> int:
    return int(primary_key[0])  # type: ignore[index]
