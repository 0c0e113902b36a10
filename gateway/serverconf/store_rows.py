"""What queries on this server's configuration share: the change counter, clients and subjects in columns."""

from __future__ import annotations

import json
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from gateway.serverconf import tables as t
from gateway.serverconf.model import Subject
from gateway.xroad.identifiers import ClientId, GlobalGroupId, LocalGroupId, MemberId, SubsystemId, client_of

_GROUPS: Final = {"GLOBALGROUP": GlobalGroupId, "LOCALGROUP": LocalGroupId}


def read_version(connection: Connection) -> int:
    """Return the change counter; 0 before the first change."""
    return connection.execute(select(t.server.c.version)).scalar() or 0


def touch(connection: Connection) -> None:
    """Move the change counter: every process notices that its snapshot is old."""
    if connection.execute(update(t.server).values(version=t.server.c.version + 1)).rowcount == 0:
        connection.execute(insert(t.server).values(id=1, version=1))


def client_id_of(row: Any) -> ClientId:
    """Return the identifier in the columns of a client."""
    member = MemberId(row.xroad_instance, row.member_class, row.member_code)
    return SubsystemId(member, row.subsystem_code) if row.subsystem_code else member


def client_key(connection: Connection, client: ClientId) -> int | None:
    """Return the row id of a client, None when it is not here."""
    member = client.member
    return connection.execute(
        select(t.client.c.id).where(
            t.client.c.xroad_instance == member.xroad_instance,
            t.client.c.member_class == member.member_class,
            t.client.c.member_code == member.member_code,
            t.client.c.subsystem_code == (client.subsystem_code or ""),
        )
    ).scalar()


def subject_columns(subject: Subject) -> dict[str, str]:
    """Return the columns of a subject."""
    return {"subject_type": subject.object_type, "subject": json.dumps(subject.parts, ensure_ascii=False)}


def subject_of(kind: str, text: str) -> Subject:
    """Return the subject in its columns."""
    parts = json.loads(text)
    group = _GROUPS.get(kind)
    return group(*parts) if group is not None else client_of(parts)
