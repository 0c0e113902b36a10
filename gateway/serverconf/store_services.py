"""Queries on service descriptions, services, endpoints and the rights to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from gateway.serverconf import tables as t
from gateway.serverconf.model import (
    BASE_METHOD,
    BASE_PATH,
    AccessRight,
    Endpoint,
    ServiceDescription,
    ServiceKind,
    ServiceRecord,
    Subject,
)
from gateway.serverconf.store_rows import client_id_of, client_key, subject_columns, subject_of, touch
from gateway.xroad.identifiers import ClientId, ServiceId


def add_description(
    connection: Connection,
    client: ClientId,
    *,
    url: str,
    kind: ServiceKind,
    disabled_notice: str | None,
    refreshed_at_ms: int,
) -> int:
    """Add a service description and return its row id; a notice makes it disabled."""
    touch(connection)
    result = connection.execute(
        insert(t.service_description)
        .values(
            client_id=client_key(connection, client),
            url=url,
            kind=kind.value,
            disabled=disabled_notice is not None,
            disabled_notice=disabled_notice,
            refreshed_at_ms=refreshed_at_ms,
        )
        .returning(t.service_description.c.id)
    )
    return int(result.scalar_one())


def set_description(connection: Connection, description_id: int, **values: Any) -> None:
    """Change columns of a description: url, disabled, disabled_notice, refreshed_at_ms."""
    touch(connection)
    connection.execute(
        update(t.service_description).where(t.service_description.c.id == description_id).values(**values)
    )


def delete_description(connection: Connection, description_id: int) -> None:
    """Take a description out with its services; rights to codes that no other description has go too."""
    touch(connection)
    owner = connection.execute(
        select(t.service_description.c.client_id).where(t.service_description.c.id == description_id)
    ).scalar()
    connection.execute(delete(t.service).where(t.service.c.description_id == description_id))
    connection.execute(delete(t.service_description).where(t.service_description.c.id == description_id))
    if owner is not None:
        _drop_orphan_endpoints(connection, owner)


def _drop_orphan_endpoints(connection: Connection, owner: int) -> None:
    kept = (
        select(t.service.c.code)
        .join(t.service_description, t.service_description.c.id == t.service.c.description_id)
        .where(t.service_description.c.client_id == owner)
    )
    orphans = select(t.endpoint.c.id).where(t.endpoint.c.client_id == owner, t.endpoint.c.service_code.not_in(kept))
    connection.execute(delete(t.access_right).where(t.access_right.c.endpoint_id.in_(orphans)))
    connection.execute(
        delete(t.endpoint).where(t.endpoint.c.client_id == owner, t.endpoint.c.service_code.not_in(kept))
    )


def list_descriptions(connection: Connection, client: ClientId | None = None) -> tuple[ServiceDescription, ...]:
    """Return the service descriptions of one client or of all, each with its services."""
    query = (
        select(t.service_description, t.client.c.xroad_instance, t.client.c.member_class, t.client.c.member_code,
               t.client.c.subsystem_code)
        .join(t.client, t.client.c.id == t.service_description.c.client_id)
        .order_by(t.service_description.c.id)
    )  # fmt: skip
    if client is not None:
        query = query.where(t.service_description.c.client_id == client_key(connection, client))
    services = defaultdict(list)
    for row in connection.execute(select(t.service).order_by(t.service.c.id)):
        services[row.description_id].append(row)
    return tuple(_description(row, services[row.id]) for row in connection.execute(query).all())


def _description(row: Row[Any], services: Iterable[Row[Any]]) -> ServiceDescription:
    owner = client_id_of(row)
    kind = ServiceKind(row.kind)
    notice = (row.disabled_notice or "") if row.disabled else None
    records = tuple(
        ServiceRecord(
            id=ServiceId(owner, s.code, s.version or None),
            kind=kind,
            url=s.url,
            timeout_s=s.timeout_s,
            verify_tls=s.verify_tls,
            description_id=row.id,
            title=s.title,
            disabled_notice=notice,
        )
        for s in services
    )
    return ServiceDescription(
        row.id, owner, row.url, kind, row.disabled, row.disabled_notice, row.refreshed_at_ms, records
    )


def find_description(connection: Connection, description_id: int) -> ServiceDescription | None:
    """Return one service description with its services."""
    return next((d for d in list_descriptions(connection) if d.id == description_id), None)


def put_service(connection: Connection, description_id: int, record: ServiceRecord) -> None:
    """Add a service to a description, or change its address, timeout, TLS check and title."""
    touch(connection)
    where = (
        t.service.c.description_id == description_id,
        t.service.c.code == record.id.service_code,
        t.service.c.version == (record.id.service_version or ""),
    )
    values = {
        "title": record.title,
        "url": record.url,
        "timeout_s": record.timeout_s,
        "verify_tls": record.verify_tls,
    }
    if connection.execute(update(t.service).where(*where).values(**values)).rowcount == 0:
        connection.execute(
            insert(t.service).values(
                description_id=description_id,
                code=record.id.service_code,
                version=record.id.service_version or "",
                **values,
            )
        )
    put_endpoint(connection, record.id.provider, record.id.service_code, BASE_METHOD, BASE_PATH, generated=True)


def rename_service(connection: Connection, description_id: int, service: ServiceId, code: str) -> None:
    """Give a service another code; its endpoints and their rights go with it."""
    touch(connection)
    connection.execute(
        update(t.service)
        .where(t.service.c.description_id == description_id, t.service.c.code == service.service_code)
        .values(code=code)
    )
    key = client_key(connection, service.provider)
    connection.execute(
        update(t.endpoint)
        .where(t.endpoint.c.client_id == key, t.endpoint.c.service_code == service.service_code)
        .values(service_code=code)
    )


def delete_service(connection: Connection, description_id: int, service: ServiceId) -> None:
    """Take one service out of a description."""
    touch(connection)
    connection.execute(
        delete(t.service).where(
            t.service.c.description_id == description_id,
            t.service.c.code == service.service_code,
            t.service.c.version == (service.service_version or ""),
        )
    )
    key = client_key(connection, service.provider)
    if key is not None:
        _drop_orphan_endpoints(connection, key)


def put_endpoint(
    connection: Connection, client: ClientId, service_code: str, method: str, path: str, *, generated: bool
) -> int:
    """Return the row id of an endpoint, adding it when it is new."""
    key = client_key(connection, client)
    where = (
        t.endpoint.c.client_id == key,
        t.endpoint.c.service_code == service_code,
        t.endpoint.c.method == method,
        t.endpoint.c.path == path,
    )
    found = connection.execute(select(t.endpoint.c.id).where(*where)).scalar()
    if found is not None:
        return int(found)
    touch(connection)
    row = insert(t.endpoint).values(
        client_id=key, service_code=service_code, method=method, path=path, generated=generated
    )
    return int(connection.execute(row.returning(t.endpoint.c.id)).scalar_one())


def drop_generated_endpoints(
    connection: Connection, client: ClientId, service_code: str, kept: Iterable[tuple[str, str]]
) -> None:
    """Take out the endpoints that a description no longer names, with their rights; the base endpoint stays."""
    names = {*kept, (BASE_METHOD, BASE_PATH)}
    for endpoint in list_endpoints(connection, client, service_code):
        if endpoint.generated and (endpoint.method, endpoint.path) not in names:
            delete_endpoint(connection, endpoint.id)


def find_endpoint(connection: Connection, endpoint_id: int) -> tuple[ClientId, str, Endpoint] | None:
    """Return whose endpoint it is, the service code and the endpoint itself."""
    row = connection.execute(
        select(t.endpoint, t.client)
        .join(t.client, t.client.c.id == t.endpoint.c.client_id)
        .where(t.endpoint.c.id == endpoint_id)
    ).first()
    if row is None:
        return None
    return client_id_of(row), row.service_code, Endpoint(endpoint_id, row.method, row.path, row.generated)


def set_endpoint(connection: Connection, endpoint_id: int, method: str, path: str) -> None:
    """Change method and path of an endpoint; its rights stay."""
    touch(connection)
    connection.execute(update(t.endpoint).where(t.endpoint.c.id == endpoint_id).values(method=method, path=path))


def delete_endpoint(connection: Connection, endpoint_id: int) -> None:
    """Take an endpoint out with its rights."""
    touch(connection)
    connection.execute(delete(t.endpoint).where(t.endpoint.c.id == endpoint_id))


def list_endpoints(connection: Connection, client: ClientId, service_code: str) -> tuple[Endpoint, ...]:
    """Return the endpoints of a service code, the base endpoint among them."""
    rows = connection.execute(
        select(t.endpoint)
        .where(t.endpoint.c.client_id == client_key(connection, client), t.endpoint.c.service_code == service_code)
        .order_by(t.endpoint.c.id)
    )
    return tuple(Endpoint(row.id, row.method, row.path, row.generated) for row in rows)


def read_endpoints(connection: Connection) -> dict[tuple[ClientId, str], tuple[Endpoint, ...]]:
    """Return every endpoint by provider and service code, the base endpoints among them."""
    endpoints: dict[tuple[ClientId, str], list[Endpoint]] = defaultdict(list)
    query = (
        select(t.endpoint, t.client.c.xroad_instance, t.client.c.member_class, t.client.c.member_code,
               t.client.c.subsystem_code)
        .join(t.client, t.client.c.id == t.endpoint.c.client_id)
        .order_by(t.endpoint.c.id)
    )  # fmt: skip
    for row in connection.execute(query):
        endpoints[client_id_of(row), row.service_code].append(Endpoint(row.id, row.method, row.path, row.generated))
    return {key: tuple(values) for key, values in endpoints.items()}


def grant(connection: Connection, endpoint_id: int, subject: Subject, given_at_ms: int) -> bool:
    """Give a right; False when it was there already."""
    columns = subject_columns(subject)
    where = [t.access_right.c.endpoint_id == endpoint_id, *(t.access_right.c[k] == v for k, v in columns.items())]
    if connection.execute(select(t.access_right.c.id).where(*where)).scalar() is not None:
        return False
    touch(connection)
    connection.execute(insert(t.access_right).values(endpoint_id=endpoint_id, given_at_ms=given_at_ms, **columns))
    return True


def revoke(connection: Connection, endpoint_id: int, subject: Subject) -> bool:
    """Take a right back; False when it was not there."""
    touch(connection)
    columns = subject_columns(subject)
    where = [t.access_right.c.endpoint_id == endpoint_id, *(t.access_right.c[k] == v for k, v in columns.items())]
    return connection.execute(delete(t.access_right).where(*where)).rowcount > 0


def list_rights(connection: Connection, endpoint_ids: Iterable[int]) -> tuple[tuple[int, Subject, int], ...]:
    """Return endpoint id, subject and time of grant of every right to these endpoints."""
    rows = connection.execute(
        select(t.access_right).where(t.access_right.c.endpoint_id.in_(list(endpoint_ids))).order_by(t.access_right.c.id)
    )
    return tuple((row.endpoint_id, subject_of(row.subject_type, row.subject), row.given_at_ms) for row in rows)


def read_rights(connection: Connection) -> dict[tuple[ClientId, str], tuple[AccessRight, ...]]:
    """Return every right by provider and service code."""
    rights: dict[tuple[ClientId, str], list[AccessRight]] = defaultdict(list)
    query = (
        select(t.access_right, t.endpoint.c.service_code, t.endpoint.c.method, t.endpoint.c.path,
               t.endpoint.c.generated, t.client.c.xroad_instance, t.client.c.member_class, t.client.c.member_code,
               t.client.c.subsystem_code)
        .join(t.endpoint, t.endpoint.c.id == t.access_right.c.endpoint_id)
        .join(t.client, t.client.c.id == t.endpoint.c.client_id)
    )  # fmt: skip
    for row in connection.execute(query):
        endpoint = Endpoint(row.endpoint_id, row.method, row.path, row.generated)
        subject = subject_of(row.subject_type, row.subject)
        rights[client_id_of(row), row.service_code].append(
            AccessRight(subject, row.service_code, endpoint, row.given_at_ms)
        )
    return {key: tuple(values) for key, values in rights.items()}
