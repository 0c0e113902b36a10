"""Rules of member classes, members and subsystems."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from central_services.registry import groups, members, security_servers, store, store_groups, store_servers
from central_services.registry.errors import Conflict, Invalid, NotFound
from gateway.xroad.identifiers import MemberId, SubsystemId
from tests.factories.registered import AT, OTHER, OWNER, SERVER, SNAP


def test_a_class_in_use_is_not_deleted(tx: Connection) -> None:
    with pytest.raises(Conflict, match="member_class_is_in_use"):
        members.delete_member_class(tx, "GOV")


def test_a_class_nobody_has_is_deleted(tx: Connection) -> None:
    members.add_member_class(tx, "COM", "Commerce")
    members.delete_member_class(tx, "com")
    assert [item.code for item in store.member_classes(tx)] == ["GOV"]


def test_a_class_is_added_once_in_any_case(tx: Connection) -> None:
    with pytest.raises(Conflict, match="member_class_exists"):
        members.add_member_class(tx, "gov", "Again")


def test_a_class_gets_another_description(tx: Connection) -> None:
    assert members.describe_member_class(tx, "GOV", "State").description == "State"
    assert store.member_classes(tx)[0].description == "State"


def test_a_member_needs_a_class_that_is_there(tx: Connection) -> None:
    with pytest.raises(NotFound, match="member_class_not_found"):
        members.add_member(tx, "NGO", "1", "x")


def test_a_member_exists_once(tx: Connection) -> None:
    with pytest.raises(Conflict, match="member_exists"):
        members.add_member(tx, "GOV", "10000001", "x")


def test_a_member_of_another_instance_is_unknown(tx: Connection) -> None:
    with pytest.raises(NotFound, match="member_not_found"):
        members.require_member(tx, MemberId("EE", "GOV", "10000001"))


def test_a_renamed_member_keeps_its_place(tx: Connection) -> None:
    members.rename_member(tx, OWNER, "New name")
    assert store.find_member(tx, OWNER) == members.require_member(tx, OWNER)
    assert members.require_member(tx, OWNER).name == "New name"


def test_with_a_member_go_subsystems_servers_and_memberships(tx: Connection) -> None:
    groups.add_group(tx, "readers", "Readers", AT)
    groups.add_members(tx, "readers", [OWNER, SNAP, OTHER], AT)
    security_servers.register_client(tx, SERVER, OTHER, None)
    members.delete_member(tx, OWNER)
    assert [item.id for item in store.members(tx)] == [OTHER]
    assert store.subsystems(tx) == ()
    assert store_servers.servers(tx) == ()
    assert store_servers.registrations(tx) == ()
    assert store_servers.auth_certificates(tx) == ()
    assert [item.client for item in store_groups.group_members(tx)] == [OTHER]


def test_a_subsystem_needs_its_member(tx: Connection) -> None:
    with pytest.raises(NotFound, match="member_not_found"):
        members.add_subsystem(tx, SubsystemId(MemberId("UA-DEMO", "GOV", "404"), "X"), None)


def test_a_subsystem_exists_once(tx: Connection) -> None:
    with pytest.raises(Conflict, match="subsystem_exists"):
        members.add_subsystem(tx, SNAP, None)


def test_two_members_may_have_subsystems_of_one_code(tx: Connection) -> None:
    members.add_subsystem(tx, SubsystemId(OTHER, "SNAP"), None)
    assert len(store.subsystems(tx)) == 2


def test_a_subsystem_may_lose_its_name(tx: Connection) -> None:
    assert members.rename_subsystem(tx, SNAP, "").name is None


def test_a_registered_subsystem_is_not_deleted(tx: Connection) -> None:
    security_servers.register_client(tx, SERVER, SNAP, None)
    with pytest.raises(Invalid, match="subsystem_registered_and_cannot_be_deleted"):
        members.delete_subsystem(tx, SNAP)


def test_a_deleted_subsystem_leaves_its_groups(tx: Connection) -> None:
    groups.add_group(tx, "readers", "Readers", AT)
    groups.add_members(tx, "readers", [SNAP, OWNER], AT)
    members.delete_subsystem(tx, SNAP)
    assert [item.client for item in store_groups.group_members(tx, "readers")] == [OWNER]


def test_members_wait_for_an_instance(empty: Connection) -> None:
    members.add_member_class(empty, "GOV", "Government")
    with pytest.raises(Invalid, match="instance_identifier_not_set"):
        members.add_member(empty, "GOV", "1", "x")
