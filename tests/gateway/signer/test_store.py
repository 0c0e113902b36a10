"""Rows come back as the facts they were, on both kinds of database."""

from __future__ import annotations

from dataclasses import replace

from gateway.signer import store
from gateway.signer.model import (
    CertificateRecord,
    CertificateRequest,
    CertificateStatus,
    KeyAlgorithm,
    KeyRecord,
    KeyUsage,
)
from tests.factories.pki import a_member

KEY = KeyRecord("k" * 40, "0", "our key", None, KeyAlgorithm.EC, b"\x30\x00public")
REQUEST = CertificateRequest("r1", KEY.id, a_member(), "CN=1001", "profile", b"der")
CERTIFICATE = CertificateRecord("ab" * 32, KEY.id, a_member(), b"der", CertificateStatus.SAVED, active=False)


def prepare(database):
    with database.transaction() as connection:
        store.save_token(connection, "0", "token")
        store.add_key(connection, KEY)
        store.add_request(connection, REQUEST)
        store.add_certificate(connection, CERTIFICATE)


def test_facts_come_back_as_they_were(fresh):
    prepare(fresh)
    with fresh.reading() as connection:
        snapshot = store.read_snapshot(connection)
        assert (snapshot.keys, snapshot.certificates) == ((KEY,), (CERTIFICATE,))
        assert store.read_requests(connection) == (REQUEST,)
        assert store.find_key_by_public_key(connection, KEY.public_key_der) == KEY
        assert store.find_certificate(connection, CERTIFICATE.hash.upper()) == CERTIFICATE
        assert store.find_token_label(connection, "0") == "token"


def test_changes_are_kept_and_counted(fresh):
    prepare(fresh)
    with fresh.transaction() as connection:
        before = store.read_version(connection)
        store.set_key_usage(connection, KEY.id, KeyUsage.SIGNING)
        store.set_key_label(connection, KEY.id, "renamed")
        store.set_certificate_active(connection, CERTIFICATE.hash, True)
        store.set_certificate_status(connection, CERTIFICATE.hash, CertificateStatus.REGISTERED)
        assert store.read_version(connection) == before + 4
        assert store.find_key(connection, KEY.id) == replace(KEY, usage=KeyUsage.SIGNING, label="renamed")
        found = store.find_certificate(connection, CERTIFICATE.hash)
        assert found == replace(CERTIFICATE, active=True, status=CertificateStatus.REGISTERED)


def test_deleted_key_takes_its_certificates_and_requests_along(fresh):
    prepare(fresh)
    with fresh.transaction() as connection:
        store.delete_key(connection, KEY.id)
    with fresh.reading() as connection:
        snapshot = store.read_snapshot(connection)
        assert (snapshot.keys, snapshot.certificates) == ((), ())
        assert store.read_requests(connection) == ()


def test_empty_database_has_version_zero(fresh):
    with fresh.reading() as connection:
        assert store.read_version(connection) == 0
