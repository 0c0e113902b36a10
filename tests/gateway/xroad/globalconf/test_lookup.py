from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.xroad.faults import SignatureRefused
from gateway.xroad.globalconf.lookup import MAX_MEMO_ENTRIES, Memo
from gateway.xroad.globalconf.optional_parts import OptionalParts
from gateway.xroad.globalconf.shared_parameters import CaInfo, GlobalGroup
from gateway.xroad.identifiers import GlobalGroupId, MemberId, SecurityServerId, SubsystemId
from tests.factories.globalconf import (
    CLIENT,
    NOW,
    OWNER,
    PROVIDER,
    PROVIDER_SERVER,
    SERVER,
    a_globalconf,
    a_key_pair,
    a_member,
    a_private_parameters,
    a_security_server,
    a_shared_parameters,
    an_approved_ca,
)

PARTNER = a_shared_parameters("PARTNER")
PARTNER_CLIENT = SubsystemId(MemberId("PARTNER", "GOV", "1001"), "client")


def test_a_client_is_found_on_every_server_it_is_registered_on() -> None:
    second = SecurityServerId(MemberId("TEST", "COM", "2002"), "SS9")
    shared = a_shared_parameters()
    more = (*shared.security_servers, a_security_server(second, (CLIENT,), address="127.0.9.1"))
    globalconf = a_globalconf(replace(shared, security_servers=more))
    assert [server.address for server in globalconf.servers_of(CLIENT)] == ["127.0.2.1", "127.0.9.1"]


def test_the_owner_is_a_client_of_its_server_without_being_listed() -> None:
    globalconf = a_globalconf()
    assert [server.id for server in globalconf.servers_of(OWNER)] == [SERVER]
    assert globalconf.is_client_of(OWNER, SERVER)
    assert globalconf.is_client_of(CLIENT, SERVER)
    assert not globalconf.is_client_of(CLIENT, PROVIDER_SERVER)
    assert not globalconf.is_client_of(CLIENT, SecurityServerId(OWNER, "nowhere"))


def test_nobody_knows_a_client_that_is_not_listed() -> None:
    stranger = SubsystemId(OWNER, "stranger")
    globalconf = a_globalconf()
    assert globalconf.servers_of(stranger) == ()
    assert not globalconf.is_known(stranger)
    assert globalconf.is_known(CLIENT)


def test_an_authentication_certificate_leads_to_its_server() -> None:
    shared = a_shared_parameters(security_servers=(a_security_server(auth_certificates=(b"auth",)),))
    globalconf = a_globalconf(shared)
    assert globalconf.server_of_certificate(b"auth") == SERVER
    assert globalconf.server_of_certificate(b"other") is None


def test_names_are_those_of_the_member_and_of_the_subsystem() -> None:
    globalconf = a_globalconf(
        a_shared_parameters(members=(a_member(subsystem_name="Front office"),), security_servers=())
    )
    assert globalconf.member_name(CLIENT) == "Ministry"
    assert globalconf.subsystem_name(CLIENT) == "Front office"
    assert globalconf.subsystem_name(OWNER) is None
    assert globalconf.member_name(PROVIDER) is None


def test_clients_come_member_by_member_and_instance_by_instance() -> None:
    globalconf = a_globalconf(a_shared_parameters(), PARTNER)
    assert globalconf.clients()[:2] == (OWNER, CLIENT)
    assert PARTNER_CLIENT in globalconf.clients()
    assert PARTNER_CLIENT not in globalconf.clients("TEST")
    assert globalconf.clients("NOWHERE") == ()
    assert globalconf.instances == ("TEST", "PARTNER")


def test_a_member_in_a_group_does_not_stand_for_its_subsystems() -> None:
    owners = GlobalGroupId("TEST", "security-server-owners")
    globalconf = a_globalconf()
    assert globalconf.is_in_group(OWNER, owners)
    assert not globalconf.is_in_group(CLIENT, owners)
    assert not globalconf.is_in_group(OWNER, GlobalGroupId("TEST", "nobody"))


def test_a_group_may_list_clients_of_another_instance() -> None:
    group = GlobalGroupId("TEST", "partners")
    shared = a_shared_parameters(global_groups=(GlobalGroup(group, "", frozenset({PARTNER_CLIENT})),))
    assert a_globalconf(shared).is_in_group(PARTNER_CLIENT, group)


def test_the_issuer_is_known_by_name_and_by_key() -> None:
    ca = a_key_pair("Test CA", ca=True)
    same_name = a_key_pair("Test CA", ca=False)  # another key under the name of the CA
    globalconf = a_globalconf()
    found = globalconf.issuer_of(a_key_pair("leaf", ca).certificate)
    assert found is not None
    assert (found.certificate, found.is_top, found.name) == (ca.certificate, True, "Test CA")
    assert globalconf.issuer_of(a_key_pair("forged", same_name).certificate) is None
    assert globalconf.issuer_of(a_key_pair("unknown").certificate) is None


def test_the_issuer_is_looked_for_in_the_instance_that_is_asked_about() -> None:
    partner_ca = a_key_pair("Partner CA", ca=True)
    partner = replace(PARTNER, approved_cas=(an_approved_ca("Partner CA", partner_ca),))
    globalconf = a_globalconf(a_shared_parameters(), partner)
    leaf = a_key_pair("partner leaf", partner_ca).certificate
    assert globalconf.issuer_of(leaf) is not None
    assert globalconf.issuer_of(leaf, "PARTNER") is not None
    assert globalconf.issuer_of(leaf, "TEST") is None


def test_a_service_that_may_verify_signatures_comes_before_one_for_authentication_only() -> None:
    both = (an_approved_ca(authentication_only=True), an_approved_ca())
    globalconf = a_globalconf(a_shared_parameters(approved_cas=both))
    found = globalconf.issuer_of(a_key_pair("leaf", a_key_pair("Test CA", ca=True)).certificate)
    assert found is not None
    assert not found.authentication_only


def test_intermediates_are_authorities_too() -> None:
    root = a_key_pair("Test CA", ca=True)
    sub = a_key_pair("Sub CA", root, ca=True)
    shared = a_shared_parameters(approved_cas=(an_approved_ca(intermediates=(CaInfo(sub.der),)),))
    globalconf = a_globalconf(shared)
    assert [ca.is_top for ca in globalconf.authorities()] == [True, False]
    found = globalconf.issuer_of(a_key_pair("sub leaf", sub).certificate)
    assert found is not None
    assert found.certificate == sub.certificate


def test_a_certificate_of_an_unknown_issuer_names_nobody() -> None:
    with pytest.raises(SignatureRefused) as caught:
        a_globalconf().member_of(a_key_pair("unknown").der, "TEST")
    assert caught.value.text_id == "globalconf.issuer_not_approved"


def test_ocsp_is_asked_at_the_responders_of_the_issuer() -> None:
    leaf = a_key_pair("leaf", a_key_pair("Test CA", ca=True)).certificate
    globalconf = a_globalconf()
    assert globalconf.ocsp_urls_of(leaf) == ("http://ca.test:8888/ocsp",)


def test_time_stamping_authorities_are_those_of_the_own_instance_unless_asked() -> None:
    tsa = replace(PARTNER.approved_tsas[0], certificate_der=a_key_pair("partner tsa").der)
    globalconf = a_globalconf(a_shared_parameters(), replace(PARTNER, approved_tsas=(tsa,)))
    assert [tsa.instance for tsa in globalconf.tsas()] == ["TEST"]
    assert len(globalconf.tsa_certificates()) == 2
    assert len(globalconf.tsa_certificates("PARTNER")) == 1


def test_settings_come_from_private_and_optional_parts() -> None:
    private = a_private_parameters(timestamping_interval_s=7)
    globalconf = a_globalconf(private=private, optional=OptionalParts(CLIENT, False, 30))
    assert globalconf.timestamping_interval_s == 7
    assert globalconf.management_provider == CLIENT
    assert (globalconf.monitoring_client, globalconf.verify_next_update) == (CLIENT, False)
    assert (globalconf.ocsp_fetch_interval_s, globalconf.ocsp_freshness_s) == (30, 3600)


def test_a_renewed_configuration_keeps_what_was_proven_against_it() -> None:
    globalconf = a_globalconf()
    globalconf.memo["proof"] = True
    later = globalconf.valid_until(NOW + timedelta(days=1))
    assert later.memo is globalconf.memo
    assert later.expires_at == NOW + timedelta(days=1)


def test_the_memo_never_grows_without_bound() -> None:
    memo = Memo()
    for number in range(MAX_MEMO_ENTRIES + 5):
        memo[number] = number
    assert len(memo) == 5
