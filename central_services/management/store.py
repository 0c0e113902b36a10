"""Queries over management requests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update

from central_services.management import tables as t
from central_services.management.model import ManagementRequest, NewRequest, Origin, RequestType, Status
from gateway.xroad.identifiers import ClientId, MemberId, SecurityServerId, SubsystemId


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _query() -> Select[*tuple[Any, ...]]:
    return (
        select(t.management_requests, t.request_processings.c.status)
        .outerjoin(t.request_processings, t.management_requests.c.processing_id == t.request_processings.c.id)
        .order_by(t.management_requests.c.id)
    )


def _client_of_row(row: Row[*tuple[Any, ...]]) -> ClientId | None:
    if row.client_member is None:
        return None
    member = MemberId(row.client_instance, row.client_class, row.client_member)
    return SubsystemId(member, row.client_subsystem) if row.client_subsystem else member


def _of_row(row: Row[*tuple[Any, ...]]) -> ManagementRequest:
    owner = MemberId(row.server_instance, row.server_class, row.server_member)
    return ManagementRequest(
        id=row.id,
        submitted=NewRequest(
            type=RequestType(row.type),
            origin=Origin(row.origin),
            server=SecurityServerId(owner, row.server_code),
            client=_client_of_row(row),
            address=row.address,
            certificate_der=row.certificate_der,
            subsystem_name=row.subsystem_name,
            message=row.message,
            comments=row.comments,
        ),
        status=None if row.status is None else Status(row.status),
        created_at=_utc(row.created_at),
        updated_at=_utc(row.updated_at),
    )


def requests(tx: Connection) -> tuple[ManagementRequest, ...]:
    """Return all requests, oldest first."""
    return tuple(map(_of_row, tx.execute(_query())))


def find_request(tx: Connection, request_id: int) -> ManagementRequest | None:
    """Return one request."""
    row = tx.execute(_query().where(t.management_requests.c.id == request_id)).one_or_none()
    return None if row is None else _of_row(row)


def find_like(tx: Connection, new: NewRequest, *statuses: Status) -> tuple[ManagementRequest, ...]:
    """Return requests of the same type about the same server and client or certificate, in these statuses.

    A certificate alone identifies its registration: two servers cannot both have it.
    """
    c = t.management_requests.c
    query = _query().where(
        c.type == new.type.value, t.request_processings.c.status.in_([status.value for status in statuses])
    )
    found = map(_of_row, tx.execute(query))
    if new.type is RequestType.AUTH_CERT_REGISTRATION:
        return tuple(item for item in found if item.submitted.certificate_der == new.certificate_der)
    return tuple(item for item in found if item.submitted.server == new.server and item.submitted.client == new.client)


def add_request(tx: Connection, new: NewRequest, at: datetime, processing_id: int | None) -> int:
    """Insert a request and return its number."""
    client = new.client
    values = {
        "processing_id": processing_id,
        "type": new.type.value,
        "origin": new.origin.value,
        "server_instance": new.server.owner.xroad_instance,
        "server_class": new.server.owner.member_class,
        "server_member": new.server.owner.member_code,
        "server_code": new.server.server_code,
        "client_instance": None if client is None else client.xroad_instance,
        "client_class": None if client is None else client.member.member_class,
        "client_member": None if client is None else client.member.member_code,
        "client_subsystem": None if client is None else client.subsystem_code,
        "address": new.address,
        "certificate_der": new.certificate_der,
        "subsystem_name": new.subsystem_name,
        "message": new.message,
        "comments": new.comments,
        "created_at": at,
        "updated_at": at,
    }
    result = tx.execute(insert(t.management_requests).values(**values))
    return int(result.inserted_primary_key[0])  # type: ignore[index]


def add_processing(tx: Connection, status: Status) -> int:
    """Start the life of a request that will be decided."""
    result = tx.execute(insert(t.request_processings).values(status=status.value))
    return int(result.inserted_primary_key[0])  # type: ignore[index]


def processing_of(tx: Connection, request_id: int) -> int | None:
    """Return the processing a request belongs to."""
    c = t.management_requests.c
    return tx.scalar(select(c.processing_id).where(c.id == request_id))


def set_status(tx: Connection, processing_id: int, status: Status, at: datetime) -> None:
    """Change the status of a processing, and so of both its halves."""
    table, c = t.management_requests, t.management_requests.c
    tx.execute(
        update(t.request_processings).where(t.request_processings.c.id == processing_id).values(status=status.value)
    )
    tx.execute(update(table).where(c.processing_id == processing_id).values(updated_at=at))
