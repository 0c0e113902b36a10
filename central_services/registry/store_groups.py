"""Queries over global groups and their members."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, update

from central_services.registry import tables as t
from central_services.registry.model import GlobalGroup, GroupMember
from central_services.registry.store import utc
from gateway.xroad.identifiers import ClientId, MemberId, SubsystemId


def _group_of_row(row: Row[*tuple[Any, ...]]) -> GlobalGroup:
    return GlobalGroup(row.group_code, row.description, row.member_count, utc(row.created_at), utc(row.updated_at))


def groups(tx: Connection, code: str | None = None) -> tuple[GlobalGroup, ...]:
    """Return all groups by code, or the one with this code."""
    count = (
        select(func.count())
        .where(t.global_group_members.c.group_id == t.global_groups.c.id)
        .scalar_subquery()
        .label("member_count")
    )
    query = select(t.global_groups, count).order_by(t.global_groups.c.group_code)
    if code is not None:
        query = query.where(t.global_groups.c.group_code == code)
    return tuple(map(_group_of_row, tx.execute(query)))


def find_group(tx: Connection, code: str) -> GlobalGroup | None:
    """Return a group by its code."""
    return next(iter(groups(tx, code)), None)


def add_group(tx: Connection, code: str, description: str, at: datetime) -> None:
    """Insert a group."""
    tx.execute(insert(t.global_groups).values(group_code=code, description=description, created_at=at, updated_at=at))


def describe_group(tx: Connection, code: str, description: str, at: datetime) -> None:
    """Change the description of a group."""
    table = t.global_groups
    tx.execute(update(table).where(table.c.group_code == code).values(description=description, updated_at=at))


def delete_group(tx: Connection, code: str) -> None:
    """Remove a group with its members."""
    tx.execute(delete(t.global_groups).where(t.global_groups.c.group_code == code))


def _client_of_row(row: Row[*tuple[Any, ...]]) -> ClientId:
    member = MemberId(row.xroad_instance, row.member_class, row.member_code)
    return SubsystemId(member, row.subsystem_code) if row.subsystem_code else member


def group_members(tx: Connection, code: str | None = None) -> tuple[GroupMember, ...]:
    """Return the members of all groups, or of one, in the order they were added."""
    query = (
        select(t.global_group_members, t.global_groups.c.group_code)
        .join(t.global_groups, t.global_group_members.c.group_id == t.global_groups.c.id)
        .order_by(t.global_group_members.c.id)
    )
    if code is not None:
        query = query.where(t.global_groups.c.group_code == code)
    return tuple(
        GroupMember(row.id, row.group_code, _client_of_row(row), utc(row.created_at)) for row in tx.execute(query)
    )


def groups_of(tx: Connection, member: MemberId) -> tuple[GroupMember, ...]:
    """Return the memberships of a member and of its subsystems."""
    return tuple(item for item in group_members(tx) if item.client.member == member)


def is_group_member(tx: Connection, code: str, client: ClientId) -> bool:
    """Tell whether exactly this client is in the group."""
    return any(item.client == client for item in group_members(tx, code))


def add_group_member(tx: Connection, code: str, client: ClientId, at: datetime) -> None:
    """Put a client into a group that is there."""
    group_id = tx.scalars(select(t.global_groups.c.id).where(t.global_groups.c.group_code == code)).one()
    tx.execute(
        insert(t.global_group_members).values(
            group_id=group_id,
            xroad_instance=client.xroad_instance,
            member_class=client.member.member_class,
            member_code=client.member.member_code,
            subsystem_code=client.subsystem_code or "",
            created_at=at,
        )
    )


def delete_group_member(tx: Connection, client: ClientId, code: str | None = None) -> None:
    """Take a client out of one group, or of every group."""
    c = t.global_group_members.c
    where = and_(
        c.xroad_instance == client.xroad_instance,
        c.member_class == client.member.member_class,
        c.member_code == client.member.member_code,
        c.subsystem_code == (client.subsystem_code or ""),
    )
    if code is not None:
        where = and_(where, c.group_id.in_(select(t.global_groups.c.id).where(t.global_groups.c.group_code == code)))
    tx.execute(delete(t.global_group_members).where(where))
