"""OCSP responses of our certificates: fetched ahead, proven, kept on disk (X-Road OcspClientWorker.java).

A response is proven again when it is handed out, so that its age counts at that moment; what does not
depend on time comes out of the cache of `verify_ocsp`. A restart reads the files and needs no network.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

from cryptography import x509

from gateway.runtime.clock import Clock
from gateway.runtime.durable_files import write_durably
from gateway.signer.certificates import Configuration
from gateway.signer.model import ResponderStatus
from gateway.signer.paths import full_path
from gateway.xroad.faults import SignatureRefused, SigningUnavailable
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.pki.certificates import sha1_of, subject_of
from gateway.xroad.pki.ocsp import MAX_RESPONSE_BYTES, OcspStatus, build_request, verify_ocsp

log = logging.getLogger(__name__)

RETRY_DELAY_S: Final = 60
FETCHES_AT_ONCE: Final = 4

Fetch = Callable[[str, bytes], Awaitable[bytes]]
"""Ask a responder: URL and request in, response out; raises whatever goes wrong on the way."""


class OcspCache:
    """Proven OCSP responses by certificate."""

    def __init__(self, directory: Path, fetch: Fetch, configuration: Configuration, clock: Clock) -> None:
        self._directory = directory
        self._fetch = fetch
        self._configuration = configuration
        self._clock = clock
        self._responses: dict[str, bytes] = self._read()
        self._statuses: dict[str, ResponderStatus] = {}

    def find(
        self, certificate: x509.Certificate, issuer: x509.Certificate, globalconf: GlobalConf, at: datetime
    ) -> tuple[bytes, OcspStatus] | None:
        """Return the response that proves `certificate` good at `at`, if there is one."""
        response = self._responses.get(sha1_of(certificate))
        if response is None:
            return None
        try:
            return response, _proven(response, certificate, issuer, globalconf, at)
        except SignatureRefused:
            return None

    def explain(
        self, certificate: x509.Certificate, issuer: x509.Certificate, globalconf: GlobalConf, at: datetime
    ) -> SignatureRefused:
        """Return why `find` finds nothing: what the check of the response says, or that there is none."""
        response = self._responses.get(sha1_of(certificate))
        if response is not None:
            try:
                _proven(response, certificate, issuer, globalconf, at)
            except SignatureRefused as refusal:
                return refusal
        return SignatureRefused("cert_validation", "signer.status_missing", subject=subject_of(certificate))

    def statuses(self) -> tuple[ResponderStatus, ...]:
        """Return how the last question to each responder went."""
        return tuple(self._statuses.values())

    async def refresh(self, certificates: Iterable[x509.Certificate]) -> None:
        """Fetch the status of these certificates and of the intermediates above them.

        Raises SigningUnavailable (ocsp_failed) at the end when the status of one of them could not be
        had; all the others are renewed by then, and whatever is still fresh stays.
        """
        globalconf = self._configuration.current()
        links = await asyncio.to_thread(self._links, tuple(certificates), globalconf)
        limit = asyncio.Semaphore(FETCHES_AT_ONCE)
        outcomes = await asyncio.gather(*(self._renew(link, globalconf, limit) for link in links))
        failed = [subject for subject in outcomes if subject is not None]
        if failed:
            raise SigningUnavailable("ocsp_failed", "signer.ocsp_failed", subject=failed[0], count=len(failed))

    def _links(
        self, certificates: tuple[x509.Certificate, ...], globalconf: GlobalConf
    ) -> list[tuple[x509.Certificate, x509.Certificate]]:
        links: dict[tuple[x509.Certificate, x509.Certificate], None] = {}
        for certificate in certificates:
            try:
                links.update(dict.fromkeys(pairwise(full_path(certificate, globalconf, self._clock.now()))))
            except SignatureRefused as refusal:
                # Expired, or of a CA that is no longer approved: nobody is to ask for its status.
                log.warning("no path to an approved CA", extra={"subject": subject_of(certificate), "fault": refusal})
        return list(links)

    async def _renew(
        self, link: tuple[x509.Certificate, x509.Certificate], globalconf: GlobalConf, limit: asyncio.Semaphore
    ) -> str | None:
        certificate, issuer = link
        async with limit:
            for url in globalconf.ocsp_urls_of(certificate, globalconf.instance):
                error = await self._ask(url, certificate, issuer, globalconf)
                if error is None:
                    return None
        return subject_of(certificate)

    async def _ask(
        self, url: str, certificate: x509.Certificate, issuer: x509.Certificate, globalconf: GlobalConf
    ) -> str | None:
        at = self._clock.now()
        error: str | None = None
        try:
            response = await self._fetch(url, build_request(certificate, issuer))
        except Exception as cause:  # whatever a network can do; the next responder may answer
            log.warning("OCSP responder cannot be reached", extra={"url": url, "cause": str(cause)})
            error = "ocsp_connection_error"
        else:
            error = await asyncio.to_thread(self._take, response, certificate, issuer, globalconf)
        next_s = RETRY_DELAY_S if error else globalconf.ocsp_fetch_interval_s
        next_at = at + timedelta(seconds=next_s)
        self._statuses[url] = ResponderStatus(url, subject_of(issuer), at, next_at, error)
        return error

    def _take(
        self, response: bytes, certificate: x509.Certificate, issuer: x509.Certificate, globalconf: GlobalConf
    ) -> str | None:
        subject = subject_of(certificate)
        try:
            _proven(response, certificate, issuer, globalconf, self._clock.now())
        except SignatureRefused as refusal:
            log.warning("OCSP response refused", extra={"subject": subject, "fault": str(refusal)})
            if refusal.code == "cert_validation":
                # A proven "revoked" ends the use of the former "good" at once.
                self._forget(certificate)
                return "cert_validation"
            return "ocsp_response_verification_failure"
        self._keep(certificate, response)
        return None

    def _keep(self, certificate: x509.Certificate, response: bytes) -> None:
        name = sha1_of(certificate)
        if self._responses.get(name) == response:
            return
        self._directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        write_durably(self._directory / f"{name}.ocsp", response)
        self._responses = {**self._responses, name: response}

    def _forget(self, certificate: x509.Certificate) -> None:
        name = sha1_of(certificate)
        (self._directory / f"{name}.ocsp").unlink(missing_ok=True)
        self._responses = {known: response for known, response in self._responses.items() if known != name}

    def _read(self) -> dict[str, bytes]:
        found = {}
        for path in self._directory.glob("*.ocsp"):
            try:
                if path.stat().st_size <= MAX_RESPONSE_BYTES:
                    found[path.stem] = path.read_bytes()
            except OSError as cause:
                log.warning("OCSP response cannot be read", extra={"path": str(path), "cause": str(cause)})
        return found


def _proven(
    response: bytes, certificate: x509.Certificate, issuer: x509.Certificate, globalconf: GlobalConf, at: datetime
) -> OcspStatus:
    return verify_ocsp(
        response,
        certificate,
        issuer,
        responders=globalconf.responders_of(issuer),
        at=at,
        freshness_s=globalconf.ocsp_freshness_s,
        check_next_update=globalconf.verify_next_update,
    )
