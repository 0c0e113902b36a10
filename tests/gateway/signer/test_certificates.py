"""From key to certificate: requested, imported, activated, deleted, and refused where it must be."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.signer.model import CertificateStatus, KeyAlgorithm, KeyUsage
from gateway.xroad.faults import SignatureRefused, SigningUnavailable
from gateway.xroad.pki.csr import parse_csr
from tests.factories.pki import NOON, a_member, a_root
from tests.gateway.signer.conftest import MEMBER, SUBJECT, Conf, a_configuration


def code_of(act, *args, **options):
    with pytest.raises((SigningUnavailable, SignatureRefused)) as fault:
        act(*args, **options)
    return fault.value.code


def import_(world, der, **options):
    return world.keyring.import_certificate(der, world.conf.current(), world.clock.now(), **options)


def signing_request(world):
    key = world.keyring.generate_key("sign")
    return key, world.keyring.request_certificate(key.id, KeyUsage.SIGNING, SUBJECT, MEMBER)


def test_new_key_is_listed_on_its_token_without_usage(world):
    key = world.keyring.generate_key(" sign ")
    (token,) = world.keyring.tokens()
    assert (token.id, token.initialised, token.logged_in) == ("0", True, True)
    assert [facts.key for facts in token.keys] == [key]
    assert (key.usage, key.label, key.algorithm) == (None, "sign", KeyAlgorithm.EC)
    assert token.keys[0].available


def test_key_cannot_be_made_without_login(world):
    world.keyring.logout()
    assert code_of(world.keyring.generate_key) == "token_not_active"


def test_rsa_keys_are_made_when_asked_for(world):
    assert world.keyring.generate_key(algorithm=KeyAlgorithm.RSA).algorithm is KeyAlgorithm.RSA


def test_request_is_signed_by_the_key_and_fixes_its_usage(world):
    key, request = signing_request(world)
    parsed = parse_csr(request.der)
    assert "CN=1001" in parsed.subject.rfc4514_string()
    (token,) = world.keyring.tokens()
    assert token.keys[0].key.usage is KeyUsage.SIGNING
    assert token.keys[0].requests == (request,)
    assert code_of(world.keyring.request_certificate, key.id, KeyUsage.AUTHENTICATION, SUBJECT) == "wrong_cert_usage"


def test_signing_request_names_a_member_and_authentication_request_none(world):
    key = world.keyring.generate_key()
    assert code_of(world.keyring.request_certificate, key.id, KeyUsage.SIGNING, SUBJECT) == "wrong_cert_usage"
    assert (
        code_of(world.keyring.request_certificate, key.id, KeyUsage.AUTHENTICATION, SUBJECT, MEMBER)
        == "wrong_cert_usage"
    )


def test_request_for_an_unknown_key_is_refused(world):
    assert code_of(world.keyring.request_certificate, "0" * 40, KeyUsage.AUTHENTICATION, SUBJECT) == "key_not_found"


def test_request_can_be_found_and_deleted(world):
    _, request = signing_request(world)
    assert world.keyring.find_request(request.id) == request
    world.keyring.delete_request(request.id)
    assert code_of(world.keyring.find_request, request.id) == "csr_not_found"
    assert code_of(world.keyring.delete_request, request.id) == "csr_not_found"


def test_imported_signing_certificate_belongs_to_its_member_and_counts_as_registered(world):
    key, request = signing_request(world)
    record = import_(world, world.certify(request.der))
    assert (record.member, record.key) == (MEMBER, key.id)
    assert (record.status, record.active) == (CertificateStatus.REGISTERED, False)
    (token,) = world.keyring.tokens()
    assert token.keys[0].certificates == (record,)
    assert token.keys[0].requests == ()  # fulfilled


def test_imported_authentication_certificate_waits_for_registration(world):
    record = world.auth_certificate(registered=False)
    assert (record.member, record.status, record.active) == (None, CertificateStatus.SAVED, False)


def test_certificate_is_imported_once(world):
    record = world.sign_certificate()
    assert code_of(import_, world, record.der) == "cert_exists"


def test_certificate_of_a_strange_key_is_refused(world):
    stranger = world.pki.root.signer(a_member())
    assert code_of(import_, world, stranger.der) == "key_not_found"


def test_certificate_of_an_unapproved_ca_is_refused(world):
    _, request = signing_request(world)
    der = world.certify(request.der, ca=a_root("Unapproved CA"))
    assert code_of(import_, world, der) == "incorrect_certificate"


def test_certificate_outside_its_validity_is_refused(world):
    _, request = signing_request(world)
    der = world.certify(request.der, not_after=NOON - timedelta(seconds=1))
    assert code_of(import_, world, der) == "cert_validity_time"


def test_certificate_for_another_use_than_its_key_is_refused(world):
    _, request = signing_request(world)
    assert code_of(import_, world, world.certify(request.der, "auth")) == "wrong_cert_usage"


def test_certificate_for_both_uses_follows_its_key(world):
    _, request = signing_request(world)
    assert import_(world, world.certify(request.der, "both")).member == MEMBER


def test_certificate_for_neither_use_is_refused(world):
    _, request = signing_request(world)
    assert code_of(import_, world, world.certify(request.der, "ca")) == "wrong_cert_usage"


def test_signing_certificate_of_an_authentication_only_ca_is_refused(world):
    world.conf = Conf(a_configuration(world.pki, authentication_only=True))
    _, request = signing_request(world)
    assert code_of(import_, world, world.certify(request.der)) == "wrong_cert_usage"
    assert world.auth_certificate(registered=False)


@pytest.mark.parametrize("data", [b"", b"no certificate"])
def test_bytes_that_are_no_certificate_are_refused(world, data):
    assert code_of(import_, world, data) == "incorrect_certificate"


def test_certificates_are_activated_and_deactivated(world):
    record = world.sign_certificate(active=False)
    assert world.keyring.set_active(record.hash, True).active
    assert world.keyring.find_certificate(record.hash).active
    assert not world.keyring.set_active(record.hash.upper(), False).active
    assert code_of(world.keyring.set_active, "00" * 32, True) == "cert_not_found"


def test_authentication_certificate_moves_through_registration(world):
    record = world.auth_certificate(registered=False)
    for status in (CertificateStatus.REGISTRATION_IN_PROGRESS, CertificateStatus.REGISTERED):
        world.keyring.set_status(record.hash, status)
        assert world.keyring.find_certificate(record.hash).status is status


def test_signing_certificate_is_never_registered(world):
    record = world.sign_certificate()
    assert code_of(world.keyring.set_status, record.hash, CertificateStatus.SAVED) == "action_not_possible"


def test_registered_authentication_certificate_is_not_deleted(world):
    record = world.auth_certificate()
    assert code_of(world.keyring.delete_certificate, record.hash) == "action_not_possible"
    assert code_of(world.keyring.delete_key, record.key) == "action_not_possible"
    world.keyring.set_status(record.hash, CertificateStatus.DELETION_IN_PROGRESS)
    world.keyring.delete_certificate(record.hash)
    assert code_of(world.keyring.find_certificate, record.hash) == "cert_not_found"


def test_deleted_key_is_gone_with_everything_on_it(world):
    record = world.sign_certificate()
    world.keyring.delete_key(record.key)
    (token,) = world.keyring.tokens()
    assert token.keys == ()
    assert not world.keystore.holds(record.key)
    assert code_of(world.keyring.delete_key, record.key) == "key_not_found"


def test_labels_can_be_changed(world):
    key = world.keyring.generate_key("old")
    world.keyring.set_key_label(key.id, "new")
    world.keyring.set_token_label("ours")
    (token,) = world.keyring.tokens()
    assert (token.label, token.keys[0].key.label) == ("ours", "new")


def test_everything_is_there_after_a_restart(world):
    record = world.sign_certificate()
    (before,) = world.keyring.tokens()
    world.stop()
    world.start(login=False)
    (after,) = world.keyring.tokens()
    assert [facts.certificates for facts in after.keys] == [(record,)]
    assert not after.logged_in
    assert not after.keys[0].available
    world.keyring.login("Test-pin-2026")
    assert world.keyring.tokens() == (before,)
