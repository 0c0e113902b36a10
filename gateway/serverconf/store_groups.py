"""Queries on local groups and their members."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import Connection, delete, insert, select, update

from gateway.serverconf import tables as t
from gateway.serverconf.model import LocalGroup
from gateway.serverconf.store_rows import client_id_of, client_key, subject_columns, touch
from gateway.xroad.identifiers import ClientId, LocalGroupId, client_of


def put_local_group(connection: Connection, client: ClientId, code: str, description: str, at_ms: int) -> int:
    """Add a local group and return its row id; an existing one raises the database's integrity error."""
    touch(connection)
    row = insert(t.local_group).values(
        client_id=client_key(connection, client), code=code, description=description, updated_at_ms=at_ms
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
        query = query.where(t.local_group.c.client_id == client_key(connection, client))
    return tuple(
        LocalGroup(row.id, client_id_of(row), row.code, row.description, row.updated_at_ms, tuple(members[row.id]))
        for row in connection.execute(query).all()
    )


def find_local_group(connection: Connection, group_id: int) -> LocalGroup | None:
    """Return one local group with its members."""
    return next((group for group in list_local_groups(connection) if group.id == group_id), None)


def set_local_group(connection: Connection, group_id: int, description: str, at_ms: int) -> None:
    """Describe a local group anew."""
    touch(connection)
    connection.execute(
        update(t.local_group).where(t.local_group.c.id == group_id).values(description=description, updated_at_ms=at_ms)
    )


def delete_local_group(connection: Connection, group: LocalGroup) -> None:
    """Take a local group out with its members and with the rights that it had."""
    touch(connection)
    endpoints = select(t.endpoint.c.id).where(t.endpoint.c.client_id == client_key(connection, group.client))
    columns = subject_columns(LocalGroupId(group.code))
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
    touch(connection)
    connection.execute(update(t.local_group).where(t.local_group.c.id == group_id).values(updated_at_ms=at_ms))


def read_local_groups(connection: Connection) -> dict[tuple[ClientId, str], frozenset[ClientId]]:
    """Return the members of every local group by client and code."""
    groups: dict[tuple[ClientId, str], set[ClientId]] = defaultdict(set)
    query = (
        select(t.local_group.c.code, t.local_group_member.c.member, t.client.c.xroad_instance,
               t.client.c.member_class, t.client.c.member_code, t.client.c.subsystem_code)
        .join(t.local_group_member, t.local_group_member.c.group_id == t.local_group.c.id)
        .join(t.client, t.client.c.id == t.local_group.c.client_id)
    )  # fmt: skip
    for row in connection.execute(query):
        groups[client_id_of(row), row.code].add(client_of(json.loads(row.member)))
    return {key: frozenset(members) for key, members in groups.items()}
