"""Registry facts become shared and private parameters, in every version."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from central_services.configuration_source.content import SourceFacts, private_parameters, shared_parameters
from central_services.registry import authorities, groups, security_servers, store, store_servers
from central_services.registry.content import read_content
from central_services.registry.model import CaSettings, CostType
from gateway.xroad.digests import DigestAlgorithm, digest_of
from gateway.xroad.globalconf.schemas import SCHEMAS
from gateway.xroad.globalconf.shared_parameters_xml import build_shared_parameters, parse_shared_parameters
from gateway.xroad.identifiers import GlobalGroupId
from tests.factories.central import FIVRK
from tests.factories.registered import AT, OTHER, OWNER, SERVER, SNAP, a_certificate_der, fill

SOURCE = SourceFacts(8880, (b"internal",), (b"external",), b"management")


@pytest.fixture
def full(empty: Connection) -> Connection:
    """A registry with something of every kind."""
    fill(empty)
    service = authorities.add_certification_service(
        empty, a_certificate_der("CA"), CaSettings(FIVRK, acme_directory_url="http://ca/acme")
    )
    below = authorities.add_intermediate_ca(empty, service.id, a_certificate_der("below"))
    authorities.add_ocsp_responder(empty, "http://ocsp", None, CostType.FREE, intermediate_ca_id=below.id)
    authorities.add_timestamping_service(empty, "http://tsa", a_certificate_der("TSA"), CostType.PAID)
    groups.add_group(empty, "readers", "Readers", AT)
    groups.add_members(empty, "readers", [SNAP, OTHER], AT)
    security_servers.register_client(empty, SERVER, SNAP, None)
    security_servers.register_client(empty, SERVER, OTHER, None)
    for key, value in ((store.PROVIDER_CLASS, "GOV"), (store.PROVIDER_CODE, "10000001")):
        store.set_parameter(empty, key, value)
    return empty


def test_members_stand_with_their_class_and_subsystems(full: Connection) -> None:
    owner, other = shared_parameters(read_content(full), SOURCE).members
    assert (owner.id, owner.name, owner.class_description) == (OWNER, "SNAP centre", "Government")
    assert [(item.id, item.name) for item in owner.subsystems] == [(SNAP, "Counter")]
    assert other.subsystems == ()


def test_a_server_stands_with_address_clients_and_hashes_of_its_certificates(full: Connection) -> None:
    (server,) = shared_parameters(read_content(full), SOURCE).security_servers
    (certificate,) = store_servers.auth_certificates(full)
    assert (server.id, server.address, server.clients) == (SERVER, "127.0.2.1", {SNAP, OTHER})
    assert server.auth_cert_hashes == {
        digest_of(certificate.certificate_der, DigestAlgorithm.SHA1),
        digest_of(certificate.certificate_der, DigestAlgorithm.SHA256),
    }


def test_a_disabled_client_is_not_told(full: Connection) -> None:
    store_servers.set_enabled(full, SERVER, SNAP, False)
    (server,) = shared_parameters(read_content(full), SOURCE).security_servers
    assert server.clients == {OTHER}


@pytest.mark.parametrize(("message", "told"), [(None, ""), ("back at 5", "back at 5")])
def test_maintenance_is_told_with_its_message(full: Connection, message: str | None, told: str) -> None:
    store_servers.set_maintenance(full, SERVER, True, message, AT)
    (server,) = shared_parameters(read_content(full), SOURCE).security_servers
    assert server.maintenance == told


def test_a_message_without_maintenance_mode_is_not_told(full: Connection) -> None:
    store_servers.set_maintenance(full, SERVER, False, "old", AT)
    (server,) = shared_parameters(read_content(full), SOURCE).security_servers
    assert server.maintenance is None


def test_groups_name_complete_identifiers(full: Connection) -> None:
    told = {group.id: group.members for group in shared_parameters(read_content(full), SOURCE).global_groups}
    assert told[GlobalGroupId("UA-DEMO", "readers")] == {SNAP, OTHER}
    assert told[GlobalGroupId("UA-DEMO", "security-server-owners")] == {OWNER}


def test_the_source_tells_its_own_address_with_port_and_keys(full: Connection) -> None:
    (source,) = shared_parameters(read_content(full), SOURCE).sources
    assert source.address == "cs.example:8880"
    assert (source.internal_certificates, source.external_certificates) == ((b"internal",), (b"external",))


def test_private_parameters_name_provider_address_and_certificate(full: Connection) -> None:
    told = private_parameters(read_content(full), SOURCE)
    service = told.management_service
    assert service.auth_cert_registration_address == "https://cs.example:4001/managementservice/"
    assert (service.provider, service.auth_cert_registration_certificate) == (OWNER, b"management")
    assert told.timestamping_interval_s == 60


@pytest.mark.parametrize("version", SCHEMAS)
def test_every_version_can_be_read_back(full: Connection, version: int) -> None:
    told = shared_parameters(read_content(full), SOURCE)
    read = parse_shared_parameters(build_shared_parameters(told, version), version)
    (server,) = read.security_servers
    (digest,) = server.auth_cert_hashes
    assert digest.algorithm is SCHEMAS[version].auth_cert_hash
    assert server.clients == {SNAP, OTHER}
    assert (len(read.sources), len(read.approved_tsas), len(read.members)) == (int(version > 2), 1, 2)


def test_the_same_registry_gives_the_same_bytes(full: Connection) -> None:
    first, second = (build_shared_parameters(shared_parameters(read_content(full), SOURCE), 6) for _ in range(2))
    assert first == second
