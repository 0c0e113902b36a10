"""Decide whether a signature holds: the numbered checks, in order (X-Road SignatureVerifier.java).

1. The signature is read by strict position, and SignedInfo has one of two forms: it names the result of
   a hash chain and nothing else, or the message itself and every attachment.
2. A chain that came along is named by the signature, leads to its result, and has exactly the parts of
   the message in their order; a signature over a chain came with one.
3. KeyInfo holds a certificate for signing (nonRepudiation).
4. Its member, by the certificate profile of its approved CA, is the signer's.
5. Every reference has the digest of what it names, and the value fits SignedInfo and the certificate.
6. SignedInfo covers the signed properties; they name this certificate and a policy we know; the time in
   them is plausible.
7. A path leads from the certificate to an approved CA of the signer's instance at the time asked for.
8. Every certificate on it was good at that time, by its OCSP response.

The reference omits 6, and of 1 and 2 what concerns coverage. 7 and 8 are remembered with the
configuration for as long as the answer can't change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final, cast

from cryptography import x509

from gateway.xroad.digests import DigestAlgorithm, digest_of_chunks
from gateway.xroad.faults import SignatureRefused
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.identifiers import ClientId, MemberId
from gateway.xroad.pki.certificates import key_of, load_certificate, subject_of
from gateway.xroad.pki.chain import build_path
from gateway.xroad.pki.keys import verify_signature
from gateway.xroad.pki.ocsp import OcspStatus, find_matching, verify_ocsp
from gateway.xroad.pki.profiles import is_sign_certificate
from gateway.xroad.signature.hash_chain import SIGNATURE_CHAIN, SIGNATURE_RESULT, ChainPart, verify_hash_chain
from gateway.xroad.signature.signed_message import (
    MESSAGE_PART,
    Message,
    Part,
    Signature,
    SignedMessage,
    VerifiedMessage,
    attachment_part,
    bodies_of,
    parts_of,
)
from gateway.xroad.signature.skeletons import read_signature
from gateway.xroad.signature.xades import POLICY_DIGEST, POLICY_ID
from gateway.xroad.signature.xades_reader import XadesSignature

# How far the signer's clock may be ahead of the time we verify at.
MAX_CLOCK_AHEAD: Final = timedelta(hours=1)
# A message on the wire was signed a moment ago; older ones are replays with a fresh OCSP response.
MAX_LIVE_AGE: Final = timedelta(days=1)

# Returns the digest of the part called so, or None when there is no such part at hand.
Measure = Callable[[str, DigestAlgorithm], bytes | None]


def verify(signed: SignedMessage, signer: ClientId, globalconf: GlobalConf, at: datetime) -> VerifiedMessage:
    """Return the proof that the member of `signer` signed this message, as of `at`.

    Raises SignatureRefused with the first check that fails; codes stand without the group
    `signature_verification`, which the edge adds.
    """
    signature = signed.signature
    parts = parts_of(signed.message)
    facts = read_signature(signature.xml)  # (1)
    key = ("signature.signer", facts.skeleton, signer.member)
    known = cast("_KnownSigner | None", globalconf.memo.get(key))
    if known is not None and known.proof.since <= at <= known.proof.until and _is_alone(parts, signature):
        # All but the digests, the value and the time was judged before, in a signature with the same skeleton.
        check_references(facts, signature, _measure_of(signed.message, parts))
        verify_signature(known.key, facts.algorithm, facts.value, data=facts.signed_info)
        check_time(facts, known.certificate, at)
        _check_age(facts, at)
        return VerifiedMessage(signed, signer.member, at)
    check_form(facts, signature, [part.name for part in parts])
    if signature.hash_chain_result is not None:  # (2)
        _check_live_chain(signature, parts)
    certificate = signing_certificate_of(facts)  # (3)
    check_member(certificate, signer, globalconf)  # (4)
    check_references(facts, signature, _measure_of(signed.message, parts))  # (5)
    check_value(facts, certificate)
    check_signed_properties(facts, certificate, at)  # (6)
    _check_age(facts, at)
    proof = prove_certificate(facts, certificate, signer.xroad_instance, globalconf, at)  # (7) (8)
    if facts.skeleton is not None and _is_alone(parts, signature):
        globalconf.memo[key] = _KnownSigner(certificate, _key_of(certificate), proof)
    return VerifiedMessage(signed, signer.member, at)


@dataclass(frozen=True, slots=True)
class _KnownSigner:
    """What checks 1, 3, 4 and 6 to 8 found for a skeleton over a message alone; it holds as long as the proof."""

    certificate: x509.Certificate
    key: object
    proof: CertificateProof


def _is_alone(parts: Sequence[Part], signature: Signature) -> bool:
    return len(parts) == 1 and signature.hash_chain_result is None and signature.hash_chain is None


def _check_age(facts: XadesSignature, at: datetime) -> None:
    if facts.signing_time < at - MAX_LIVE_AGE:
        raise _time_refused(facts, at)


def _check_live_chain(signature: Signature, parts: Sequence[Part]) -> None:
    chain = verify_hash_chain(
        signature.hash_chain_result or b"",
        {SIGNATURE_CHAIN: signature.hash_chain or b""},
        inputs={part.name: part.digest for part in parts},
    )
    check_order(chain)


def _measure_of(message: Message, parts: Sequence[Part]) -> Measure:
    digests = {part.name: part.digest for part in parts}

    def measure(name: str, algorithm: DigestAlgorithm) -> bytes | None:
        digest = digests.get(name)
        if digest is None or digest.algorithm is algorithm:
            return None if digest is None else digest.value
        if name == MESSAGE_PART:
            return algorithm.digest(message.raw)
        body = bodies_of(message)[list(digests).index(name) - 1]
        return digest_of_chunks(body.chunks(), algorithm).value

    return measure


# The checks one by one; containers use them too


def check_form(facts: XadesSignature, signature: Signature, names: Sequence[str]) -> None:
    """Refuse a signature that is not over a chain with chain, nor over the message and each of `names`."""
    uris = [reference.uri for reference in facts.references]
    if (signature.hash_chain_result is None) is not (signature.hash_chain is None):
        raise _malformed("signature.chain_incomplete")
    if SIGNATURE_RESULT in uris:
        if uris != [SIGNATURE_RESULT]:
            raise _malformed("signature.mixed_references", references=" ".join(uris))
        if signature.hash_chain_result is None:
            raise _malformed("signature.chain_missing")
        return
    if MESSAGE_PART not in uris:
        raise _malformed("signature.message_not_referenced", references=" ".join(uris) or "-")
    if signature.hash_chain_result is not None:
        raise _malformed("signature.chain_not_referenced")
    for name in names:
        if name not in uris:
            raise _malformed("signature.part_not_covered", part=name)


def check_order(chain: Sequence[ChainPart]) -> None:
    """Refuse a chain whose parts aren't the message and then its attachments, counted from 1.

    A digest list doesn't hold names: in another order, an attachment could be shown as the message.
    """
    expected = [MESSAGE_PART, *(attachment_part(number) for number in range(1, len(chain)))]
    names = [part.name for part in chain]
    if names != expected:
        raise SignatureRefused(
            "malformed_signature.malformed_hash_chain", "signature.chain_order", found=" ".join(names)[:200]
        )


def signing_certificate_of(facts: XadesSignature) -> x509.Certificate:
    """Return the certificate in KeyInfo, which must be for signing."""
    try:
        certificate = load_certificate(facts.certificate_der)
        is_for_signing = is_sign_certificate(certificate)
    except SignatureRefused as refusal:
        raise SignatureRefused("malformed_signature", refusal.text_id, **refusal.facts) from refusal
    if not is_for_signing:
        raise _malformed("signature.not_a_signing_certificate", subject=subject_of(certificate))
    return certificate


def check_member(certificate: x509.Certificate, signer: ClientId, globalconf: GlobalConf) -> MemberId:
    """Return the member that the certificate names, which must be the signer's."""
    key = ("signature.member", certificate, signer.xroad_instance)
    member = cast("MemberId | None", globalconf.memo.get(key))
    if member is None:
        member = globalconf.memo[key] = _member_of(certificate, signer.xroad_instance, globalconf)
    if member != signer.member:
        raise SignatureRefused("incorrect_certificate", "signature.other_member", found=member, expected=signer)
    return member


def _member_of(certificate: x509.Certificate, instance: str, globalconf: GlobalConf) -> MemberId:
    if globalconf.issuer_of(certificate, instance) is None:
        raise SignatureRefused(
            "cannot_create_cert_path",
            "signature.issuer_not_approved",
            subject=subject_of(certificate),
            issuer=certificate.issuer.rfc4514_string(),
            instance=instance,
        )
    return globalconf.member_of(certificate, instance)


def check_references(facts: XadesSignature, signature: Signature, measure: Measure) -> None:
    """Compare the digest of every reference with what it names."""
    for reference in facts.references:
        algorithm = reference.digest.algorithm
        if reference.uri == SIGNATURE_RESULT and signature.hash_chain_result is not None:
            actual: bytes | None = algorithm.digest(signature.hash_chain_result)
        else:
            actual = measure(reference.uri, algorithm)
        if actual is None:
            raise SignatureRefused("invalid_reference", "signature.reference_unresolved", uri=reference.uri)
        if actual != reference.digest.value:
            raise SignatureRefused("invalid_signature_value", "signature.reference_digest", uri=reference.uri)
    properties = facts.properties_digest
    if properties is not None and properties.algorithm.digest(facts.signed_properties) != properties.value:
        raise SignatureRefused("invalid_signature_value", "signature.reference_digest", uri="SignedProperties")


def check_value(facts: XadesSignature, certificate: x509.Certificate) -> None:
    """Verify the signature value over SignedInfo."""
    verify_signature(_key_of(certificate), facts.algorithm, facts.value, data=facts.signed_info)


_key_of = lru_cache(maxsize=1024)(key_of)


def check_signed_properties(facts: XadesSignature, certificate: x509.Certificate, at: datetime) -> None:
    """Check what the signer says about the signature: covered by it, this certificate, policy and time."""
    if facts.properties_digest is None:
        raise _malformed("signature.properties_not_covered")
    stated = facts.signing_certificate
    other_serial = stated.serial is not None and stated.serial != certificate.serial_number
    if stated.digest.algorithm.digest(facts.certificate_der) != stated.digest.value or other_serial:
        raise _malformed("signature.other_certificate", subject=subject_of(certificate))
    policy = facts.policy
    if policy is not None and (policy.identifier != POLICY_ID or policy.digest.base64 != POLICY_DIGEST):
        raise _malformed("signature.unknown_policy", policy=policy.identifier[:100])
    check_time(facts, certificate, at)


def check_time(facts: XadesSignature, certificate: x509.Certificate, at: datetime) -> None:
    """Refuse a time before the certificate was valid, or ahead of ours by more than clocks differ."""
    if not certificate.not_valid_before_utc <= facts.signing_time <= at + MAX_CLOCK_AHEAD:
        raise _time_refused(facts, at)


# Path and status


@dataclass(frozen=True, slots=True)
class CertificateProof:
    """A certificate's path to an approved CA and the status of each certificate but the last.

    It holds for every moment from `since` to `until`, under the configuration it was made with.
    """

    path: tuple[x509.Certificate, ...]
    statuses: tuple[OcspStatus, ...]
    since: datetime
    until: datetime


def prove_certificate(
    facts: XadesSignature, certificate: x509.Certificate, instance: str, globalconf: GlobalConf, at: datetime
) -> CertificateProof:
    """Return path and status of the signing certificate at `at`; remembered in `globalconf.memo`."""
    unsigned = facts.unsigned
    key = ("signature.proof", instance, facts.certificate_der, unsigned.certificates, unsigned.ocsp_responses)
    known = cast("CertificateProof | None", globalconf.memo.get(key))
    if known is not None and known.since <= at <= known.until:
        return known
    path = check_path(facts, certificate, instance, globalconf, at)
    statuses = check_statuses(facts, path, globalconf, at)
    proof = CertificateProof(path, statuses, at, _until(path, statuses, globalconf))
    globalconf.memo[key] = proof
    return proof


def check_path(
    facts: XadesSignature, certificate: x509.Certificate, instance: str, globalconf: GlobalConf, at: datetime
) -> tuple[x509.Certificate, ...]:
    """Return the path from the certificate to an approved CA for signatures, valid at `at`."""
    anchors = [ca.certificate for ca in globalconf.authorities(instance) if not ca.authentication_only]
    extras = [load_certificate(der) for der in facts.unsigned.certificates]
    return build_path(certificate, extras, anchors, at)


def check_statuses(
    facts: XadesSignature, path: Sequence[x509.Certificate], globalconf: GlobalConf, at: datetime
) -> tuple[OcspStatus, ...]:
    """Return the proof that every certificate of the path but the anchor was good at `at`.

    All responses about a certificate must say the same, or the signature is refused.
    """
    responses = facts.unsigned.ocsp_responses
    if not responses:
        raise _malformed("signature.no_ocsp_values")
    try:
        return tuple(
            _check_status(certificate, issuer, responses, globalconf, at) for certificate, issuer in pairwise(path)
        )
    except SignatureRefused as refusal:
        raise refusal.within("invalid_cert_path") from refusal.__cause__


def _check_status(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    responses: Sequence[bytes],
    globalconf: GlobalConf,
    at: datetime,
) -> OcspStatus:
    response = find_matching(responses, certificate, issuer)
    if response is None:
        raise SignatureRefused("cert_validation", "signature.no_ocsp_value", subject=subject_of(certificate))
    return verify_ocsp(
        response,
        certificate,
        issuer,
        responders=globalconf.responders_of(issuer),
        at=at,
        freshness_s=globalconf.ocsp_freshness_s,
        check_next_update=globalconf.verify_next_update,
    )


def _until(path: Sequence[x509.Certificate], statuses: Sequence[OcspStatus], globalconf: GlobalConf) -> datetime:
    freshness = globalconf.ocsp_freshness_s
    fresh = [s.fresh_until(freshness, check_next_update=globalconf.verify_next_update) for s in statuses]
    dates = [certificate.not_valid_after_utc for certificate in path[:-1]]
    return min(*fresh, *dates, *(status.responder.not_valid_after_utc for status in statuses))


def _malformed(text_id: str, **facts: object) -> SignatureRefused:
    return SignatureRefused("malformed_signature", text_id, **facts)


def _time_refused(facts: XadesSignature, at: datetime) -> SignatureRefused:
    return _malformed("signature.implausible_time", time=facts.signing_time.isoformat(), at=at.isoformat())
