from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gateway.exchange.peers import identify, known_verdict, path_of
from gateway.xroad.faults import AccessRefused
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.globalconf.shared_parameters import ApprovedCa, CaInfo, OcspResponder
from gateway.xroad.identifiers import ClientId
from gateway.xroad.pki.ocsp import Status
from tests.factories.globalconf import (
    CLIENT,
    INSTANCE,
    OWNER,
    PROVIDER,
    SERVER,
    a_globalconf,
    a_key_pair,
    a_security_server,
    a_shared_parameters,
)
from tests.factories.pki import FIVRK, NOON, Issued, a_hierarchy

PKI = a_hierarchy()
AUTH = PKI.root.server(SERVER)


def a_conf(*, listed: Issued | None = AUTH, clients: tuple[ClientId, ...] = (CLIENT,), **changes: Any) -> GlobalConf:
    """Our CA is approved; SS1 of TEST/GOV/1001 has the authentication certificate and the client."""
    ca = ApprovedCa("Test CA", CaInfo(PKI.root.der, (OcspResponder("http://ocsp.test/", PKI.responder.der),)), FIVRK)
    certificates = () if listed is None else (listed.der,)
    server = a_security_server(SERVER, clients, auth_certificates=certificates)
    shared = a_shared_parameters(approved_cas=(ca,), security_servers=(server,), **changes)
    return a_globalconf(shared, expires_at=NOON + timedelta(hours=2))


def judge(globalconf: GlobalConf, *, peer: Issued = AUTH, client: ClientId = CLIENT, ocsp: list[bytes] | None = None):  # type: ignore[no-untyped-def]
    path = path_of(peer.der, globalconf, INSTANCE, NOON)
    responses = [PKI.status_of(peer.certificate)] if ocsp is None else ocsp
    return identify(path, peer.der, responses, client, globalconf, NOON)


def refusal(globalconf: GlobalConf, **options: Any) -> str:
    """The text id of the refusal; its code is always the same."""
    with pytest.raises(AccessRefused) as refused:
        judge(globalconf, **options)
    assert refused.value.code == "ssl_authentication_failed"
    return refused.value.text_id


@pytest.mark.parametrize("client", [CLIENT, OWNER])
def test_listed_server_speaks_for_its_clients_and_its_owner(client: ClientId) -> None:
    assert judge(a_conf(), client=client) == SERVER


def test_certificate_that_nobody_registered_is_refused() -> None:
    assert refusal(a_conf(listed=None)) == "peers.unlisted"


def test_server_does_not_speak_for_clients_of_others() -> None:
    assert refusal(a_conf(), client=PROVIDER) == "peers.not_its_client"


def test_certificate_of_an_unapproved_ca_is_refused() -> None:
    assert refusal(a_conf(), peer=Issued(a_key_pair("stranger").certificate, PKI.root.key)) in (
        "peers.no_path", "peers.not_authentication",
    )  # fmt: skip


def test_signing_certificate_does_not_authenticate() -> None:
    assert refusal(a_conf(), peer=PKI.root.signer(OWNER)) == "peers.not_authentication"


def test_missing_status_is_refused() -> None:
    assert refusal(a_conf(), ocsp=[]) == "peers.status_refused"


def test_revoked_certificate_is_refused() -> None:
    revoked = PKI.status_of(AUTH.certificate, status=Status.REVOKED)
    assert refusal(a_conf(), ocsp=[revoked]) == "peers.status_refused"


def test_status_older_than_allowed_is_refused() -> None:
    old = PKI.status_of(AUTH.certificate, this_update=NOON - timedelta(seconds=3601))
    assert refusal(a_conf(), ocsp=[old]) == "peers.status_refused"


def test_status_of_another_certificate_is_none() -> None:
    other = PKI.status_of(PKI.root.server(SERVER, "other.example.org").certificate)
    assert refusal(a_conf(), ocsp=[other]) == "peers.status_refused"


def test_verdict_is_known_until_its_status_is_too_old() -> None:
    globalconf = a_conf()
    assert known_verdict(AUTH.der, CLIENT, globalconf, NOON) is None
    status = PKI.status_of(AUTH.certificate, this_update=NOON - timedelta(minutes=5))
    judge(globalconf, ocsp=[status])
    assert known_verdict(AUTH.der, CLIENT, globalconf, NOON + timedelta(minutes=54)) == SERVER
    assert known_verdict(AUTH.der, CLIENT, globalconf, NOON + timedelta(minutes=56)) is None
    assert known_verdict(AUTH.der, PROVIDER, globalconf, NOON) is None


def test_verdict_ends_with_its_configuration() -> None:
    judge(a_conf())
    assert known_verdict(AUTH.der, CLIENT, a_conf(listed=None), NOON) is None
