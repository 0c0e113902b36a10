"""Keys, requests and certificates of this server: make, import, activate, delete (X-Road CertManager.java).

A key's usage is fixed by the first request or certificate. Every act is one transaction, after which
`on_change` is called, so that the process signs by the new state from then on.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

from cryptography import x509
from sqlalchemy import Connection

from gateway.runtime.database import Database
from gateway.signer import store
from gateway.signer.keystore import DEFAULT_RSA_BITS, Keystore, key_id_of, public_key_der
from gateway.signer.model import (
    SOFTWARE_TOKEN,
    CertificateRecord,
    CertificateRequest,
    CertificateStatus,
    KeyAlgorithm,
    KeyFacts,
    KeyRecord,
    KeyUsage,
    TokenFacts,
)
from gateway.xroad.digests import DigestAlgorithm
from gateway.xroad.faults import SigningUnavailable
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.identifiers import MemberId, SecurityServerId
from gateway.xroad.pki.certificates import der_of, key_of, load_certificate, sha256_of, subject_of
from gateway.xroad.pki.csr import build_csr
from gateway.xroad.pki.keys import algorithm_for, sign_digest
from gateway.xroad.pki.profiles import auth_subject, is_auth_certificate, is_sign_certificate, sign_subject

CSR_DIGEST: Final = DigestAlgorithm.SHA256  # what every CA reads
MAX_LABEL: Final = 255


class Configuration(Protocol):
    """Where the global configuration comes from."""

    def current(self) -> GlobalConf:
        """Return the snapshot in force, or raise ConfigurationUnusable."""
        ...


@dataclass(frozen=True, slots=True)
class SubjectFacts:
    """What goes into the subject of a request; `dns` is the server's host name, for authentication certificates."""

    profile: str
    server: SecurityServerId
    organisation: str
    dns: str | None = None
    country: str = "UA"


class Keyring:
    """What may be done with the keys and certificates of the software token."""

    def __init__(
        self,
        database: Database,
        keystore: Keystore,
        *,
        on_change: Callable[[], None] = lambda: None,
        algorithm: KeyAlgorithm = KeyAlgorithm.EC,
        rsa_bits: int = DEFAULT_RSA_BITS,
    ) -> None:
        self._database = database
        self._keystore = keystore
        self._on_change = on_change
        self._algorithm = algorithm
        self._rsa_bits = rsa_bits

    def tokens(self) -> tuple[TokenFacts, ...]:
        """Return the token with its keys, each with its certificates and requests."""
        with self._database.reading() as connection:
            snapshot = store.read_snapshot(connection)
            requests = store.read_requests(connection)
            label = store.find_token_label(connection, SOFTWARE_TOKEN)
        keys = tuple(
            KeyFacts(
                key=key,
                available=self._keystore.holds(key.id),
                certificates=tuple(c for c in snapshot.certificates if c.key == key.id),
                requests=tuple(r for r in requests if r.key == key.id),
            )
            for key in snapshot.keys
        )
        store_facts = self._keystore.is_initialised, self._keystore.is_logged_in
        return (TokenFacts(SOFTWARE_TOKEN, label or f"softToken-{SOFTWARE_TOKEN}", *store_facts, keys),)

    def initialise(self, pin: str) -> None:
        """Set the first PIN; the token is open afterwards. Raises SigningUnavailable as `Keystore.initialise`."""
        self._keystore.initialise(pin)
        self._on_change()

    def change_pin(self, old: str, new: str) -> None:
        """Encrypt all keys anew. Raises SigningUnavailable as `Keystore.change_pin`."""
        self._keystore.change_pin(old, new)

    def login(self, pin: str) -> None:
        """Open the token. Raises SigningUnavailable as `Keystore.login`."""
        self._keystore.login(pin)
        self._on_change()

    def logout(self) -> None:
        """Close the token: nothing can be signed until the next login."""
        self._keystore.logout()
        self._on_change()

    def set_token_label(self, label: str) -> None:
        """Give the token another label."""
        with self._database.transaction() as connection:
            store.save_token(connection, SOFTWARE_TOKEN, _label(label))
        self._on_change()

    def generate_key(
        self, label: str = "", *, algorithm: KeyAlgorithm | None = None, usage: KeyUsage | None = None
    ) -> KeyRecord:
        """Make a key pair on the software token.

        Raises SigningUnavailable (token_not_active). The file is written first: a key without a row
        is a file to delete, a row without a key would be a promise nobody can keep.
        """
        kind = algorithm or self._algorithm
        public_key = self._keystore.generate(kind, rsa_bits=self._rsa_bits)
        key = KeyRecord(key_id_of(public_key), SOFTWARE_TOKEN, _label(label), usage, kind, public_key_der(public_key))
        with self._database.transaction() as connection:
            if store.find_token_label(connection, SOFTWARE_TOKEN) is None:
                store.save_token(connection, SOFTWARE_TOKEN, f"softToken-{SOFTWARE_TOKEN}")
            store.add_key(connection, key)
        self._on_change()
        return key

    def set_key_label(self, key_id: str, label: str) -> None:
        """Give a key another label. Raises SigningUnavailable (key_not_found)."""
        with self._database.transaction() as connection:
            _key(connection, key_id)
            store.set_key_label(connection, key_id, _label(label))
        self._on_change()

    def request_certificate(
        self, key_id: str, usage: KeyUsage, subject: SubjectFacts, member: MemberId | None = None
    ) -> CertificateRequest:
        """Make a signed request for a certificate of this key; `member` only for signing certificates.

        Raises SigningUnavailable: key_not_found, token_not_active, wrong_cert_usage when the key is
        for something else already.
        """
        if (usage is KeyUsage.SIGNING) != (member is not None):
            raise SigningUnavailable("wrong_cert_usage", "signer.request_member", usage=usage.value)
        private_key = self._keystore.private_key(key_id)
        algorithm = algorithm_for(private_key, CSR_DIGEST)
        name = _subject_name(subject, member)
        der = build_csr(
            name,
            private_key.public_key(),
            lambda data: sign_digest(private_key, algorithm, CSR_DIGEST.digest(data)),
            algorithm,
            dns_names=[subject.dns] if subject.dns else (),
        )
        made = CertificateRequest(secrets.token_hex(16), key_id, member, name.rfc4514_string(), subject.profile, der)
        with self._database.transaction() as connection:
            _fix_usage(connection, _key(connection, key_id), usage)
            store.add_request(connection, made)
        self._on_change()
        return made

    def find_request(self, request_id: str) -> CertificateRequest:
        """Return a request. Raises SigningUnavailable (csr_not_found)."""
        with self._database.reading() as connection:
            return _request(connection, request_id)

    def delete_request(self, request_id: str) -> None:
        """Forget a request. Raises SigningUnavailable (csr_not_found)."""
        with self._database.transaction() as connection:
            _request(connection, request_id)
            store.delete_request(connection, request_id)
        self._on_change()

    def import_certificate(
        self, data: bytes, globalconf: GlobalConf, at: datetime, *, activate: bool = False
    ) -> CertificateRecord:
        """Take in a certificate that a CA issued for one of our keys, DER or PEM.

        1. it is a certificate, of an approved CA, and valid at `at`;
        2. one of our keys is its key, and it is not known yet;
        3. its usage is the key's: signing certificates name a member and count as registered,
           authentication certificates are saved until the central services approve them.

        Requests of the key for the same member are fulfilled by it, and forgotten.

        Raises SignatureRefused (incorrect_certificate) for (1), SigningUnavailable: cert_validity_time,
        key_not_found, cert_exists, wrong_cert_usage.
        """
        certificate = load_certificate(data)
        globalconf.profile_of_issuer(certificate, globalconf.instance)  # (1)
        _check_dates(certificate, at)
        public_key = public_key_der(key_of(certificate))
        with self._database.transaction() as connection:
            key = store.find_key_by_public_key(connection, public_key)  # (2)
            if key is None:
                raise SigningUnavailable(
                    "key_not_found", "signer.no_key_for_certificate", subject=subject_of(certificate)
                )
            known = store.find_certificate(connection, sha256_of(certificate))
            if known is not None:
                raise SigningUnavailable("cert_exists", "signer.certificate_exists", hash=known.hash)
            usage = _usage_of(certificate, key)  # (3)
            _check_issuer(certificate, usage, globalconf)
            _fix_usage(connection, key, usage)
            signing = usage is KeyUsage.SIGNING
            record = CertificateRecord(
                hash=sha256_of(certificate),
                key=key.id,
                member=globalconf.member_of(certificate, globalconf.instance) if signing else None,
                der=der_of(certificate),
                status=CertificateStatus.REGISTERED if signing else CertificateStatus.SAVED,
                active=activate,
            )
            store.add_certificate(connection, record)
            _fulfil_requests(connection, record)
        self._on_change()
        return record

    def find_certificate(self, certificate_hash: str) -> CertificateRecord:
        """Return a certificate by its SHA-256 hash. Raises SigningUnavailable (cert_not_found)."""
        with self._database.reading() as connection:
            return _certificate(connection, certificate_hash)

    def set_active(self, certificate_hash: str, active: bool) -> CertificateRecord:
        """Activate or deactivate a certificate. Raises SigningUnavailable (cert_not_found)."""
        with self._database.transaction() as connection:
            record = _certificate(connection, certificate_hash)
            store.set_certificate_active(connection, record.hash, active)
        self._on_change()
        return replace(record, active=active)

    def set_status(self, certificate_hash: str, status: CertificateStatus) -> CertificateRecord:
        """Note where a certificate stands towards the central services.

        Raises SigningUnavailable: cert_not_found, action_not_possible for a signing certificate,
        which nobody registers.
        """
        with self._database.transaction() as connection:
            record = _certificate(connection, certificate_hash)
            if record.member is not None:
                raise SigningUnavailable("action_not_possible", "signer.sign_not_registered", hash=record.hash)
            store.set_certificate_status(connection, record.hash, status)
        self._on_change()
        return replace(record, status=status)

    def delete_certificate(self, certificate_hash: str) -> None:
        """Forget a certificate; its key stays.

        Raises SigningUnavailable: cert_not_found, action_not_possible while an authentication
        certificate is registered, since peers would still be told to expect it.
        """
        with self._database.transaction() as connection:
            record = _certificate(connection, certificate_hash)
            _check_deletable(record)
            store.delete_certificate(connection, record.hash)
        self._on_change()

    def delete_key(self, key_id: str) -> None:
        """Destroy a key with its requests and certificates.

        Raises SigningUnavailable: key_not_found, token_not_active, action_not_possible as
        delete_certificate. The row goes first: a file without a row is only waste.
        """
        if not self._keystore.is_logged_in:
            raise SigningUnavailable("token_not_active", "signer.token_not_active")
        with self._database.transaction() as connection:
            _key(connection, key_id)
            for record in store.read_snapshot(connection).certificates:
                if record.key == key_id:
                    _check_deletable(record)
            store.delete_key(connection, key_id)
        self._keystore.delete(key_id)
        self._on_change()


def _label(label: str) -> str:
    return label.strip()[:MAX_LABEL]


def _subject_name(subject: SubjectFacts, member: MemberId | None) -> x509.Name:
    profile, server, organisation = subject.profile, subject.server, subject.organisation
    if member is None:
        return auth_subject(profile, server, organisation, subject.dns, country=subject.country)
    return sign_subject(profile, server, member, organisation, subject.dns, country=subject.country)


def _key(connection: Connection, key_id: str) -> KeyRecord:
    found = store.find_key(connection, key_id)
    if found is None:
        raise SigningUnavailable("key_not_found", "signer.key_not_found", key=key_id)
    return found


def _request(connection: Connection, request_id: str) -> CertificateRequest:
    found = store.find_request(connection, request_id)
    if found is None:
        raise SigningUnavailable("csr_not_found", "signer.request_not_found", request=request_id)
    return found


def _certificate(connection: Connection, certificate_hash: str) -> CertificateRecord:
    found = store.find_certificate(connection, certificate_hash)
    if found is None:
        raise SigningUnavailable("cert_not_found", "signer.certificate_not_found", hash=certificate_hash)
    return found


def _check_dates(certificate: x509.Certificate, at: datetime) -> None:
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise SigningUnavailable(
            "cert_validity_time",
            "signer.certificate_dates",
            subject=subject_of(certificate),
            not_before=certificate.not_valid_before_utc.isoformat(),
            not_after=certificate.not_valid_after_utc.isoformat(),
        )


def _usage_of(certificate: x509.Certificate, key: KeyRecord) -> KeyUsage:
    possible = {
        KeyUsage.SIGNING: is_sign_certificate(certificate),
        KeyUsage.AUTHENTICATION: is_auth_certificate(certificate),
    }
    usages = [usage for usage, holds in possible.items() if holds]
    if len(usages) == 1:
        return usages[0]
    if key.usage in usages and key.usage is not None:  # for both purposes: the key knows which
        return key.usage
    raise SigningUnavailable("wrong_cert_usage", "signer.certificate_usage_unclear", subject=subject_of(certificate))


def _check_issuer(certificate: x509.Certificate, usage: KeyUsage, globalconf: GlobalConf) -> None:
    issuer = globalconf.issuer_of(certificate, globalconf.instance)
    if usage is KeyUsage.SIGNING and issuer is not None and issuer.authentication_only:
        raise SigningUnavailable("wrong_cert_usage", "signer.authentication_only_ca", ca=issuer.name)


def _fix_usage(connection: Connection, key: KeyRecord, usage: KeyUsage) -> None:
    if key.usage is None:
        store.set_key_usage(connection, key.id, usage)
    elif key.usage is not usage:
        raise SigningUnavailable(
            "wrong_cert_usage", "signer.key_usage", key=key.id, usage=key.usage.value, asked=usage.value
        )


def _fulfil_requests(connection: Connection, record: CertificateRecord) -> None:
    for request in store.read_requests(connection):
        if (request.key, request.member) == (record.key, record.member):
            store.delete_request(connection, request.id)


def _check_deletable(record: CertificateRecord) -> None:
    registered = CertificateStatus.REGISTERED, CertificateStatus.REGISTRATION_IN_PROGRESS
    if record.member is None and record.status in registered:
        raise SigningUnavailable(
            "action_not_possible", "signer.certificate_registered", hash=record.hash, status=record.status.value
        )
