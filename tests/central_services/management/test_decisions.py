"""The life of management requests and what each changes."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection

from central_services.management import decisions, store, withdrawals
from central_services.management.model import NewRequest, Origin, RequestType, Status
from central_services.registry import security_servers, store_groups, store_servers
from central_services.registry import store as registry_store
from central_services.registry.errors import Conflict, Invalid, NotFound, RegistryError
from gateway.xroad.identifiers import MemberId, SecurityServerId, SubsystemId
from tests.factories.registered import AT, OTHER, OWNER, SERVER, SNAP


def a_request(kind: RequestType, origin: Origin = Origin.CENTER, **fields: Any) -> NewRequest:
    """A request about SNAP on SS1."""
    return NewRequest(kind, origin, fields.pop("server", SERVER), fields.pop("client", SNAP), **fields)


def registration(origin: Origin = Origin.CENTER, **fields: Any) -> NewRequest:
    """A registration of SNAP on SS1."""
    return a_request(RequestType.CLIENT_REGISTRATION, origin, **fields)


def test_a_request_waits_until_it_is_approved(tx: Connection) -> None:
    made = decisions.submit(tx, registration(), AT)
    assert made.status is Status.WAITING
    assert store_servers.registrations(tx) == ()
    assert decisions.approve(tx, made.id, AT).status is Status.APPROVED
    assert [item.client for item in store_servers.registrations(tx)] == [SNAP]


def test_an_approval_moves_the_version_of_the_registry(tx: Connection) -> None:
    before = registry_store.version_of(tx)
    decisions.submit(tx, registration(), AT, approve_at_once=True)
    assert registry_store.version_of(tx) > before


def test_complementary_requests_share_their_approval(tx: Connection) -> None:
    ours = decisions.submit(tx, registration(Origin.CENTER), AT)
    theirs = decisions.submit(tx, registration(Origin.SECURITY_SERVER), AT)
    assert theirs.status is Status.SUBMITTED
    decisions.approve(tx, theirs.id, AT)
    assert decisions.require(tx, ours.id).status is Status.APPROVED


def test_the_same_request_twice_from_one_side_is_a_conflict(tx: Connection) -> None:
    decisions.submit(tx, registration(), AT)
    with pytest.raises(Conflict, match="management_request_exists"):
        decisions.submit(tx, registration(), AT)


def test_a_declined_request_changes_nothing_and_may_come_again(tx: Connection) -> None:
    made = decisions.submit(tx, registration(Origin.SECURITY_SERVER), AT)
    decisions.decline(tx, made.id, AT)
    assert decisions.require(tx, made.id).status is Status.DECLINED
    assert decisions.submit(tx, registration(Origin.SECURITY_SERVER), AT).status is Status.WAITING


def test_an_own_request_that_waits_is_revoked(tx: Connection) -> None:
    made = decisions.submit(tx, registration(), AT)
    decisions.decline(tx, made.id, AT)
    assert decisions.require(tx, made.id).status is Status.REVOKED


@pytest.mark.parametrize("end", ["approve", "decline"])
def test_what_is_decided_is_not_decided_again(tx: Connection, end: str) -> None:
    made = decisions.submit(tx, registration(), AT)
    getattr(decisions, end)(tx, made.id, AT)
    with pytest.raises(Invalid, match="management_request_invalid_state_for_approval"):
        decisions.approve(tx, made.id, AT)
    with pytest.raises(Invalid, match="management_request_invalid_state"):
        decisions.decline(tx, made.id, AT)


def test_an_unknown_request_is_not_found(tx: Connection) -> None:
    with pytest.raises(NotFound, match="management_request_not_found"):
        decisions.approve(tx, 404, AT)


def test_the_owner_is_no_client_of_its_own_server(tx: Connection) -> None:
    with pytest.raises(Invalid, match="management_request_cannot_register_owner"):
        decisions.submit(tx, registration(client=OWNER), AT)


def test_a_client_needs_a_server_that_is_there(tx: Connection) -> None:
    with pytest.raises(Conflict, match="management_request_server_not_found"):
        decisions.submit(tx, registration(server=SecurityServerId(OWNER, "404")), AT)


def test_a_registration_from_a_server_makes_member_and_subsystem(tx: Connection) -> None:
    newcomer = SubsystemId(MemberId("UA-DEMO", "GOV", "777"), "NEW")
    new = registration(Origin.SECURITY_SERVER, client=newcomer, subsystem_name="Newcomer")
    decisions.submit(tx, new, AT, approve_at_once=True)
    found = registry_store.find_subsystem(tx, newcomer)
    assert found is not None
    assert found.name == "Newcomer"


def test_members_of_another_instance_are_refused(tx: Connection) -> None:
    foreign = SubsystemId(MemberId("EE", "GOV", "1"), "X")
    with pytest.raises(Invalid, match="management_request_member_not_found"):
        decisions.submit(tx, registration(Origin.SECURITY_SERVER, client=foreign), AT)


def test_a_deletion_takes_effect_at_once_and_has_no_status(tx: Connection) -> None:
    security_servers.register_client(tx, SERVER, SNAP, None)
    assert decisions.submit(tx, a_request(RequestType.CLIENT_DELETION), AT).status is None
    assert store_servers.registrations(tx) == ()


def test_a_deletion_revokes_a_registration_that_still_waits(tx: Connection) -> None:
    waiting = decisions.submit(tx, registration(Origin.SECURITY_SERVER), AT)
    decisions.submit(tx, a_request(RequestType.CLIENT_DELETION, Origin.SECURITY_SERVER), AT)
    assert decisions.require(tx, waiting.id).status is Status.REVOKED


def test_what_was_never_registered_is_not_deleted(tx: Connection) -> None:
    with pytest.raises(NotFound, match="management_request_client_registration_not_found"):
        decisions.submit(tx, a_request(RequestType.CLIENT_DELETION), AT)


def test_a_client_is_disabled_and_enabled(tx: Connection) -> None:
    security_servers.register_client(tx, SERVER, SNAP, None)
    decisions.submit(tx, a_request(RequestType.CLIENT_DISABLE), AT)
    assert [item.enabled for item in store_servers.registrations(tx)] == [False]
    decisions.submit(tx, a_request(RequestType.CLIENT_ENABLE), AT)
    assert [item.enabled for item in store_servers.registrations(tx)] == [True]


def test_the_provider_of_management_services_is_not_disabled(tx: Connection) -> None:
    security_servers.register_client(tx, SERVER, SNAP, None)
    for key, value in zip(
        (registry_store.PROVIDER_CLASS, registry_store.PROVIDER_CODE, registry_store.PROVIDER_SUBSYSTEM),
        ("GOV", "10000001", "SNAP"),
        strict=True,
    ):
        registry_store.set_parameter(tx, key, value)
    with pytest.raises(Invalid, match="mr_forbidden_disable_management_service_client"):
        decisions.submit(tx, a_request(RequestType.CLIENT_DISABLE), AT)
    with pytest.raises(RegistryError, match="mr_forbidden_enable_maintenance_mode_for_management_service"):
        decisions.submit(tx, a_request(RequestType.MAINTENANCE_MODE_ENABLE, client=None), AT)


def test_only_subsystems_are_renamed(tx: Connection) -> None:
    security_servers.register_client(tx, SERVER, OTHER, None)
    new = a_request(RequestType.CLIENT_RENAME, client=OTHER, subsystem_name="x")
    with pytest.raises(Invalid, match="management_request_only_subsystem_rename_allowed"):
        decisions.submit(tx, new, AT)


def test_a_subsystem_is_renamed(tx: Connection) -> None:
    security_servers.register_client(tx, SERVER, SNAP, None)
    decisions.submit(tx, a_request(RequestType.CLIENT_RENAME, subsystem_name="Front office"), AT)
    found = registry_store.find_subsystem(tx, SNAP)
    assert found is not None
    assert found.name == "Front office"


def test_an_address_changes(tx: Connection) -> None:
    decisions.submit(tx, a_request(RequestType.ADDRESS_CHANGE, client=None, address="ss1.example"), AT)
    assert security_servers.require_server(tx, SERVER).address == "ss1.example"


def test_maintenance_mode_is_entered_and_left_once(tx: Connection) -> None:
    enable = a_request(RequestType.MAINTENANCE_MODE_ENABLE, client=None, message="back at 5")
    decisions.submit(tx, enable, AT)
    assert security_servers.require_server(tx, SERVER).maintenance_mode_message == "back at 5"
    with pytest.raises(Conflict, match="management_request_server_already_in_maintenance_mode"):
        decisions.submit(tx, enable, AT)
    disable = a_request(RequestType.MAINTENANCE_MODE_DISABLE, client=None)
    decisions.submit(tx, disable, AT)
    with pytest.raises(Conflict, match="management_request_server_not_in_maintenance_mode"):
        decisions.submit(tx, disable, AT)


def test_owner_and_client_swap_places(tx: Connection) -> None:
    security_servers.register_client(tx, SERVER, OTHER, None)
    decisions.submit(tx, a_request(RequestType.OWNER_CHANGE, client=OTHER), AT, approve_at_once=True)
    moved = SecurityServerId(OTHER, "SS1")
    assert [item.id for item in store_servers.servers(tx)] == [moved]
    assert [(item.server, item.client) for item in store_servers.registrations(tx)] == [(moved, OWNER)]
    owners = [item.client for item in store_groups.group_members(tx, "security-server-owners")]
    assert owners == [OTHER]


@pytest.mark.parametrize(
    ("client", "code"),
    [
        (SNAP, "management_request_owner_must_be_member"),
        (OWNER, "management_request_client_already_owner"),
        (OTHER, "management_request_owner_must_be_client"),
    ],
)
def test_only_a_member_that_is_a_client_becomes_owner(tx: Connection, client: MemberId, code: str) -> None:
    with pytest.raises(Invalid, match=code):
        decisions.submit(tx, a_request(RequestType.OWNER_CHANGE, client=client), AT)


def test_a_certificate_of_another_server_is_not_deleted(tx: Connection) -> None:
    (known,) = store_servers.auth_certificates(tx)
    new = a_request(
        RequestType.AUTH_CERT_DELETION,
        client=None,
        server=SecurityServerId(OTHER, "X"),
        certificate_der=known.certificate_der,
    )
    with pytest.raises(NotFound, match="ss_auth_certificate_not_found"):
        decisions.submit(tx, new, AT)


def test_a_withdrawn_server_leaves_deletion_requests_that_name_it(tx: Connection) -> None:
    security_servers.register_client(tx, SERVER, SNAP, None)
    withdrawals.withdraw_server(tx, SERVER, AT)
    said = [(item.submitted.type, item.submitted.comments) for item in store.requests(tx)]
    comment = f"{SERVER} deletion"
    assert said == [(RequestType.CLIENT_DELETION, comment), (RequestType.AUTH_CERT_DELETION, comment)]
