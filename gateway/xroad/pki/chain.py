"""Paths from a certificate to an approved CA at a given time (RFC 5280 6.1; X-Road CertChainVerifier.java).

An approved CA is a trust anchor wherever it stands in a hierarchy: the path ends at the first one, and
neither its own validity nor its issuer is asked about. Policies are accepted as any-policy; a critical
extension which we do not evaluate, name constraints among them, ends the path.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtensionOID

from gateway.xroad.faults import SignatureRefused
from gateway.xroad.pki.certificates import find_extension, is_valid_at, subject_of

MAX_PATH: Final = 8  # leaf and anchor included; real ones have two or three
MAX_EXTRAS: Final = 32
MAX_STEPS: Final = 256  # certificates of one name and key issue each other in every order: stop somewhere

_UNDERSTOOD: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.ISSUER_ALTERNATIVE_NAME,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
    }
)


def build_path(
    leaf: x509.Certificate,
    extras: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    at: datetime,
) -> tuple[x509.Certificate, ...]:
    """Return the path from `leaf` over some of `extras` to one of `anchors`, both ends included.

    For every certificate but the anchor: issued by the next one (name and signature), valid at `at`,
    no critical extension unknown; and every one but the leaf is a CA within its path length.

    Raises SignatureRefused: cannot_create_cert_path when no issuer leads to an anchor,
    invalid_cert_path when one does and a certificate on the way does not hold.
    """
    if len(extras) > MAX_EXTRAS:
        raise SignatureRefused("cannot_create_cert_path", "pki.path_too_many", count=len(extras), limit=MAX_EXTRAS)
    refusal: SignatureRefused | None = None
    for path in _paths(leaf, tuple(dict.fromkeys(extras)), tuple(dict.fromkeys(anchors))):
        try:
            _check_path(path, at)
        except SignatureRefused as bad:
            refusal = refusal or bad
            continue
        return path
    raise refusal or SignatureRefused(
        "cannot_create_cert_path",
        "pki.path_not_found",
        subject=subject_of(leaf),
        issuer=leaf.issuer.rfc4514_string(),
    )


def _paths(
    leaf: x509.Certificate, extras: tuple[x509.Certificate, ...], anchors: tuple[x509.Certificate, ...]
) -> Iterator[tuple[x509.Certificate, ...]]:
    # Breadth first, so that the shortest path is found first; an anchor ends a path.
    intermediates = tuple(extra for extra in extras if extra not in anchors)
    waiting: deque[tuple[x509.Certificate, ...]] = deque([(leaf,)])
    for _ in range(MAX_STEPS):
        if not waiting:
            return
        path = waiting.popleft()
        for anchor in anchors:
            if anchor not in path and is_issued_by(path[-1], anchor):
                yield (*path, anchor)
        if len(path) + 2 <= MAX_PATH and len(waiting) < MAX_STEPS:
            for extra in intermediates:
                if extra not in path and is_issued_by(path[-1], extra):
                    waiting.append((*path, extra))


@lru_cache(maxsize=8192)
def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Tell whether name and signature say that `issuer` issued `certificate`; SHA-1 signatures say nothing."""
    if certificate.issuer != issuer.subject:
        return False
    try:
        algorithm = certificate.signature_hash_algorithm
        if algorithm is None or algorithm.name in ("sha1", "md5"):
            return False
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _check_path(path: tuple[x509.Certificate, ...], at: datetime) -> None:
    for certificate in path[:-1]:
        _check_dates(certificate, at)
        _check_extensions(certificate)
    for below, issuer in enumerate(path[1:]):  # `below`: intermediates between the leaf and this CA
        _check_ca(issuer, below, is_anchor=issuer is path[-1])


def _check_dates(certificate: x509.Certificate, at: datetime) -> None:
    if not is_valid_at(certificate, at):
        raise SignatureRefused(
            "invalid_cert_path",
            "pki.path_dates",
            subject=subject_of(certificate),
            at=at.isoformat(),
            not_before=certificate.not_valid_before_utc.isoformat(),
            not_after=certificate.not_valid_after_utc.isoformat(),
        )


def _check_extensions(certificate: x509.Certificate) -> None:
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise SignatureRefused(
                "invalid_cert_path",
                "pki.path_extension",
                subject=subject_of(certificate),
                extension=extension.oid.dotted_string,
            )


def _check_ca(certificate: x509.Certificate, below: int, *, is_anchor: bool) -> None:
    subject = subject_of(certificate)
    constraints = find_extension(certificate, x509.BasicConstraints)
    if constraints is None and is_anchor:
        return  # an old root without extensions is a CA because the configuration says so
    if constraints is None or not constraints.value.ca:
        raise SignatureRefused("invalid_cert_path", "pki.path_not_ca", subject=subject)
    limit = constraints.value.path_length
    if limit is not None and below > limit:
        raise SignatureRefused("invalid_cert_path", "pki.path_length", subject=subject, found=below, limit=limit)
    usage = find_extension(certificate, x509.KeyUsage)
    if usage is not None and not usage.value.key_cert_sign:
        raise SignatureRefused("invalid_cert_path", "pki.path_not_ca", subject=subject)
