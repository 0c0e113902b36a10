"""The test OCSP responder: good for what was issued, revoked for what was revoked, else unknown (RFC 6960).

It answers under a certificate of its own, issued by the authority for this purpose and enclosed in
every response.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from sqlalchemy import Connection

from central_services.settings import TrustSettings
from central_services.trust import store
from central_services.trust.authorities import Authorities
from gateway.runtime.database import Database
from gateway.xroad.faults import SignatureRefused
from gateway.xroad.pki.ocsp_responder import (
    Answer,
    CertId,
    Status,
    build_refusal,
    build_response,
    cert_id,
    parse_request,
)

MALFORMED_REQUEST: Final = 1


class OcspResponder:
    """Answers questions about certificates of the issuing authority."""

    def __init__(
        self, authorities: Authorities, database: Database, settings: TrustSettings, now: Callable[[], datetime]
    ) -> None:
        self._authorities = authorities
        self._database = database
        self._validity = timedelta(seconds=settings.ocsp_validity_s)
        self._now = now

    def answer(self, request_der: bytes) -> bytes:
        """Return a response, or RFC 6960's malformedRequest for what is no question."""
        try:
            asked = parse_request(request_der)
        except SignatureRefused:
            return build_refusal(MALFORMED_REQUEST)
        now = self._now().replace(microsecond=0)
        with self._database.reading() as tx:
            status, revoked_at = self._status_of(tx, asked)
        answer = Answer(asked, status, now, now + self._validity, revoked_at)
        responder = self._authorities.ocsp
        return build_response(
            [answer],
            key=responder.key,
            responder=responder.certificate,
            produced_at=now,
            enclosed=[responder.certificate],
        )

    def _status_of(self, tx: Connection, asked: CertId) -> tuple[Status, datetime | None]:
        if not self._is_ours(asked):
            return Status.UNKNOWN, None
        found = store.find_certificate(tx, asked.serial_number)
        if found is not None:
            return (Status.GOOD, None) if found.revoked_at is None else (Status.REVOKED, found.revoked_at)
        own = {authority.certificate.serial_number for authority in (self._authorities.ocsp, self._authorities.tsa)}
        return (Status.GOOD if asked.serial_number in own else Status.UNKNOWN), None

    def _is_ours(self, asked: CertId) -> bool:
        issuer = self._authorities.issuing.certificate
        any_of_it: x509.Certificate = self._authorities.ocsp.certificate
        mine = cert_id(any_of_it, issuer, asked.algorithm)
        return (mine.issuer_name_hash, mine.issuer_key_hash) == (asked.issuer_name_hash, asked.issuer_key_hash)
