"""The Signer port: who signs, with what, and the signature itself (X-Road TokenManager.java, SignReqHandler.java).

Identities are chosen from an immutable snapshot of the tables and kept until the snapshot, the global
configuration or the freshness of an OCSP response ends; the way of a message never meets the
database. P-256 is signed in place, where a thread would cost more than the signature; RSA in a small
pool. Nothing handed out is shared and mutable: the same port can stand at the end of a socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final, Generic, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.runtime.clock import Clock
from gateway.runtime.database import Database
from gateway.signer import store
from gateway.signer.certificates import Configuration
from gateway.signer.keystore import Keystore
from gateway.signer.model import (
    AuthenticationIdentity,
    CertificateRecord,
    CertificateStatus,
    KeyringSnapshot,
    KeyUsage,
)
from gateway.signer.ocsp_cache import OcspCache
from gateway.signer.paths import full_path
from gateway.xroad.digests import DigestAlgorithm, SignatureAlgorithm
from gateway.xroad.faults import SignatureRefused, SigningUnavailable
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.identifiers import MemberId
from gateway.xroad.pki.certificates import der_of, is_valid_at, key_of, load_certificate, sha1_of
from gateway.xroad.pki.keys import algorithm_for, sign_digest
from gateway.xroad.pki.ocsp import OcspStatus
from gateway.xroad.signature.signed_message import SigningIdentity

RSA_THREADS: Final = 2
MAX_STATUS_QUESTIONS: Final = 64  # certificates asked about in one request to port 5577


Kept = TypeVar("Kept", covariant=True)


@dataclass(frozen=True, slots=True)
class _Chosen(Generic[Kept]):
    """What was chosen, by which snapshots, and how long it holds."""

    kept: Kept
    snapshot: KeyringSnapshot
    globalconf: GlobalConf
    until: datetime


class Signer:
    """Satisfies the port of the exchange over a keystore in this process."""

    def __init__(
        self,
        database: Database,
        keystore: Keystore,
        ocsp: OcspCache,
        configuration: Configuration,
        clock: Clock,
        *,
        digest: DigestAlgorithm = DigestAlgorithm.SHA512,
    ) -> None:
        self._database = database
        self._keystore = keystore
        self._ocsp = ocsp
        self._configuration = configuration
        self._clock = clock
        self._digest = digest
        self._pool = ThreadPoolExecutor(RSA_THREADS, thread_name_prefix="sign")
        self._chosen: dict[MemberId, _Chosen[SigningIdentity]] = {}
        self._own_status: _Chosen[tuple[bytes, ...]] | None = None
        self._snapshot = KeyringSnapshot(-1, (), ())
        self.reload()

    def close(self) -> None:
        """Stop the signing threads."""
        self._pool.shutdown(wait=True)

    def reload(self) -> None:
        """Read the tables anew; call it after every change, off the event loop."""
        with self._database.reading() as connection:
            snapshot = store.read_snapshot(connection)
        self._snapshot = snapshot
        self._forget_chosen()

    def reload_if_changed(self) -> bool:
        """Read the tables anew when another process changed them; call it once a second, off the event loop."""
        with self._database.reading() as connection:
            if store.read_version(connection) == self._snapshot.version:
                return False
        self.reload()
        return True

    @property
    def snapshot(self) -> KeyringSnapshot:
        """The keys and certificates in force."""
        return self._snapshot

    # signing

    def identity_of(self, member: MemberId) -> SigningIdentity:
        """Return certificate, chain, OCSP responses and key of `member`, taken together.

        Raises SigningUnavailable: token_not_active, key_not_found when there is no certificate at
        all, cannot_create_signature when none of them can be used, with the reason for the best.
        """
        at = self._clock.now()
        globalconf = self._configuration.current()
        known = self._chosen.get(member)
        if known is not None and _holds(known, self._snapshot, globalconf, at) and self._keystore.is_logged_in:
            return known.kept
        chosen = self._choose(member, self._snapshot, globalconf, at)
        self._chosen[member] = chosen
        return chosen.kept

    def _choose(
        self, member: MemberId, snapshot: KeyringSnapshot, globalconf: GlobalConf, at: datetime
    ) -> _Chosen[SigningIdentity]:
        candidates = _newest_first(record for record in snapshot.certificates if record.member == member)
        if not candidates:
            raise SigningUnavailable("key_not_found", "signer.no_certificate", member=member)
        if not self._keystore.is_logged_in:
            raise SigningUnavailable("token_not_active", "signer.token_not_active")
        best: SigningUnavailable | None = None
        for record in sorted(candidates, key=lambda candidate: not candidate.active):
            try:
                return self._identity(member, record, snapshot, globalconf, at)
            except SigningUnavailable as fault:
                best = best or fault
        raise best or RuntimeError("no candidate and no fault")

    def _identity(
        self,
        member: MemberId,
        record: CertificateRecord,
        snapshot: KeyringSnapshot,
        globalconf: GlobalConf,
        at: datetime,
    ) -> _Chosen[SigningIdentity]:
        certificate = load_certificate(record.der)
        key = snapshot.key_of(record)
        if not record.active:
            raise _unusable(member, record, "inactive")
        if record.status is not CertificateStatus.REGISTERED:
            raise _unusable(member, record, record.status.value)
        if key is None or key.usage is not KeyUsage.SIGNING or not self._keystore.holds(record.key):
            raise _unusable(member, record, "no usable key")
        if not is_valid_at(certificate, at):
            raise _unusable(member, record, f"valid until {certificate.not_valid_after_utc:%Y-%m-%d %H:%M:%SZ}")
        try:
            path = full_path(certificate, globalconf, at)
        except SignatureRefused as refusal:
            raise _unusable(member, record, refusal) from refusal
        status = self._ocsp.find(path[0], path[1], globalconf, at)
        if status is None:
            raise _unusable(member, record, self._ocsp.explain(path[0], path[1], globalconf, at))
        above = self._intermediates(path, globalconf, at)
        identity = SigningIdentity(
            member=member,
            certificate_der=record.der,
            extra_certificates=tuple(der_of(intermediate) for intermediate, _ in above),
            ocsp_responses=(status[0], *(response for _, response in above)),
            algorithm=algorithm_for(key_of(certificate), self._digest),
            key=record.key,
        )
        until = _fresh_until(status[1], globalconf)
        return _Chosen(identity, snapshot, globalconf, min(until, certificate.not_valid_after_utc))

    def _intermediates(
        self, path: Sequence[x509.Certificate], globalconf: GlobalConf, at: datetime
    ) -> list[tuple[x509.Certificate, bytes]]:
        # Every CA we know is a trust anchor of the peers, too: one without a status is left out and not missed.
        found = []
        for intermediate, issuer in pairwise(path[1:]):
            status = self._ocsp.find(intermediate, issuer, globalconf, at)
            if status is not None:
                found.append((intermediate, status[0]))
        return found

    async def sign(self, key: str, digest: bytes, algorithm: SignatureAlgorithm) -> bytes:
        """Return the signature over `digest`; ECDSA as DER.

        Raises SigningUnavailable: token_not_active, key_not_found.
        """
        private_key = self._keystore.private_key(key)
        if isinstance(private_key, rsa.RSAPrivateKey):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, sign_digest, private_key, algorithm, digest)
        return sign_digest(private_key, algorithm, digest)

    # authentication

    def authentication(self) -> AuthenticationIdentity:
        """Return the authentication certificate in force, with its private key, for the TLS listener.

        Raises SigningUnavailable: key_not_found when no certificate is registered and active,
        token_not_active, cannot_create_cert_path and the like when it has no path.
        """
        at = self._clock.now()
        globalconf = self._configuration.current()
        record = self._authentication_record(at)
        path = self._path(record, globalconf, at)
        return AuthenticationIdentity(
            certificate_der=record.der,
            chain=tuple(der_of(certificate) for certificate in path[1:-1]),
            ocsp_responses=self._available(path, globalconf, at),
            private_key=self._keystore.private_key(record.key),
        )

    def authentication_ocsp(self) -> tuple[bytes, ...]:
        """Return fresh OCSP responses of the authentication certificate, then of its intermediates.

        Raises SigningUnavailable (ssl_authentication_failed) when there is none for the certificate:
        no peer would talk to us.
        """
        at = self._clock.now()
        globalconf = self._configuration.current()
        known = self._own_status
        if known is not None and _holds(known, self._snapshot, globalconf, at):
            return known.kept
        snapshot = self._snapshot
        record = self._authentication_record(at)
        path = self._path(record, globalconf, at)
        found = self._statuses(path, globalconf, at)
        if not found or found[0] is None:
            raise SigningUnavailable(
                "ssl_authentication_failed",
                "signer.no_authentication_status",
                hash=record.hash,
                reason=self._ocsp.explain(path[0], path[1], globalconf, at),
            )
        good = [status for status in found if status is not None]
        until = min(_fresh_until(status, globalconf) for _, status in good)
        responses = tuple(response for response, _ in good)
        until = min(until, *(certificate.not_valid_after_utc for certificate in path[:-1]))
        if self._keystore.is_logged_in:  # before, another certificate may be the one in force
            self._own_status = _Chosen(responses, snapshot, globalconf, until)
        return responses

    def _authentication_record(self, at: datetime) -> CertificateRecord:
        usable = _newest_first(
            record
            for record in self._snapshot.certificates
            if record.member is None
            and record.active
            and record.status is CertificateStatus.REGISTERED
            and is_valid_at(load_certificate(record.der), at)
        )
        if not usable:
            raise SigningUnavailable("key_not_found", "signer.no_authentication_certificate")
        with_key = [record for record in usable if self._keystore.holds(record.key)]
        return (with_key or usable)[0]

    def _path(self, record: CertificateRecord, globalconf: GlobalConf, at: datetime) -> tuple[x509.Certificate, ...]:
        try:
            return full_path(load_certificate(record.der), globalconf, at)
        except SignatureRefused as refusal:
            raise SigningUnavailable(refusal.code, refusal.text_id, **refusal.facts) from refusal

    def _available(self, path: Sequence[x509.Certificate], globalconf: GlobalConf, at: datetime) -> tuple[bytes, ...]:
        return tuple(status[0] for status in self._statuses(path, globalconf, at) if status is not None)

    def _statuses(
        self, path: Sequence[x509.Certificate], globalconf: GlobalConf, at: datetime
    ) -> list[tuple[bytes, OcspStatus] | None]:
        return [self._ocsp.find(certificate, issuer, globalconf, at) for certificate, issuer in pairwise(path)]

    # certificate status

    def ocsp_responses_for(self, sha1_hashes: Iterable[str]) -> list[bytes] | None:
        """Return a fresh response for each hash, in the order asked; None when one of them cannot be answered.

        Answers for our certificates and the intermediates above them, by SHA-1 in hex of either case.
        """
        wanted = [text.lower() for text in sha1_hashes]
        if not 0 < len(wanted) <= MAX_STATUS_QUESTIONS:
            return None
        at = self._clock.now()
        globalconf = self._configuration.current()
        answers = [self._response_for(name, globalconf, at) for name in wanted]
        found = [answer for answer in answers if answer is not None]
        return found if len(found) == len(wanted) else None

    def _response_for(self, sha1_hash: str, globalconf: GlobalConf, at: datetime) -> bytes | None:
        for certificate in self.certificates_in_use():
            try:
                path = full_path(certificate, globalconf, at)
            except SignatureRefused:
                continue
            for subject, issuer in pairwise(path):
                if sha1_of(subject) == sha1_hash:
                    status = self._ocsp.find(subject, issuer, globalconf, at)
                    return None if status is None else status[0]
        return None

    def certificates_in_use(self) -> tuple[x509.Certificate, ...]:
        """Return the active, registered certificates: those whose status is fetched and handed out."""
        return tuple(
            load_certificate(record.der)
            for record in self._snapshot.certificates
            if record.active and record.status is CertificateStatus.REGISTERED
        )

    async def refresh_status(self) -> None:
        """Fetch the OCSP responses of the certificates in use. Raises SigningUnavailable (ocsp_failed)."""
        try:
            await self._ocsp.refresh(self.certificates_in_use())
        finally:
            self._forget_chosen()  # the next signature carries the newest response

    def _forget_chosen(self) -> None:
        self._chosen = {}
        self._own_status = None


def _fresh_until(status: OcspStatus, globalconf: GlobalConf) -> datetime:
    return status.fresh_until(globalconf.ocsp_freshness_s, check_next_update=globalconf.verify_next_update)


def _holds(known: _Chosen[object], snapshot: KeyringSnapshot, globalconf: GlobalConf, at: datetime) -> bool:
    return known.snapshot is snapshot and known.globalconf is globalconf and at < known.until


def _newest_first(records: Iterable[CertificateRecord]) -> list[CertificateRecord]:
    def key(record: CertificateRecord) -> tuple[datetime, str]:
        return load_certificate(record.der).not_valid_before_utc, record.hash

    return sorted(records, key=key, reverse=True)


def _unusable(member: MemberId, record: CertificateRecord, reason: object) -> SigningUnavailable:
    return SigningUnavailable(
        "cannot_create_signature", "signer.certificate_unusable", member=member, hash=record.hash, reason=reason
    )
