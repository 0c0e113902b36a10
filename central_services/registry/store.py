"""Queries over parameters, member classes, members and subsystems; rows never leave this room."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from central_services.registry import tables as t
from central_services.registry.model import Member, MemberClass, Parameters, Subsystem
from gateway.xroad.identifiers import ClientId, MemberId, SubsystemId

# Names of system parameters as X-Road keeps them (SystemParameterServiceImpl.java).
INSTANCE: Final = "instanceIdentifier"
ADDRESS: Final = "centralServerAddress"
PROVIDER_CLASS: Final = "managementServiceProviderClass"
PROVIDER_CODE: Final = "managementServiceProviderCode"
PROVIDER_SUBSYSTEM: Final = "managementServiceProviderSubsystem"
AUTH_CERT_REG_URL: Final = "authCertRegUrl"
CONF_EXPIRE_INTERVAL: Final = "confExpireIntervalSeconds"
OCSP_FRESHNESS: Final = "ocspFreshnessSeconds"
TIMESTAMPING_INTERVAL: Final = "timeStampingIntervalSeconds"
OWNERS_GROUP: Final = "securityServerOwnersGroup"


@dataclass(frozen=True, slots=True)
class ClientRow:
    """Where a client lives: exactly one of the two is set."""

    member_id: int | None = None
    subsystem_id: int | None = None


def utc(value: datetime) -> datetime:
    """Return an aware time; SQLite forgets the zone it was given."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def version_of(tx: Connection) -> int:
    """Return the number of changes so far."""
    return tx.scalar(select(t.registry_version.c.version)) or 0


def bump_version(tx: Connection) -> int:
    """Note that something published has changed, and return the new number."""
    table = t.registry_version
    if tx.execute(update(table).values(version=table.c.version + 1)).rowcount == 0:
        tx.execute(insert(table).values(id=1, version=1))
    return version_of(tx)


def read_parameters(tx: Connection) -> Parameters:
    """Return the system parameters, with defaults for those nobody has set."""
    values = {row.key: row.value for row in tx.execute(select(t.system_parameters))}
    defaults = Parameters()
    return Parameters(
        instance=values.get(INSTANCE, ""),
        address=values.get(ADDRESS, ""),
        management_provider=_provider_of(values),
        auth_cert_reg_url=values.get(AUTH_CERT_REG_URL, defaults.auth_cert_reg_url),
        conf_expire_interval_s=int(values.get(CONF_EXPIRE_INTERVAL, defaults.conf_expire_interval_s)),
        ocsp_freshness_s=int(values.get(OCSP_FRESHNESS, defaults.ocsp_freshness_s)),
        timestamping_interval_s=int(values.get(TIMESTAMPING_INTERVAL, defaults.timestamping_interval_s)),
        owners_group=values.get(OWNERS_GROUP, defaults.owners_group),
    )


def _provider_of(values: dict[str, str]) -> ClientId | None:
    if PROVIDER_CODE not in values:
        return None
    member = MemberId(values[INSTANCE], values[PROVIDER_CLASS], values[PROVIDER_CODE])
    subsystem = values.get(PROVIDER_SUBSYSTEM)
    return SubsystemId(member, subsystem) if subsystem else member


def set_parameter(tx: Connection, key: str, value: str) -> None:
    """Set one system parameter."""
    table = t.system_parameters
    if tx.execute(update(table).where(table.c.key == key).values(value=value)).rowcount == 0:
        tx.execute(insert(table).values(key=key, value=value))


def member_classes(tx: Connection) -> tuple[MemberClass, ...]:
    """Return all member classes by code."""
    rows = tx.execute(select(t.member_classes).order_by(t.member_classes.c.code))
    return tuple(MemberClass(row.code, row.description) for row in rows)


def add_member_class(tx: Connection, item: MemberClass) -> None:
    """Insert a member class."""
    tx.execute(insert(t.member_classes).values(code=item.code, description=item.description))


def update_member_class(tx: Connection, item: MemberClass) -> None:
    """Change the description of a member class."""
    table = t.member_classes
    tx.execute(update(table).where(table.c.code == item.code).values(description=item.description))


def delete_member_class(tx: Connection, code: str) -> None:
    """Remove a member class; the database refuses it while members have it."""
    tx.execute(delete(t.member_classes).where(t.member_classes.c.code == code))


def member_of_row(row: Row[*tuple[Any, ...]]) -> MemberId:
    """Return the identifier that the columns of `members` in `row` hold."""
    return MemberId(row.xroad_instance, row.member_class, row.member_code)


def members(tx: Connection) -> tuple[Member, ...]:
    """Return all members by class and code."""
    rows = tx.execute(select(t.members).order_by(t.members.c.member_class, t.members.c.member_code))
    return tuple(Member(member_of_row(row), row.name) for row in rows)


def member_row_id(tx: Connection, member: MemberId) -> int | None:
    """Return the row of a member."""
    c = t.members.c
    return tx.scalar(
        select(c.id).where(
            c.xroad_instance == member.xroad_instance,
            c.member_class == member.member_class,
            c.member_code == member.member_code,
        )
    )


def find_member(tx: Connection, member: MemberId) -> Member | None:
    """Return a member by its identifier."""
    row_id = member_row_id(tx, member)
    if row_id is None:
        return None
    return Member(member, tx.scalars(select(t.members.c.name).where(t.members.c.id == row_id)).one())


def has_members_of_class(tx: Connection, code: str) -> bool:
    """Tell whether a class has members."""
    return tx.scalar(select(t.members.c.id).where(t.members.c.member_class == code).limit(1)) is not None


def add_member(tx: Connection, member: Member) -> None:
    """Insert a member."""
    tx.execute(
        insert(t.members).values(
            xroad_instance=member.id.xroad_instance,
            member_class=member.id.member_class,
            member_code=member.id.member_code,
            name=member.name,
        )
    )


def rename_member(tx: Connection, member: MemberId, name: str) -> None:
    """Change the name of a member."""
    tx.execute(update(t.members).where(t.members.c.id == member_row_id(tx, member)).values(name=name))


def delete_member(tx: Connection, member: MemberId) -> None:
    """Remove a member; its subsystems, servers and registrations go with it."""
    tx.execute(delete(t.members).where(t.members.c.id == member_row_id(tx, member)))


def subsystems(tx: Connection, member: MemberId | None = None) -> tuple[Subsystem, ...]:
    """Return all subsystems, or those of one member, by code."""
    query = select(t.members, t.subsystems.c.subsystem_code, t.subsystems.c.name.label("subsystem_name")).join(
        t.subsystems, t.subsystems.c.member_id == t.members.c.id
    )
    if member is not None:
        query = query.where(t.members.c.id == member_row_id(tx, member))
    rows = tx.execute(query.order_by(t.members.c.member_class, t.members.c.member_code, t.subsystems.c.subsystem_code))
    return tuple(Subsystem(SubsystemId(member_of_row(row), row.subsystem_code), row.subsystem_name) for row in rows)


def find_subsystem(tx: Connection, subsystem: SubsystemId) -> Subsystem | None:
    """Return a subsystem by its identifier."""
    row_id = subsystem_row_id(tx, subsystem)
    if row_id is None:
        return None
    return Subsystem(subsystem, tx.scalars(select(t.subsystems.c.name).where(t.subsystems.c.id == row_id)).one())


def subsystem_row_id(tx: Connection, subsystem: SubsystemId) -> int | None:
    """Return the row of a subsystem."""
    c = t.subsystems.c
    return tx.scalar(
        select(c.id).where(
            c.member_id == member_row_id(tx, subsystem.member), c.subsystem_code == subsystem.subsystem_code
        )
    )


def add_subsystem(tx: Connection, subsystem: Subsystem) -> None:
    """Insert a subsystem of a member that is there."""
    tx.execute(
        insert(t.subsystems).values(
            member_id=member_row_id(tx, subsystem.id.member),
            subsystem_code=subsystem.id.subsystem_code,
            name=subsystem.name,
        )
    )


def rename_subsystem(tx: Connection, subsystem: SubsystemId, name: str | None) -> None:
    """Change the name of a subsystem."""
    row_id = subsystem_row_id(tx, subsystem)
    tx.execute(update(t.subsystems).where(t.subsystems.c.id == row_id).values(name=name))


def delete_subsystem(tx: Connection, subsystem: SubsystemId) -> None:
    """Remove a subsystem."""
    tx.execute(delete(t.subsystems).where(t.subsystems.c.id == subsystem_row_id(tx, subsystem)))


def client_row(tx: Connection, client: ClientId) -> ClientRow | None:
    """Return where a client lives, or None when it is not registered at all."""
    if isinstance(client, SubsystemId):
        row_id = subsystem_row_id(tx, client)
        return None if row_id is None else ClientRow(subsystem_id=row_id)
    row_id = member_row_id(tx, client)
    return None if row_id is None else ClientRow(member_id=row_id)


def names_of(tx: Connection, clients: Iterable[ClientId]) -> dict[ClientId, str | None]:
    """Return the member name of each client; a member of another instance has none here."""
    known = {member.id: member.name for member in members(tx)}
    return {client: known.get(client.member) for client in clients}
