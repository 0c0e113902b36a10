"""Rules of member classes, members and subsystems (X-Road MemberServiceImpl.java, SubsystemServiceImpl.java)."""

from __future__ import annotations

from sqlalchemy import Connection

from central_services.registry import store, store_groups, store_servers
from central_services.registry.errors import Conflict, Invalid, NotFound
from central_services.registry.model import Member, MemberClass, Subsystem
from gateway.xroad.identifiers import ClientId, MemberId, SubsystemId


def add_member_class(tx: Connection, code: str, description: str) -> MemberClass:
    """Add a class; its code is unique, whatever its case, since the reference keeps codes in upper case."""
    if _find_class(tx, code) is not None:
        raise Conflict("member_class_exists", code)
    item = MemberClass(code.upper(), description)
    store.add_member_class(tx, item)
    return item


def describe_member_class(tx: Connection, code: str, description: str) -> MemberClass:
    """Change the description of a class."""
    item = MemberClass(require_class(tx, code).code, description)
    store.update_member_class(tx, item)
    return item


def delete_member_class(tx: Connection, code: str) -> None:
    """Remove a class that nobody has."""
    item = require_class(tx, code)
    if store.has_members_of_class(tx, item.code):
        raise Conflict("member_class_is_in_use", item.code)
    store.delete_member_class(tx, item.code)


def require_class(tx: Connection, code: str) -> MemberClass:
    """Return a class by its code in any case."""
    item = _find_class(tx, code)
    if item is None:
        raise NotFound("member_class_not_found", "code", code)
    return item


def _find_class(tx: Connection, code: str) -> MemberClass | None:
    return next((item for item in store.member_classes(tx) if item.code.upper() == code.upper()), None)


def require_instance(tx: Connection) -> str:
    """Return the instance that is kept here."""
    instance = store.read_parameters(tx).instance
    if not instance:
        raise Invalid("instance_identifier_not_set")
    return instance


def add_member(tx: Connection, member_class: str, member_code: str, name: str) -> Member:
    """Add a member of a class that is there."""
    found = _find_class(tx, member_class)
    if found is None:
        raise NotFound("member_class_not_found", "code", member_class)
    item = Member(MemberId(require_instance(tx), found.code, member_code), name)
    if store.find_member(tx, item.id) is not None:
        raise Conflict("member_exists", member_code)
    store.add_member(tx, item)
    return item


def ensure_member(tx: Connection, member: MemberId) -> Member:
    """Return a member, adding it under its code as name if it is not there (an approval may do that)."""
    found = store.find_member(tx, member)
    if found is not None:
        return found
    if member.xroad_instance != require_instance(tx):
        raise Invalid("management_request_member_not_found", member)
    return add_member(tx, member.member_class, member.member_code, member.member_code)


def require_member(tx: Connection, member: MemberId) -> Member:
    """Return a member or refuse."""
    found = store.find_member(tx, member)
    if found is None:
        raise NotFound("member_not_found", "code", member.member_code)
    return found


def rename_member(tx: Connection, member: MemberId, name: str) -> Member:
    """Change the name of a member."""
    require_member(tx, member)
    store.rename_member(tx, member, name)
    return Member(member, name)


def delete_member(tx: Connection, member: MemberId) -> None:
    """Remove a member; subsystems, registrations and owned servers go too, and so do memberships in groups."""
    require_member(tx, member)
    for membership in store_groups.groups_of(tx, member):
        store_groups.delete_group_member(tx, membership.client)
    store.delete_member(tx, member)


def add_subsystem(tx: Connection, subsystem: SubsystemId, name: str | None) -> Subsystem:
    """Add a subsystem of a member that is there."""
    require_member(tx, subsystem.member)
    if store.find_subsystem(tx, subsystem) is not None:
        raise Conflict("subsystem_exists", subsystem.subsystem_code)
    item = Subsystem(subsystem, name or None)
    store.add_subsystem(tx, item)
    return item


def require_subsystem(tx: Connection, subsystem: SubsystemId) -> Subsystem:
    """Return a subsystem or refuse."""
    found = store.find_subsystem(tx, subsystem)
    if found is None:
        raise NotFound("subsystem_not_found", subsystem)
    return found


def rename_subsystem(tx: Connection, subsystem: SubsystemId, name: str | None) -> Subsystem:
    """Change the name of a subsystem; no name is allowed."""
    require_subsystem(tx, subsystem)
    store.rename_subsystem(tx, subsystem, name or None)
    return Subsystem(subsystem, name or None)


def delete_subsystem(tx: Connection, subsystem: SubsystemId) -> None:
    """Remove a subsystem that is registered nowhere."""
    require_subsystem(tx, subsystem)
    if store_servers.registrations_of(tx, subsystem):
        raise Invalid("subsystem_registered_and_cannot_be_deleted")
    store_groups.delete_group_member(tx, subsystem)
    store.delete_subsystem(tx, subsystem)


def ensure_client(tx: Connection, client: ClientId, name: str | None) -> None:
    """Make sure that a client exists; a name given for a subsystem becomes its name."""
    ensure_member(tx, client.member)
    if not isinstance(client, SubsystemId):
        return
    if store.find_subsystem(tx, client) is None:
        add_subsystem(tx, client, name)
    elif name:
        store.rename_subsystem(tx, client, name)
