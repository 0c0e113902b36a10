"""Queries over security servers, their clients and authentication certificates."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, insert, or_, select, update

from central_services.registry import tables as t
from central_services.registry.model import AuthCertificate, Registration, SecurityServer
from central_services.registry.store import client_row, member_of_row, member_row_id, utc
from gateway.xroad.identifiers import ClientId, MemberId, SecurityServerId, SubsystemId


def server_row_id(tx: Connection, server: SecurityServerId) -> int | None:
    """Return the row of a security server."""
    c = t.security_servers.c
    return tx.scalar(
        select(c.id).where(c.owner_id == member_row_id(tx, server.owner), c.server_code == server.server_code)
    )


def _servers() -> Select[*tuple[Any, ...]]:
    return (
        select(
            t.security_servers,
            t.members.c.xroad_instance,
            t.members.c.member_class,
            t.members.c.member_code,
            t.members.c.name.label("owner_name"),
        )
        .join(t.members, t.security_servers.c.owner_id == t.members.c.id)
        .order_by(t.members.c.member_class, t.members.c.member_code, t.security_servers.c.server_code)
    )


def _server_of_row(row: Row[*tuple[Any, ...]]) -> SecurityServer:
    return SecurityServer(
        id=SecurityServerId(member_of_row(row), row.server_code),
        address=row.address,
        owner_name=row.owner_name,
        created_at=utc(row.created_at),
        updated_at=utc(row.updated_at),
        in_maintenance_mode=row.in_maintenance_mode,
        maintenance_mode_message=row.maintenance_mode_message,
    )


def servers(tx: Connection) -> tuple[SecurityServer, ...]:
    """Return all security servers."""
    return tuple(map(_server_of_row, tx.execute(_servers())))


def servers_owned_by(tx: Connection, member: MemberId) -> tuple[SecurityServer, ...]:
    """Return the security servers of one owner."""
    query = _servers().where(t.security_servers.c.owner_id == member_row_id(tx, member))
    return tuple(map(_server_of_row, tx.execute(query)))


def servers_used_by(tx: Connection, member: MemberId) -> tuple[SecurityServer, ...]:
    """Return the security servers on which a member or one of its subsystems is a client."""
    row_id = member_row_id(tx, member)
    mine = select(t.subsystems.c.id).where(t.subsystems.c.member_id == row_id)
    where = t.server_clients.c
    used = select(where.security_server_id).where(or_(where.member_id == row_id, where.subsystem_id.in_(mine)))
    return tuple(map(_server_of_row, tx.execute(_servers().where(t.security_servers.c.id.in_(used)))))


def find_server(tx: Connection, server: SecurityServerId) -> SecurityServer | None:
    """Return a security server by its identifier."""
    row = tx.execute(_servers().where(t.security_servers.c.id == server_row_id(tx, server))).one_or_none()
    return None if row is None else _server_of_row(row)


def add_server(tx: Connection, server: SecurityServerId, address: str, at: datetime) -> None:
    """Insert a security server of an owner that is there."""
    tx.execute(
        insert(t.security_servers).values(
            owner_id=member_row_id(tx, server.owner),
            server_code=server.server_code,
            address=address,
            in_maintenance_mode=False,
            created_at=at,
            updated_at=at,
        )
    )


def set_address(tx: Connection, server: SecurityServerId, address: str, at: datetime) -> None:
    """Change where other servers find this one."""
    _update(tx, server, address=address, updated_at=at)


def set_maintenance(tx: Connection, server: SecurityServerId, on: bool, message: str | None, at: datetime) -> None:
    """Put a server into maintenance mode or take it out."""
    _update(tx, server, in_maintenance_mode=on, maintenance_mode_message=message, updated_at=at)


def set_owner(tx: Connection, server: SecurityServerId, owner: MemberId, at: datetime) -> None:
    """Give a server another owner; its code stays."""
    _update(tx, server, owner_id=member_row_id(tx, owner), updated_at=at)


def _update(tx: Connection, server: SecurityServerId, **values: object) -> None:
    table = t.security_servers
    tx.execute(update(table).where(table.c.id == server_row_id(tx, server)).values(**values))


def delete_server(tx: Connection, server: SecurityServerId) -> None:
    """Remove a server with its certificates and registrations."""
    tx.execute(delete(t.security_servers).where(t.security_servers.c.id == server_row_id(tx, server)))


def _registrations() -> Select[*tuple[Any, ...]]:
    owner, member = t.members.alias("owner"), t.members.alias("member")
    return (
        select(
            t.server_clients.c.enabled,
            t.security_servers.c.server_code,
            owner.c.xroad_instance.label("owner_instance"),
            owner.c.member_class.label("owner_class"),
            owner.c.member_code.label("owner_code"),
            member.c.xroad_instance,
            member.c.member_class,
            member.c.member_code,
            t.subsystems.c.subsystem_code,
        )
        .select_from(t.server_clients)
        .join(t.security_servers, t.server_clients.c.security_server_id == t.security_servers.c.id)
        .join(owner, t.security_servers.c.owner_id == owner.c.id)
        .outerjoin(t.subsystems, t.server_clients.c.subsystem_id == t.subsystems.c.id)
        .join(
            member,
            or_(
                t.server_clients.c.member_id == member.c.id,
                and_(t.server_clients.c.member_id.is_(None), t.subsystems.c.member_id == member.c.id),
            ),
        )
        .order_by(t.server_clients.c.id)
    )


def _registration_of_row(row: Row[*tuple[Any, ...]]) -> Registration:
    member = member_of_row(row)
    client = SubsystemId(member, row.subsystem_code) if row.subsystem_code else member
    owner = MemberId(row.owner_instance, row.owner_class, row.owner_code)
    return Registration(SecurityServerId(owner, row.server_code), client, row.enabled)


def registrations(tx: Connection) -> tuple[Registration, ...]:
    """Return all registrations of clients on servers, in the order they were made."""
    return tuple(map(_registration_of_row, tx.execute(_registrations())))


def registrations_on(tx: Connection, server: SecurityServerId) -> tuple[Registration, ...]:
    """Return the registrations on one server."""
    where = t.server_clients.c.security_server_id == server_row_id(tx, server)
    return tuple(map(_registration_of_row, tx.execute(_registrations().where(where))))


def registrations_of(tx: Connection, client: ClientId) -> tuple[Registration, ...]:
    """Return where a client is registered."""
    row = client_row(tx, client)
    if row is None:
        return ()
    c = t.server_clients.c
    where = c.member_id == row.member_id if row.subsystem_id is None else c.subsystem_id == row.subsystem_id
    return tuple(map(_registration_of_row, tx.execute(_registrations().where(where))))


def find_registration(tx: Connection, server: SecurityServerId, client: ClientId) -> Registration | None:
    """Return the registration of a client on a server."""
    return next((r for r in registrations_of(tx, client) if r.server == server), None)


def add_registration(tx: Connection, server: SecurityServerId, client: ClientId) -> None:
    """Register a client that is there on a server that is there."""
    row = client_row(tx, client)
    assert row is not None
    tx.execute(
        insert(t.server_clients).values(
            security_server_id=server_row_id(tx, server),
            member_id=row.member_id,
            subsystem_id=row.subsystem_id,
            enabled=True,
        )
    )


def _one_registration(tx: Connection, server: SecurityServerId, client: ClientId) -> object:
    row = client_row(tx, client)
    assert row is not None
    c = t.server_clients.c
    mine = c.member_id == row.member_id if row.subsystem_id is None else c.subsystem_id == row.subsystem_id
    return and_(c.security_server_id == server_row_id(tx, server), mine)


def set_enabled(tx: Connection, server: SecurityServerId, client: ClientId, enabled: bool) -> None:
    """Disable a registration for a while, or enable it again."""
    where = _one_registration(tx, server, client)
    tx.execute(update(t.server_clients).where(where).values(enabled=enabled))  # type: ignore[arg-type]


def delete_registration(tx: Connection, server: SecurityServerId, client: ClientId) -> None:
    """Remove a client from a server."""
    tx.execute(delete(t.server_clients).where(_one_registration(tx, server, client)))  # type: ignore[arg-type]


def _certificates() -> Select[*tuple[Any, ...]]:
    return (
        select(
            t.auth_certificates,
            t.security_servers.c.server_code,
            t.members.c.xroad_instance,
            t.members.c.member_class,
            t.members.c.member_code,
        )
        .join(t.security_servers, t.auth_certificates.c.security_server_id == t.security_servers.c.id)
        .join(t.members, t.security_servers.c.owner_id == t.members.c.id)
        .order_by(t.auth_certificates.c.id)
    )


def _certificate_of_row(row: Row[*tuple[Any, ...]]) -> AuthCertificate:
    return AuthCertificate(row.id, SecurityServerId(member_of_row(row), row.server_code), row.certificate_der)


def auth_certificates(tx: Connection, server: SecurityServerId | None = None) -> tuple[AuthCertificate, ...]:
    """Return all registered authentication certificates, or those of one server."""
    query = _certificates()
    if server is not None:
        query = query.where(t.auth_certificates.c.security_server_id == server_row_id(tx, server))
    return tuple(map(_certificate_of_row, tx.execute(query)))


def find_auth_certificate(tx: Connection, certificate_der: bytes) -> AuthCertificate | None:
    """Return the registration of exactly this certificate."""
    query = _certificates().where(t.auth_certificates.c.sha256 == hashlib.sha256(certificate_der).hexdigest())
    row = tx.execute(query).one_or_none()
    return None if row is None else _certificate_of_row(row)


def add_auth_certificate(tx: Connection, server: SecurityServerId, certificate_der: bytes) -> None:
    """Register a certificate for a server."""
    tx.execute(
        insert(t.auth_certificates).values(
            security_server_id=server_row_id(tx, server),
            sha256=hashlib.sha256(certificate_der).hexdigest(),
            certificate_der=certificate_der,
        )
    )


def delete_auth_certificate(tx: Connection, row_id: int) -> None:
    """Remove a registered certificate."""
    tx.execute(delete(t.auth_certificates).where(t.auth_certificates.c.id == row_id))
