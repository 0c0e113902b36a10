"""Queries on this server's configuration; takes and returns model types inside the caller's transaction.

Every change moves the version in the one `serverconf` row: processes notice by it that their snapshot
is old.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from gateway.serverconf import tables as t
from gateway.serverconf.model import (
    BASE_METHOD,
    BASE_PATH,
    AccessRight,
    ClientStatus,
    ConnectionType,
    Endpoint,
    LocalClient,
    LocalGroup,
    ServerConf,
    ServiceDescription,
    ServiceKind,
    ServiceRecord,
    Subject,
    TimestampingService,
)
from gateway.xroad.identifiers import (
    ClientId,
    GlobalGroupId,
    LocalGroupId,
    MemberId,
    SecurityServerId,
    ServiceId,
    SubsystemId,
    client_of,
)

_SUBJECTS = {"GLOBALGROUP": GlobalGroupId, "LOCALGROUP": LocalGroupId}


def read_version(connection: Connection) -> int:
    """Return the change counter; 0 before the first change."""
    return connection.execute(select(t.server.c.version)).scalar() or 0


def _touch(connection: Connection) -> None:
    if connection.execute(update(t.server).values(version=t.server.c.version + 1)).rowcount == 0:
        connection.execute(insert(t.server).values(id=1, version=1))


def set_server(connection: Connection, server: SecurityServerId) -> None:
    """Say who this server is."""
    _touch(connection)
    connection.execute(
        update(t.server).values(
            owner_instance=server.owner.xroad_instance,
            owner_class=server.owner.member_class,
            owner_code=server.owner.member_code,
            server_code=server.server_code,
        )
    )


def find_server(connection: Connection) -> SecurityServerId | None:
    """Return who this server is, once it was initialised."""
    row = connection.execute(select(t.server)).first()
    if row is None or row.server_code is None:
        return None
    return SecurityServerId(MemberId(row.owner_instance, row.owner_class, row.owner_code), row.server_code)


def _client_id(row: Any) -> ClientId:
    member = MemberId(row.xroad_instance, row.member_class, row.member_code)
    return SubsystemId(member, row.subsystem_code) if row.subsystem_code else member


def _client_key(connection: Connection, client: ClientId) -> int | None:
    member = client.member
    return connection.execute(
        select(t.client.c.id).where(
            t.client.c.xroad_instance == member.xroad_instance,
            t.client.c.member_class == member.member_class,
            t.client.c.member_code == member.member_code,
            t.client.c.subsystem_code == (client.subsystem_code or ""),
        )
    ).scalar()


def add_client(
    connection: Connection, client: ClientId, *, status: ClientStatus, connection_type: ConnectionType
) -> None:
    """Add a client; an existing one raises the database's integrity error."""
    _touch(connection)
    connection.execute(
        insert(t.client).values(
            xroad_instance=client.member.xroad_instance,
            member_class=client.member.member_class,
            member_code=client.member.member_code,
            subsystem_code=client.subsystem_code or "",
            status=status.value,
            connection_type=connection_type.value,
        )
    )


def set_client_status(connection: Connection, client: ClientId, status: ClientStatus) -> None:
    """Move a client to another status."""
    _touch(connection)
    key = _client_key(connection, client)
    connection.execute(update(t.client).where(t.client.c.id == key).values(status=status.value))


def set_connection_type(connection: Connection, client: ClientId, connection_type: ConnectionType) -> None:
    """Say how a client's information systems must connect."""
    _touch(connection)
    key = _client_key(connection, client)
    connection.execute(update(t.client).where(t.client.c.id == key).values(connection_type=connection_type.value))


def delete_client(connection: Connection, client: ClientId) -> None:
    """Take a client out with everything it had here."""
    _touch(connection)
    connection.execute(delete(t.client).where(t.client.c.id == _client_key(connection, client)))


def add_tls_certificate(connection: Connection, client: ClientId, sha256: str, certificate_der: bytes) -> None:
    """Register a TLS certificate of a client's information system."""
    _touch(connection)
    connection.execute(
        insert(t.client_certificate).values(
            client_id=_client_key(connection, client), hash=sha256, data=certificate_der
        )
    )


def delete_tls_certificate(connection: Connection, client: ClientId, sha256: str) -> bool:
    """Take a TLS certificate out; False when it was not there."""
    _touch(connection)
    key = _client_key(connection, client)
    statement = delete(t.client_certificate).where(
        t.client_certificate.c.client_id == key, t.client_certificate.c.hash == sha256
    )
    return connection.execute(statement).rowcount > 0


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
    _touch(connection)
    result = connection.execute(
        insert(t.service_description)
        .values(
            client_id=_client_key(connection, client),
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
    _touch(connection)
    connection.execute(
        update(t.service_description).where(t.service_description.c.id == description_id).values(**values)
    )


def delete_description(connection: Connection, description_id: int) -> None:
    """Take a description out with its services; rights to codes that no other description has go too."""
    _touch(connection)
    owner = connection.execute(
        select(t.service_description.c.client_id).where(t.service_description.c.id == description_id)
    ).scalar()
    connection.execute(delete(t.service).where(t.service.c.description_id == description_id))
    connection.execute(delete(t.service_description).where(t.service_description.c.id == description_id))
    if owner is not None:
        _drop_orphan_endpoints(connection, owner)


def _drop_orphan_endpoints(connection: Connection, client_key: int) -> None:
    kept = (
        select(t.service.c.code)
        .join(t.service_description, t.service_description.c.id == t.service.c.description_id)
        .where(t.service_description.c.client_id == client_key)
    )
    orphans = select(t.endpoint.c.id).where(
        t.endpoint.c.client_id == client_key, t.endpoint.c.service_code.not_in(kept)
    )
    connection.execute(delete(t.access_right).where(t.access_right.c.endpoint_id.in_(orphans)))
    connection.execute(
        delete(t.endpoint).where(t.endpoint.c.client_id == client_key, t.endpoint.c.service_code.not_in(kept))
    )


def put_service(connection: Connection, description_id: int, record: ServiceRecord) -> None:
    """Add a service to a description, or change its address, timeout, TLS check and title."""
    _touch(connection)
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


def delete_service(connection: Connection, description_id: int, service: ServiceId) -> None:
    """Take one service out of a description."""
    _touch(connection)
    connection.execute(
        delete(t.service).where(
            t.service.c.description_id == description_id,
            t.service.c.code == service.service_code,
            t.service.c.version == (service.service_version or ""),
        )
    )
    key = _client_key(connection, service.provider)
    if key is not None:
        _drop_orphan_endpoints(connection, key)


def put_endpoint(
    connection: Connection, client: ClientId, service_code: str, method: str, path: str, *, generated: bool
) -> int:
    """Return the row id of an endpoint, adding it when it is new."""
    key = _client_key(connection, client)
    where = (
        t.endpoint.c.client_id == key,
        t.endpoint.c.service_code == service_code,
        t.endpoint.c.method == method,
        t.endpoint.c.path == path,
    )
    found = connection.execute(select(t.endpoint.c.id).where(*where)).scalar()
    if found is not None:
        return int(found)
    _touch(connection)
    row = insert(t.endpoint).values(
        client_id=key, service_code=service_code, method=method, path=path, generated=generated
    )
    return int(connection.execute(row.returning(t.endpoint.c.id)).scalar_one())


def rename_service(connection: Connection, description_id: int, service: ServiceId, code: str) -> None:
    """Give a service another code; its endpoints and their rights go with it."""
    _touch(connection)
    connection.execute(
        update(t.service)
        .where(t.service.c.description_id == description_id, t.service.c.code == service.service_code)
        .values(code=code)
    )
    key = _client_key(connection, service.provider)
    connection.execute(
        update(t.endpoint)
        .where(t.endpoint.c.client_id == key, t.endpoint.c.service_code == service.service_code)
        .values(service_code=code)
    )


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
    return _client_id(row), row.service_code, Endpoint(endpoint_id, row.method, row.path, row.generated)


def set_endpoint(connection: Connection, endpoint_id: int, method: str, path: str) -> None:
    """Change method and path of an endpoint; its rights stay."""
    _touch(connection)
    connection.execute(update(t.endpoint).where(t.endpoint.c.id == endpoint_id).values(method=method, path=path))


def delete_endpoint(connection: Connection, endpoint_id: int) -> None:
    """Take an endpoint out with its rights."""
    _touch(connection)
    connection.execute(delete(t.endpoint).where(t.endpoint.c.id == endpoint_id))


def list_endpoints(connection: Connection, client: ClientId, service_code: str) -> tuple[Endpoint, ...]:
    """Return the endpoints of a service code, the base endpoint among them."""
    rows = connection.execute(
        select(t.endpoint)
        .where(t.endpoint.c.client_id == _client_key(connection, client), t.endpoint.c.service_code == service_code)
        .order_by(t.endpoint.c.id)
    )
    return tuple(Endpoint(row.id, row.method, row.path, row.generated) for row in rows)


def _subject_columns(subject: Subject) -> dict[str, str]:
    return {"subject_type": subject.object_type, "subject": json.dumps(subject.parts, ensure_ascii=False)}


def _subject(kind: str, text: str) -> Subject:
    parts = json.loads(text)
    group = _SUBJECTS.get(kind)
    return group(*parts) if group is not None else client_of(parts)


def grant(connection: Connection, endpoint_id: int, subject: Subject, given_at_ms: int) -> bool:
    """Give a right; False when it was there already."""
    columns = _subject_columns(subject)
    where = [t.access_right.c.endpoint_id == endpoint_id, *(t.access_right.c[k] == v for k, v in columns.items())]
    if connection.execute(select(t.access_right.c.id).where(*where)).scalar() is not None:
        return False
    _touch(connection)
    connection.execute(insert(t.access_right).values(endpoint_id=endpoint_id, given_at_ms=given_at_ms, **columns))
    return True


def revoke(connection: Connection, endpoint_id: int, subject: Subject) -> bool:
    """Take a right back; False when it was not there."""
    _touch(connection)
    columns = _subject_columns(subject)
    where = [t.access_right.c.endpoint_id == endpoint_id, *(t.access_right.c[k] == v for k, v in columns.items())]
    return connection.execute(delete(t.access_right).where(*where)).rowcount > 0


def list_rights(connection: Connection, endpoint_ids: Iterable[int]) -> tuple[tuple[int, Subject, int], ...]:
    """Return endpoint id, subject and time of grant of every right to these endpoints."""
    rows = connection.execute(
        select(t.access_right).where(t.access_right.c.endpoint_id.in_(list(endpoint_ids))).order_by(t.access_right.c.id)
    )
    return tuple((row.endpoint_id, _subject(row.subject_type, row.subject), row.given_at_ms) for row in rows)


def set_timestamping_services(connection: Connection, services: Sequence[TimestampingService]) -> None:
    """Replace the chosen time-stamping authorities, in order of preference."""
    _touch(connection)
    connection.execute(delete(t.timestamping_service))
    for service in services:
        connection.execute(insert(t.timestamping_service).values(name=service.name, url=service.url))


def list_timestamping_services(connection: Connection) -> tuple[TimestampingService, ...]:
    """Return the chosen time-stamping authorities, in order of preference."""
    rows = connection.execute(select(t.timestamping_service).order_by(t.timestamping_service.c.id))
    return tuple(TimestampingService(row.name, row.url) for row in rows)


def list_descriptions(connection: Connection, client: ClientId | None = None) -> tuple[ServiceDescription, ...]:
    """Return the service descriptions of one client or of all, each with its services."""
    query = (
        select(t.service_description, t.client.c.xroad_instance, t.client.c.member_class, t.client.c.member_code,
               t.client.c.subsystem_code)
        .join(t.client, t.client.c.id == t.service_description.c.client_id)
        .order_by(t.service_description.c.id)
    )  # fmt: skip
    if client is not None:
        query = query.where(t.service_description.c.client_id == _client_key(connection, client))
    services = defaultdict(list)
    for row in connection.execute(select(t.service).order_by(t.service.c.id)):
        services[row.description_id].append(row)
    return tuple(_description(row, services[row.id]) for row in connection.execute(query).all())


def _description(row: Row[Any], services: Iterable[Row[Any]]) -> ServiceDescription:
    owner = _client_id(row)
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


def list_clients(connection: Connection) -> tuple[LocalClient, ...]:
    """Return every client of this server with its TLS certificates."""
    certificates = defaultdict(set)
    for row in connection.execute(select(t.client_certificate)):
        certificates[row.client_id].add(bytes(row.data))
    return tuple(
        LocalClient(
            _client_id(row),
            ClientStatus(row.status),
            ConnectionType(row.connection_type),
            frozenset(certificates[row.id]),
        )
        for row in connection.execute(select(t.client).order_by(t.client.c.id))
    )


def put_local_group(connection: Connection, client: ClientId, code: str, description: str, at_ms: int) -> int:
    """Add a local group and return its row id; an existing one raises the database's integrity error."""
    _touch(connection)
    row = insert(t.local_group).values(
        client_id=_client_key(connection, client), code=code, description=description, updated_at_ms=at_ms
    )
    return int(connection.execute(row.returning(t.local_group.c.id)).scalar_one())


def list_local_groups(connection: Connection, client: ClientId | None = None) -> tuple[LocalGroup, ...]:
    """Return the local groups of one client or of all, each with its members."""
    members: dict[int, list[tuple[int, ClientId, int]]] = defaultdict(list)
    for row in connection.execute(select(t.local_group_member).order_by(t.local_group_member.c.id)):
        members[row.group_id].append((row.id, client_of(json.loads(row.member)), row.added_at_ms))
    query = (
        select(t.local_group, t.client.c.xroad_instance, t.client.c.member_class, t.client.c.member_code,
               t.client.c.subsystem_code)
        .join(t.client, t.client.c.id == t.local_group.c.client_id)
        .order_by(t.local_group.c.id)
    )  # fmt: skip
    if client is not None:
        query = query.where(t.local_group.c.client_id == _client_key(connection, client))
    return tuple(
        LocalGroup(row.id, _client_id(row), row.code, row.description, row.updated_at_ms, tuple(members[row.id]))
        for row in connection.execute(query).all()
    )


def find_local_group(connection: Connection, group_id: int) -> LocalGroup | None:
    """Return one local group with its members."""
    return next((group for group in list_local_groups(connection) if group.id == group_id), None)


def set_local_group(connection: Connection, group_id: int, description: str, at_ms: int) -> None:
    """Describe a local group anew."""
    _touch(connection)
    connection.execute(
        update(t.local_group).where(t.local_group.c.id == group_id).values(description=description, updated_at_ms=at_ms)
    )


def delete_local_group(connection: Connection, group: LocalGroup) -> None:
    """Take a local group out with its members and with the rights that it had."""
    _touch(connection)
    endpoints = select(t.endpoint.c.id).where(t.endpoint.c.client_id == _client_key(connection, group.client))
    columns = _subject_columns(LocalGroupId(group.code))
    where = [t.access_right.c.endpoint_id.in_(endpoints), *(t.access_right.c[k] == v for k, v in columns.items())]
    connection.execute(delete(t.access_right).where(*where))
    connection.execute(delete(t.local_group).where(t.local_group.c.id == group.id))


def add_to_local_group(connection: Connection, group_id: int, members: Iterable[ClientId], at_ms: int) -> bool:
    """Put clients into a local group; False when one of them was in already, and nothing may be committed then."""
    for member in members:
        text = json.dumps(member.parts, ensure_ascii=False)
        where = t.local_group_member.c.group_id == group_id, t.local_group_member.c.member == text
        if connection.execute(select(t.local_group_member.c.id).where(*where)).scalar() is not None:
            return False
        connection.execute(insert(t.local_group_member).values(group_id=group_id, member=text, added_at_ms=at_ms))
    _local_group_changed(connection, group_id, at_ms)
    return True


def take_from_local_group(connection: Connection, group_id: int, members: Iterable[ClientId], at_ms: int) -> bool:
    """Take clients out of a local group; False when one of them was not in, and nothing may be committed then."""
    for member in members:
        text = json.dumps(member.parts, ensure_ascii=False)
        where = t.local_group_member.c.group_id == group_id, t.local_group_member.c.member == text
        if connection.execute(delete(t.local_group_member).where(*where)).rowcount == 0:
            return False
    _local_group_changed(connection, group_id, at_ms)
    return True


def _local_group_changed(connection: Connection, group_id: int, at_ms: int) -> None:
    _touch(connection)
    connection.execute(update(t.local_group).where(t.local_group.c.id == group_id).values(updated_at_ms=at_ms))


def read_snapshot(connection: Connection) -> ServerConf:
    """Read the whole configuration as one immutable snapshot."""
    descriptions = list_descriptions(connection)
    return ServerConf(
        version=read_version(connection),
        server=find_server(connection),
        clients={client.id: client for client in list_clients(connection)},
        services={record.id: record for d in descriptions for record in d.services},
        rights=_rights(connection),
        local_groups=_local_groups(connection),
        timestamping_services=list_timestamping_services(connection),
    )


def _rights(connection: Connection) -> dict[tuple[ClientId, str], tuple[AccessRight, ...]]:
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
        subject = _subject(row.subject_type, row.subject)
        rights[_client_id(row), row.service_code].append(
            AccessRight(subject, row.service_code, endpoint, row.given_at_ms)
        )
    return {key: tuple(values) for key, values in rights.items()}


def _local_groups(connection: Connection) -> dict[tuple[ClientId, str], frozenset[ClientId]]:
    groups: dict[tuple[ClientId, str], set[ClientId]] = defaultdict(set)
    query = (
        select(t.local_group.c.code, t.local_group_member.c.member, t.client.c.xroad_instance,
               t.client.c.member_class, t.client.c.member_code, t.client.c.subsystem_code)
        .join(t.local_group_member, t.local_group_member.c.group_id == t.local_group.c.id)
        .join(t.client, t.client.c.id == t.local_group.c.client_id)
    )  # fmt: skip
    for row in connection.execute(query):
        groups[_client_id(row), row.code].add(client_of(json.loads(row.member)))
    return {key: frozenset(members) for key, members in groups.items()}
