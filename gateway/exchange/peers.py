"""Who is at the other end: TLS certificate and certificate status -> security server (X-Road CertHelper.java).

The verdict is asked on every exchange and kept only for (certificate, client, configuration snapshot)
until its OCSP response is too old: a kept-alive connection of a removed server ends with the swap.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from gateway.xroad.faults import AccessRefused, SignatureRefused
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.identifiers import ClientId, SecurityServerId
from gateway.xroad.pki.certificates import load_certificate
from gateway.xroad.pki.chain import build_path
from gateway.xroad.pki.ocsp import find_matching, verify_ocsp
from gateway.xroad.pki.profiles import is_auth_certificate


@dataclass(frozen=True, slots=True)
class PeerVerdict:
    """Which security server a certificate belongs to, and until when we know it."""

    server: SecurityServerId
    valid_until: datetime


def known_verdict(
    certificate_der: bytes, client: ClientId, globalconf: GlobalConf, at: datetime
) -> SecurityServerId | None:
    """Return the server whose verdict for this certificate and client is still good, or None."""
    verdict = globalconf.memo.get(("peer", certificate_der, client))
    return verdict.server if isinstance(verdict, PeerVerdict) and at < verdict.valid_until else None


def path_of(
    certificate_der: bytes, globalconf: GlobalConf, instance: str, at: datetime
) -> tuple[x509.Certificate, ...]:
    """Return the path from an authentication certificate to an approved CA of `instance`.

    Raises AccessRefused (ssl_authentication_failed) for a certificate of another kind or CA.
    """
    try:
        leaf = load_certificate(certificate_der)
        if not is_auth_certificate(leaf):
            raise AccessRefused(
                "ssl_authentication_failed", "peers.not_authentication", subject=leaf.subject.rfc4514_string()
            )
        authorities = [authority.certificate for authority in globalconf.authorities(instance)]
        return build_path(leaf, authorities, authorities, at)
    except SignatureRefused as refused:
        raise AccessRefused(
            "ssl_authentication_failed", "peers.no_path", instance=instance, reason=refused
        ) from refused


def identify(
    path: Sequence[x509.Certificate],
    certificate_der: bytes,
    ocsp_responses: Sequence[bytes],
    client: ClientId,
    globalconf: GlobalConf,
    at: datetime,
) -> SecurityServerId:
    """Return the security server behind a certificate that may speak for `client`.

    1. a good, fresh OCSP response for every certificate below the approved CA
    2. the configuration lists this very certificate for a server
    3. `client` is registered on that server, or owns it

    Raises AccessRefused (ssl_authentication_failed).
    """
    expires_at = globalconf.expires_at
    try:
        for certificate, issuer in itertools.pairwise(path):  # (1)
            response = find_matching(ocsp_responses, certificate, issuer)
            if response is None:
                raise SignatureRefused(
                    "cert_validation", "peers.no_status", subject=certificate.subject.rfc4514_string()
                )
            status = verify_ocsp(
                response,
                certificate,
                issuer,
                responders=globalconf.responders_of(issuer),
                at=at,
                freshness_s=globalconf.ocsp_freshness_s,
                check_next_update=globalconf.verify_next_update,
            )
            expires_at = min(expires_at, status.this_update + timedelta(seconds=globalconf.ocsp_freshness_s))
            if status.next_update is not None and globalconf.verify_next_update:
                expires_at = min(expires_at, status.next_update)
    except SignatureRefused as refused:
        raise AccessRefused(
            "ssl_authentication_failed", "peers.status_refused", client=client, reason=refused
        ) from refused
    server = globalconf.server_of_certificate(certificate_der)  # (2)
    if server is None:
        raise AccessRefused(
            "ssl_authentication_failed", "peers.unlisted", subject=path[0].subject.rfc4514_string(), client=client
        )
    if not globalconf.is_client_of(client, server):  # (3)
        raise AccessRefused("ssl_authentication_failed", "peers.not_its_client", server=server, client=client)
    globalconf.memo["peer", certificate_der, client] = PeerVerdict(server, expires_at)
    return server
