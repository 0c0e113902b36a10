from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from gateway.runtime.database import Database
from gateway.serverconf import store, store_groups, store_rows, store_services
from gateway.serverconf.model import (
    BASE_METHOD,
    BASE_PATH,
    ClientStatus,
    ConnectionType,
    ServiceKind,
    ServiceRecord,
    Subject,
    TimestampingService,
)
from gateway.xroad.identifiers import (
    ClientId,
    GlobalGroupId,
    LocalGroupId,
    MemberId,
    SecurityServerId,
    ServiceId,
    SubsystemId,
)

OWNER = MemberId("TEST", "GOV", "1001")
CLIENT = SubsystemId(OWNER, "реєстр")
OTHER = SubsystemId(MemberId("TEST", "COM", "2002"), "service")
SERVER = SecurityServerId(OWNER, "SS1")
GROUP = GlobalGroupId("TEST", "citizens")
AT_MS = 1_800_000_000_000


def add_client(tx: Connection, client: ClientId = CLIENT) -> None:
    store.add_client(tx, client, status=ClientStatus.SAVED, connection_type=ConnectionType.HTTPS)


def add_service(tx: Connection, code: str = "api", version: str | None = None, client: ClientId = CLIENT) -> int:
    """A service with a description of its own; returns the description's id."""
    url = f"http://registry.test/{code}/{version}"
    description = store_services.add_description(
        tx, client, url=url, kind=ServiceKind.REST, disabled_notice=None, refreshed_at_ms=AT_MS
    )
    record = ServiceRecord(ServiceId(client, code, version), ServiceKind.REST, url, 60, True, description, "Реєстр")
    store_services.put_service(tx, description, record)
    return description


def base_endpoint(tx: Connection, code: str = "api") -> int:
    return store_services.put_endpoint(tx, CLIENT, code, BASE_METHOD, BASE_PATH, generated=True)


@pytest.fixture
def filled(migrated: Database) -> Database:
    with migrated.transaction() as tx:
        store.set_server(tx, SERVER)
        add_client(tx, OWNER)
        add_client(tx)
        add_service(tx)
    return migrated


def test_empty_configuration_knows_nobody(migrated: Database) -> None:
    with migrated.reading() as tx:
        conf = store.read_snapshot(tx)
    assert (conf.version, conf.server, conf.clients, conf.services, conf.rights) == (0, None, {}, {}, {})


def test_snapshot_holds_everything(filled: Database) -> None:
    with filled.transaction() as tx:
        group = store_groups.put_local_group(tx, CLIENT, "friends", "Друзі", AT_MS)
        store_groups.add_to_local_group(tx, group, [OTHER], AT_MS)
        subjects: tuple[Subject, ...] = (OTHER, GROUP, LocalGroupId("friends"), OWNER)
        for subject in subjects:
            assert store_services.grant(tx, base_endpoint(tx), subject, AT_MS)
        store.set_timestamping_services(tx, [TimestampingService("TSA", "http://tsa.test/")])
    with filled.reading() as tx:
        conf = store.read_snapshot(tx)
    assert conf.server == SERVER
    assert set(conf.clients) == {OWNER, CLIENT}
    record = conf.services[ServiceId(CLIENT, "api")]
    assert record.title == "Реєстр"
    assert conf.description_urls[record.description_id] == "http://registry.test/api/None"
    assert [endpoint.is_base for endpoint in conf.endpoints[CLIENT, "api"]] == [True]
    assert {right.subject for right in conf.rights[CLIENT, "api"]} == set(subjects)
    assert conf.local_groups == {(CLIENT, "friends"): frozenset({OTHER})}
    assert conf.timestamping_services == (TimestampingService("TSA", "http://tsa.test/"),)


CHANGES: list[Callable[[Connection], object]] = [
    lambda tx: add_client(tx, OTHER),
    lambda tx: store.set_client_status(tx, CLIENT, ClientStatus.REGISTERED),
    lambda tx: store.set_connection_type(tx, CLIENT, ConnectionType.HTTP),
    lambda tx: store.add_tls_certificate(tx, CLIENT, "ab", b"certificate"),
    lambda tx: store.delete_client(tx, CLIENT),
    lambda tx: add_service(tx, "more"),
    lambda tx: store_services.set_description(tx, 1, disabled=True),
    lambda tx: store_services.delete_description(tx, 1),
    lambda tx: store_services.rename_service(tx, 1, ServiceId(CLIENT, "api"), "other"),
    lambda tx: store_services.delete_service(tx, 1, ServiceId(CLIENT, "api")),
    lambda tx: store_services.put_endpoint(tx, CLIENT, "api", "GET", "/x", generated=False),
    lambda tx: store_services.grant(tx, base_endpoint(tx), OTHER, AT_MS),
    lambda tx: store_groups.put_local_group(tx, CLIENT, "friends", "Friends", AT_MS),
    lambda tx: store.set_timestamping_services(tx, []),
    lambda tx: store.set_server(tx, SERVER),
]


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_moves_the_version(filled: Database, change: Callable[[Connection], object]) -> None:
    with filled.transaction() as tx:
        before = store_rows.read_version(tx)
        change(tx)
        assert store_rows.read_version(tx) > before


def test_change_that_is_rolled_back_does_not_move_the_version(filled: Database) -> None:
    with filled.reading() as tx:
        before = store_rows.read_version(tx)
    with pytest.raises(IntegrityError), filled.transaction() as tx:
        [add_client(tx, OTHER) for _ in range(2)]
    with filled.reading() as tx:
        assert store_rows.read_version(tx) == before
        assert OTHER not in store.read_snapshot(tx).clients


def test_certificates_belong_to_one_client(filled: Database) -> None:
    with filled.transaction() as tx:
        store.add_tls_certificate(tx, CLIENT, "ab", b"one")
        store.add_tls_certificate(tx, OWNER, "ab", b"one")
        assert store.delete_tls_certificate(tx, CLIENT, "ab")
        assert not store.delete_tls_certificate(tx, CLIENT, "ab")
        certificates = {client.id: client.tls_certificates for client in store.list_clients(tx)}
    assert certificates == {CLIENT: frozenset(), OWNER: frozenset({b"one"})}


def test_disabled_description_says_so_in_each_of_its_services(filled: Database) -> None:
    with filled.transaction() as tx:
        store_services.set_description(tx, 1, disabled=True, disabled_notice="closed")
        (record,) = store.read_snapshot(tx).services.values()
        assert record.disabled_notice == "closed"
        store_services.set_description(tx, 1, disabled=True, disabled_notice=None)
        (record,) = store.read_snapshot(tx).services.values()
        assert record.disabled_notice == ""


def test_right_is_given_and_taken_once(filled: Database) -> None:
    with filled.transaction() as tx:
        endpoint = base_endpoint(tx)
        assert store_services.grant(tx, endpoint, OTHER, AT_MS)
        assert not store_services.grant(tx, endpoint, OTHER, AT_MS)
        assert store_services.list_rights(tx, [endpoint]) == ((endpoint, OTHER, AT_MS),)
        assert store_services.revoke(tx, endpoint, OTHER)
        assert not store_services.revoke(tx, endpoint, OTHER)


def test_member_and_its_subsystem_are_different_subjects(filled: Database) -> None:
    with filled.transaction() as tx:
        endpoint = base_endpoint(tx)
        store_services.grant(tx, endpoint, OWNER, AT_MS)
        assert not store_services.revoke(tx, endpoint, CLIENT)


def test_rights_to_a_code_live_as_long_as_one_version_of_it(filled: Database) -> None:
    with filled.transaction() as tx:
        second = add_service(tx, "api", "v2")
        store_services.grant(tx, base_endpoint(tx), OTHER, AT_MS)
        store_services.delete_description(tx, 1)
        assert store.read_snapshot(tx).rights[CLIENT, "api"]
        store_services.delete_description(tx, second)
        assert store.read_snapshot(tx).rights == {}
        assert store_services.list_endpoints(tx, CLIENT, "api") == ()


def test_deleted_client_takes_everything_along(filled: Database) -> None:
    with filled.transaction() as tx:
        store_services.grant(tx, base_endpoint(tx), OTHER, AT_MS)
        store.add_tls_certificate(tx, CLIENT, "ab", b"one")
        group = store_groups.put_local_group(tx, CLIENT, "friends", "Friends", AT_MS)
        store_groups.add_to_local_group(tx, group, [OTHER], AT_MS)
        store.delete_client(tx, CLIENT)
        conf = store.read_snapshot(tx)
    assert set(conf.clients) == {OWNER}
    assert (conf.services, conf.rights, conf.local_groups) == ({}, {}, {})


def test_renamed_service_keeps_endpoints_and_rights(filled: Database) -> None:
    with filled.transaction() as tx:
        store_services.grant(tx, base_endpoint(tx), OTHER, AT_MS)
        store_services.rename_service(tx, 1, ServiceId(CLIENT, "api"), "renamed")
        conf = store.read_snapshot(tx)
    assert list(conf.services) == [ServiceId(CLIENT, "renamed")]
    assert [right.subject for right in conf.rights[CLIENT, "renamed"]] == [OTHER]


def test_generated_endpoints_go_when_the_description_no_longer_names_them(filled: Database) -> None:
    with filled.transaction() as tx:
        store_services.put_endpoint(tx, CLIENT, "api", "GET", "/old", generated=True)
        store_services.put_endpoint(tx, CLIENT, "api", "GET", "/kept", generated=True)
        store_services.put_endpoint(tx, CLIENT, "api", "GET", "/manual", generated=False)
        store_services.drop_generated_endpoints(tx, CLIENT, "api", [("GET", "/kept")])
        endpoints = store_services.list_endpoints(tx, CLIENT, "api")
        assert [endpoint.path for endpoint in endpoints] == ["**", "/kept", "/manual"]


def test_local_group_is_read_with_its_members(filled: Database) -> None:
    with filled.transaction() as tx:
        id = store_groups.put_local_group(tx, CLIENT, "friends", "Friends", AT_MS)
        assert store_groups.add_to_local_group(tx, id, [OTHER, OWNER], AT_MS + 1)
        assert not store_groups.add_to_local_group(tx, id, [OTHER], AT_MS)
        group = store_groups.find_local_group(tx, id)
        assert group is not None
        assert (group.client, group.code, group.updated_at_ms) == (CLIENT, "friends", AT_MS + 1)
        assert [member for _, member, _ in group.members] == [OTHER, OWNER]
        assert store_groups.take_from_local_group(tx, id, [OTHER], AT_MS)
        assert not store_groups.take_from_local_group(tx, id, [OTHER], AT_MS)
        store_groups.delete_local_group(tx, group)
        assert store_groups.list_local_groups(tx, CLIENT) == ()
        assert store_groups.find_local_group(tx, id) is None


def test_time_stamping_services_keep_their_order(migrated: Database) -> None:
    services = [TimestampingService(name, f"http://{name}.test/") for name in ("b", "a", "c")]
    with migrated.transaction() as tx:
        store.set_timestamping_services(tx, services)
        assert store.list_timestamping_services(tx) == tuple(services)
