"""Rules of global groups."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from central_services.registry import groups, store_groups
from central_services.registry.errors import Conflict, Invalid, NotFound
from gateway.xroad.identifiers import SubsystemId
from tests.factories.registered import AT, OTHER, OWNER, SNAP

OWNERS = "security-server-owners"


@pytest.fixture(autouse=True)
def readers(tx: Connection) -> None:
    """A group to work on."""
    groups.add_group(tx, "readers", "Readers", AT)


def test_a_group_exists_once(tx: Connection) -> None:
    with pytest.raises(Conflict, match="global_group_exists"):
        groups.add_group(tx, "readers", "Again", AT)


def test_a_client_is_added_once(tx: Connection) -> None:
    assert groups.add_members(tx, "readers", [SNAP, SNAP, OWNER], AT) == (SNAP, OWNER)
    assert groups.add_members(tx, "readers", [SNAP, OTHER], AT) == (OTHER,)
    assert groups.require_group(tx, "readers").member_count == 3


def test_a_member_in_a_group_does_not_bring_its_subsystems(tx: Connection) -> None:
    groups.add_members(tx, "readers", [OWNER], AT)
    assert not store_groups.is_group_member(tx, "readers", SNAP)


def test_only_registered_clients_are_added(tx: Connection) -> None:
    with pytest.raises(NotFound, match="subsystem_not_found"):
        groups.add_members(tx, "readers", [SubsystemId(OTHER, "X")], AT)


def test_one_client_is_taken_out(tx: Connection) -> None:
    groups.add_members(tx, "readers", [SNAP, OWNER], AT)
    groups.delete_member(tx, "readers", OWNER)
    assert [item.client for item in store_groups.group_members(tx, "readers")] == [SNAP]


def test_with_a_group_go_its_memberships_only(tx: Connection) -> None:
    groups.add_members(tx, "readers", [OWNER], AT)
    groups.delete_group(tx, "readers")
    assert [item.group_code for item in store_groups.groups_of(tx, OWNER)] == [OWNERS]


def test_the_group_of_owners_keeps_itself(tx: Connection) -> None:
    with pytest.raises(Invalid, match="owners_global_group_cannot_be_deleted"):
        groups.delete_group(tx, OWNERS)
    with pytest.raises(Invalid, match="cannot_add_member_to_owners_group"):
        groups.add_members(tx, OWNERS, [OTHER], AT)
    with pytest.raises(Invalid, match="owners_global_group_member_cannot_be_deleted"):
        groups.delete_member(tx, OWNERS, OWNER)


def test_an_unknown_group_is_not_found(tx: Connection) -> None:
    with pytest.raises(NotFound, match="global_group_not_found"):
        groups.describe_group(tx, "404", "x", AT)
