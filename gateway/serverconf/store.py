"""Queries on this server's own clients, and the snapshot of everything; model types inside the caller's transaction.

Every change moves the version in the one `serverconf` row: processes notice by it that their snapshot
is old. Services stand in `store_services`, local groups in `store_groups`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select, update

from gateway.serverconf import tables as t
from gateway.serverconf.model import ClientStatus, ConnectionType, LocalClient, ServerConf, TimestampingService
from gateway.serverconf.store_groups import read_local_groups
from gateway.serverconf.store_rows import client_id_of, client_key, read_version, touch
from gateway.serverconf.store_services import list_descriptions, read_endpoints, read_rights
from gateway.xroad.identifiers import ClientId, MemberId, SecurityServerId


def set_server(connection: Connection, server: SecurityServerId) -> None:
    """Say who this server is."""
    touch(connection)
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


def add_client(
    connection: Connection, client: ClientId, *, status: ClientStatus, connection_type: ConnectionType
) -> None:
    """Add a client; an existing one raises the database's integrity error."""
    touch(connection)
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
    touch(connection)
    key = client_key(connection, client)
    connection.execute(update(t.client).where(t.client.c.id == key).values(status=status.value))


def set_connection_type(connection: Connection, client: ClientId, connection_type: ConnectionType) -> None:
    """Say how a client's information systems must connect."""
    touch(connection)
    key = client_key(connection, client)
    connection.execute(update(t.client).where(t.client.c.id == key).values(connection_type=connection_type.value))


def delete_client(connection: Connection, client: ClientId) -> None:
    """Take a client out with everything it had here."""
    touch(connection)
    connection.execute(delete(t.client).where(t.client.c.id == client_key(connection, client)))


def list_clients(connection: Connection) -> tuple[LocalClient, ...]:
    """Return every client of this server with its TLS certificates."""
    certificates = defaultdict(set)
    for row in connection.execute(select(t.client_certificate)):
        certificates[row.client_id].add(bytes(row.data))
    return tuple(
        LocalClient(
            client_id_of(row),
            ClientStatus(row.status),
            ConnectionType(row.connection_type),
            frozenset(certificates[row.id]),
        )
        for row in connection.execute(select(t.client).order_by(t.client.c.id))
    )


def add_tls_certificate(connection: Connection, client: ClientId, sha256: str, certificate_der: bytes) -> None:
    """Register a TLS certificate of a client's information system."""
    touch(connection)
    connection.execute(
        insert(t.client_certificate).values(client_id=client_key(connection, client), hash=sha256, data=certificate_der)
    )


def delete_tls_certificate(connection: Connection, client: ClientId, sha256: str) -> bool:
    """Take a TLS certificate out; False when it was not there."""
    touch(connection)
    key = client_key(connection, client)
    statement = delete(t.client_certificate).where(
        t.client_certificate.c.client_id == key, t.client_certificate.c.hash == sha256
    )
    return connection.execute(statement).rowcount > 0


def set_timestamping_services(connection: Connection, services: Sequence[TimestampingService]) -> None:
    """Replace the chosen time-stamping authorities, in order of preference."""
    touch(connection)
    connection.execute(delete(t.timestamping_service))
    for service in services:
        connection.execute(insert(t.timestamping_service).values(name=service.name, url=service.url))


def list_timestamping_services(connection: Connection) -> tuple[TimestampingService, ...]:
    """Return the chosen time-stamping authorities, in order of preference."""
    rows = connection.execute(select(t.timestamping_service).order_by(t.timestamping_service.c.id))
    return tuple(TimestampingService(row.name, row.url) for row in rows)


def read_snapshot(connection: Connection) -> ServerConf:
    """Read the whole configuration as one immutable snapshot."""
    descriptions = list_descriptions(connection)
    return ServerConf(
        version=read_version(connection),
        server=find_server(connection),
        clients={client.id: client for client in list_clients(connection)},
        services={record.id: record for d in descriptions for record in d.services},
        description_urls={description.id: description.url for description in descriptions},
        endpoints=read_endpoints(connection),
        rights=read_rights(connection),
        local_groups=read_local_groups(connection),
        timestamping_services=list_timestamping_services(connection),
    )
