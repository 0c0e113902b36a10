"""Rules of global groups; the group of security server owners keeps itself (X-Road GlobalGroupServiceImpl.java)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from central_services.registry import store, store_groups
from central_services.registry.errors import Conflict, Invalid, NotFound
from central_services.registry.model import GlobalGroup
from gateway.xroad.identifiers import ClientId, MemberId

OWNERS_DESCRIPTION = "Security server owners"


def require_group(tx: Connection, code: str) -> GlobalGroup:
    """Return a group or refuse."""
    found = store_groups.find_group(tx, code)
    if found is None:
        raise NotFound("global_group_not_found")
    return found


def add_group(tx: Connection, code: str, description: str, at: datetime) -> GlobalGroup:
    """Add a group with a new code."""
    if store_groups.find_group(tx, code) is not None:
        raise Conflict("global_group_exists", code)
    store_groups.add_group(tx, code, description, at)
    return require_group(tx, code)


def describe_group(tx: Connection, code: str, description: str, at: datetime) -> GlobalGroup:
    """Change the description of a group."""
    require_group(tx, code)
    store_groups.describe_group(tx, code, description, at)
    return require_group(tx, code)


def delete_group(tx: Connection, code: str) -> None:
    """Remove a group, unless it is the one that keeps itself."""
    require_group(tx, code)
    if _is_owners(tx, code):
        raise Invalid("owners_global_group_cannot_be_deleted")
    store_groups.delete_group(tx, code)


def add_members(tx: Connection, code: str, clients: Sequence[ClientId], at: datetime) -> tuple[ClientId, ...]:
    """Put registered clients into a group and return them; those already in it are left out."""
    require_group(tx, code)
    if _is_owners(tx, code):
        raise Invalid("cannot_add_member_to_owners_group")
    added = []
    for client in dict.fromkeys(clients):
        if store.client_row(tx, client) is None:
            raise NotFound("member_not_found" if client.subsystem_code is None else "subsystem_not_found", client)
        if not store_groups.is_group_member(tx, code, client):
            store_groups.add_group_member(tx, code, client, at)
            added.append(client)
    return tuple(added)


def delete_member(tx: Connection, code: str, client: ClientId) -> None:
    """Take a client out of a group."""
    require_group(tx, code)
    if _is_owners(tx, code):
        raise Invalid("owners_global_group_member_cannot_be_deleted")
    store_groups.delete_group_member(tx, client, code)


def admit_owner(tx: Connection, owner: MemberId, at: datetime) -> None:
    """Put the owner of a server into the group of owners, which is made if need be."""
    code = store.read_parameters(tx).owners_group
    if store_groups.find_group(tx, code) is None:
        store_groups.add_group(tx, code, OWNERS_DESCRIPTION, at)
    if not store_groups.is_group_member(tx, code, owner):
        store_groups.add_group_member(tx, code, owner, at)


def dismiss_owner(tx: Connection, owner: MemberId) -> None:
    """Take a member out of the group of owners."""
    store_groups.delete_group_member(tx, owner, store.read_parameters(tx).owners_group)


def _is_owners(tx: Connection, code: str) -> bool:
    return code == store.read_parameters(tx).owners_group
