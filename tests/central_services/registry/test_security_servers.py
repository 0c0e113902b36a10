"""Rules of security servers, their certificates and clients."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Connection

from central_services.registry import security_servers, store_groups, store_servers
from central_services.registry.errors import Conflict, NotFound
from gateway.xroad.identifiers import MemberId, SecurityServerId, SubsystemId
from tests.factories.registered import AT, OTHER, OWNER, SERVER, SNAP, a_certificate_der


def test_registering_a_certificate_makes_owner_and_server(tx: Connection) -> None:
    newcomer = SecurityServerId(MemberId("UA-DEMO", "GOV", "777"), "SS7")
    security_servers.register_certificate(tx, newcomer, "ss7.example", a_certificate_der("x"), AT)
    found = security_servers.require_server(tx, newcomer)
    assert (found.address, found.owner_name, found.created_at) == ("ss7.example", "777", AT)


def test_a_second_certificate_joins_the_first(tx: Connection) -> None:
    security_servers.register_certificate(tx, SERVER, None, a_certificate_der("second"), AT)
    assert len(store_servers.auth_certificates(tx, SERVER)) == 2
    assert security_servers.require_server(tx, SERVER).address == "127.0.2.1"


def test_a_certificate_belongs_to_one_server(tx: Connection) -> None:
    (known,) = store_servers.auth_certificates(tx)
    with pytest.raises(Conflict, match="management_request_security_server_exists"):
        security_servers.register_certificate(tx, SecurityServerId(OTHER, "X"), None, known.certificate_der, AT)


def test_two_owners_may_use_one_server_code(tx: Connection) -> None:
    security_servers.register_certificate(tx, SecurityServerId(OTHER, "SS1"), "b", a_certificate_der("b"), AT)
    assert [str(server.id) for server in store_servers.servers(tx)] == [
        "UA-DEMO/GOV/10000001/SS1",
        "UA-DEMO/GOV/10000002/SS1",
    ]


def test_a_new_address_moves_the_time_of_change(tx: Connection) -> None:
    later = AT + timedelta(hours=1)
    changed = security_servers.set_address(tx, SERVER, "ss1.example", later)
    assert (changed.address, changed.created_at, changed.updated_at) == ("ss1.example", AT, later)


def test_a_client_is_registered_once_on_a_server(tx: Connection) -> None:
    security_servers.register_client(tx, SERVER, SNAP, None)
    with pytest.raises(Conflict, match="management_request_client_already_registered"):
        security_servers.register_client(tx, SERVER, SNAP, None)


def test_registering_makes_a_missing_subsystem_with_its_name(tx: Connection) -> None:
    new = SubsystemId(OTHER, "NEW")
    security_servers.register_client(tx, SERVER, new, "New one")
    (registration,) = store_servers.registrations_of(tx, new)
    assert (registration.server, registration.client, registration.enabled) == (SERVER, new, True)


def test_members_and_subsystems_can_both_be_clients(tx: Connection) -> None:
    security_servers.register_client(tx, SERVER, OTHER, None)
    security_servers.register_client(tx, SERVER, SNAP, None)
    assert [item.client for item in store_servers.registrations_on(tx, SERVER)] == [OTHER, SNAP]
    assert [item.client for item in store_servers.registrations(tx)] == [OTHER, SNAP]


def test_used_servers_count_those_of_subsystems(tx: Connection) -> None:
    security_servers.register_certificate(tx, SecurityServerId(OTHER, "B"), "b", a_certificate_der("b"), AT)
    security_servers.register_client(tx, SecurityServerId(OTHER, "B"), SNAP, None)
    assert [server.id.server_code for server in store_servers.servers_used_by(tx, OWNER)] == ["B"]


def test_the_owner_of_a_deleted_server_leaves_the_group_of_owners(tx: Connection) -> None:
    assert store_groups.is_group_member(tx, "security-server-owners", OWNER)
    security_servers.delete_server(tx, SERVER)
    assert store_groups.group_members(tx, "security-server-owners") == ()


def test_an_owner_of_another_server_stays_in_the_group(tx: Connection) -> None:
    security_servers.register_certificate(tx, SecurityServerId(OWNER, "SS2"), "b", a_certificate_der("b"), AT)
    security_servers.delete_server(tx, SERVER)
    assert store_groups.is_group_member(tx, "security-server-owners", OWNER)


def test_a_certificate_of_another_server_is_not_found_under_this_one(tx: Connection) -> None:
    security_servers.register_certificate(tx, SecurityServerId(OTHER, "B"), "b", a_certificate_der("b"), AT)
    (foreign,) = store_servers.auth_certificates(tx, SecurityServerId(OTHER, "B"))
    with pytest.raises(NotFound, match="ss_auth_certificate_not_found"):
        security_servers.find_certificate(tx, SERVER, foreign.id)


def test_an_unknown_server_is_not_found(tx: Connection) -> None:
    with pytest.raises(NotFound, match="security_server_not_found"):
        security_servers.require_server(tx, SecurityServerId(OWNER, "404"))


def test_a_client_registered_elsewhere_is_not_registered_here(tx: Connection) -> None:
    with pytest.raises(NotFound, match="subsystem_not_registered_to_security_server"):
        security_servers.require_registration(tx, SERVER, SNAP)
