"""XAdES signatures, made from a byte template (ETSI TS 101 903 1.3.2; X-Road SignatureXmlBuilder.java).

Of some 6 KB only digests, time and value vary, so the rest is written once for each signing identity.
`SignedInfo` and `SignedProperties` are written twice: as they stand in the document, and in canonical
form (inclusive C14N 1.0), which differs in three points only: empty elements have an end tag, the apex
repeats the four namespaces in scope, and both keep attributes in the order of their names. The
document is never parsed to be signed; the tests prove both forms equal to what lxml and xmlsec compute.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.xroad.digests import Digest, DigestAlgorithm, KeyKind, digest_of
from gateway.xroad.facts import fact
from gateway.xroad.faults import MalformedMessage, SigningUnavailable
from gateway.xroad.pki.certificates import load_certificate
from gateway.xroad.pki.keys import ecdsa_raw_of, field_bytes
from gateway.xroad.signature.hash_chain import SIGNATURE_RESULT, build_hash_chains
from gateway.xroad.signature.signed_message import Part, Signature, SigningIdentity
from gateway.xroad.xml import C14N_INCLUSIVE, NS_ASIC_SIGNATURES, NS_DS, NS_XADES, NS_XSI

SIGNED_PROPERTIES_TYPE: Final = "http://uri.etsi.org/01903#SignedProperties"
# Profile for High Performance Digital Signatures: identifier, description, SHA-512 of its text, address.
POLICY_ID: Final = "urn:oid:1.3.6.1.4.1.3516.16.2"
POLICY_DIGEST: Final = "BuO0EDNfkxSVlUbxCzmQPzX1AUF1/xx9ytWHk3/6SAOePxQiniEfDYk+90QeYb3lWpV3Izhuz9fKaYyE+lTcXw=="
_POLICY_DESCRIPTION: Final = "Profile for High Performance Digital Signatures (version 1.2)"
_POLICY_URI: Final = "https://repo.cyber.ee/dsig-profile-1.2.pdf"

MIME_MESSAGE: Final = "text/xml"
MIME_CHAIN_RESULT: Final = "application/hash-chain-result"

_DIGEST: Final = DigestAlgorithm.SHA512
_NAMESPACES: Final = (
    f' xmlns:asic="{NS_ASIC_SIGNATURES}" xmlns:ds="{NS_DS}" xmlns:xades="{NS_XADES}" xmlns:xsi="{NS_XSI}"'
)
_HEAD: Final = (
    f'<?xml version="1.0" encoding="UTF-8"?><asic:XAdESSignatures{_NAMESPACES}><ds:Signature Id="signature">\n'
)
_TAIL: Final = (
    "</xades:UnsignedSignatureProperties></xades:UnsignedProperties></xades:QualifyingProperties></ds:Object>\n"
    "</ds:Signature></asic:XAdESSignatures>"
)


@fact
class ToBeSigned:
    """A signature without its value; `digest` is what the key signs."""

    digest: bytes
    signed_info: str = field(repr=False)
    signed_properties: str = field(repr=False)
    template: _Template = field(repr=False)
    hash_chain_result: bytes | None = None
    hash_chains: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class ToBeSignedBatch:
    """One signature for several requests."""

    to_be_signed: ToBeSigned
    size: int

    @property
    def digest(self) -> bytes:
        """What the key signs, once for all."""
        return self.to_be_signed.digest


def prepare(parts: Sequence[Part], identity: SigningIdentity, at: datetime) -> ToBeSigned:
    """Return what has to be signed for one message: over itself, or over a chain of its parts.

    Raises SigningUnavailable (cannot_create_signature) when the identity has no OCSP response: no
    peer accepts a signature without one.
    """
    if len(parts) == 1:
        return _to_be_signed(_template_of(identity), parts[0].name, parts[0].digest, MIME_MESSAGE, at)
    return prepare_batch([parts], identity, at).to_be_signed


def prepare_batch(requests: Sequence[Sequence[Part]], identity: SigningIdentity, at: datetime) -> ToBeSignedBatch:
    """Return what has to be signed for several messages together (X-Road BatchSigner.java)."""
    if len(requests) == 1 and len(requests[0]) == 1:
        return ToBeSignedBatch(prepare(requests[0], identity, at), 1)
    template = _template_of(identity)
    chains = build_hash_chains(requests, algorithm=_DIGEST)
    unsigned = _to_be_signed(
        template,
        SIGNATURE_RESULT,
        digest_of(chains.result, _DIGEST),
        MIME_CHAIN_RESULT,
        at,
        chains.result,
        chains.chains,
    )
    return ToBeSignedBatch(unsigned, len(requests))


def assemble(to_be_signed: ToBeSigned, value: bytes) -> Signature:
    """Return the finished signature; the value of an ECDSA signature arrives as DER."""
    chain = to_be_signed.hash_chains[0] if to_be_signed.hash_chains else None
    return Signature(_xml_of(to_be_signed, value), to_be_signed.hash_chain_result, chain)


def assemble_batch(batch: ToBeSignedBatch, value: bytes) -> list[Signature]:
    """Return one signature for each request: the XML and the result are shared, the chain is its own."""
    unsigned = batch.to_be_signed
    xml = _xml_of(unsigned, value)
    if unsigned.hash_chain_result is None:
        return [Signature(xml)] * batch.size
    return [Signature(xml, unsigned.hash_chain_result, chain) for chain in unsigned.hash_chains]


def _xml_of(unsigned: ToBeSigned, value: bytes) -> bytes:
    template = unsigned.template
    octets = value if template.ec_bytes is None else ecdsa_raw_of(value, template.ec_bytes)
    return (
        f'{_HEAD}<ds:SignedInfo>{unsigned.signed_info}</ds:SignedInfo>\n<ds:SignatureValue Id="signature-value">\n'
        f"{_b64(octets)}\n</ds:SignatureValue>\n{template.key_info}"
        f'<xades:SignedProperties Id="signed-properties">{unsigned.signed_properties}</xades:SignedProperties>'
        f"{template.unsigned_properties}"
    ).encode()


@dataclass(frozen=True, slots=True)
class _Template:
    """What stays the same in every signature of one identity; canonical text stands in pairs of `…_c14n`."""

    algorithm: DigestAlgorithm
    ec_bytes: int | None
    method: str
    method_c14n: str
    properties: str
    properties_c14n: str
    key_info: str
    unsigned_properties: str


_templates: dict[int, tuple[SigningIdentity, _Template]] = {}
_MAX_TEMPLATES: Final = 64


def _template_of(identity: SigningIdentity) -> _Template:
    """Return the template of an identity, made once: a signer hands out the same object for many messages."""
    known = _templates.get(id(identity))
    if known is not None and known[0] is identity:
        return known[1]
    if len(_templates) >= _MAX_TEMPLATES:
        _templates.clear()
    made = _new_template(identity)
    _templates[id(identity)] = (identity, made)
    return made


def _new_template(identity: SigningIdentity) -> _Template:
    if not identity.ocsp_responses:
        raise SigningUnavailable("cannot_create_signature", "signature.no_ocsp_response", member=identity.member)
    certificate = load_certificate(identity.certificate_der)
    key = certificate.public_key()
    is_ec = identity.algorithm.kind is KeyKind.ECDSA
    if is_ec is not isinstance(key, ec.EllipticCurvePublicKey):
        raise SigningUnavailable(
            "cannot_create_signature",
            "signature.key_kind",
            member=identity.member,
            algorithm=identity.algorithm.name,
        )
    properties = _signed_properties(identity.certificate_der, certificate)
    method = (
        f'\n<ds:CanonicalizationMethod Algorithm="{C14N_INCLUSIVE}"/>\n'
        f'<ds:SignatureMethod Algorithm="{identity.algorithm.uri}"/>\n'
    )
    return _Template(
        algorithm=identity.algorithm.digest_algorithm,
        ec_bytes=field_bytes(key) if isinstance(key, ec.EllipticCurvePublicKey) else None,
        method=method,
        method_c14n=_canonical(method),
        properties=properties,
        properties_c14n=_canonical(properties),
        key_info=(
            f"<ds:KeyInfo>\n<ds:X509Data>\n<ds:X509Certificate>\n{_b64(identity.certificate_der)}\n"
            f"</ds:X509Certificate>\n</ds:X509Data>\n</ds:KeyInfo>\n"
            f'<ds:Object><xades:QualifyingProperties Target="#signature">'
        ),
        unsigned_properties=_unsigned_properties(identity),
    )


def _to_be_signed(
    template: _Template,
    name: str,
    digest: Digest,
    mime_type: str,
    at: datetime,
    result: bytes | None = None,
    chains: tuple[bytes, ...] = (),
) -> ToBeSigned:
    utc = at.astimezone(UTC)
    time = f"{utc.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
    start = f"<xades:SignedSignatureProperties><xades:SigningTime>{time}</xades:SigningTime>"
    end = f"{mime_type}</xades:MimeType></xades:DataObjectFormat></xades:SignedDataObjectProperties>"
    canonical_properties = (
        f'<xades:SignedProperties{_NAMESPACES} Id="signed-properties">'
        f"{start}{template.properties_c14n}{end}</xades:SignedProperties>"
    )
    properties_digest = digest_of(canonical_properties.encode(), _DIGEST)
    first = f'<ds:Reference Id="signature-reference-0" URI="{name}">\n'
    second = f'<ds:Reference Id="signature-reference-1" Type="{SIGNED_PROPERTIES_TYPE}" URI="#signed-properties">\n'
    message, message_c14n = _digest_xml(digest)
    signed, signed_c14n = _digest_xml(properties_digest)
    canonical_info = (
        f"<ds:SignedInfo{_NAMESPACES}>{template.method_c14n}{first}{message_c14n}{second}{signed_c14n}</ds:SignedInfo>"
    )
    return ToBeSigned(
        digest=template.algorithm.digest(canonical_info.encode()),
        signed_info=f"{template.method}{first}{message}{second}{signed}",
        signed_properties=f"{start}{template.properties}{end}",
        template=template,
        hash_chain_result=result,
        hash_chains=chains,
    )


def _digest_xml(digest: Digest) -> tuple[str, str]:
    """Return the two elements of a digest, as written and in canonical form."""
    method = f'<ds:DigestMethod Algorithm="{digest.algorithm.uri}"'
    value = f"\n<ds:DigestValue>{_b64(digest.value)}</ds:DigestValue>\n</ds:Reference>\n"
    return f"{method}/>{value}", f"{method}></ds:DigestMethod>{value}"


def _signed_properties(der: bytes, certificate: x509.Certificate) -> str:
    """Return what stands between SigningTime and the MIME type."""
    return (
        f"<xades:SigningCertificate><xades:Cert>{_certificate_id(der, certificate)}</xades:Cert>"
        f"</xades:SigningCertificate>"
        f"<xades:SignaturePolicyIdentifier><xades:SignaturePolicyId><xades:SigPolicyId>"
        f'<xades:Identifier Qualifier="OIDAsURN">{POLICY_ID}</xades:Identifier>'
        f"<xades:Description>{_POLICY_DESCRIPTION}</xades:Description></xades:SigPolicyId>"
        f'<xades:SigPolicyHash><ds:DigestMethod Algorithm="{DigestAlgorithm.SHA512.uri}"/>'
        f"<ds:DigestValue>{POLICY_DIGEST}</ds:DigestValue></xades:SigPolicyHash>"
        f"<xades:SigPolicyQualifiers><xades:SigPolicyQualifier><xades:SPURI>{_POLICY_URI}</xades:SPURI>"
        f"</xades:SigPolicyQualifier></xades:SigPolicyQualifiers></xades:SignaturePolicyId>"
        f"</xades:SignaturePolicyIdentifier></xades:SignedSignatureProperties><xades:SignedDataObjectProperties>"
        f'<xades:DataObjectFormat ObjectReference="#signature-reference-0"><xades:MimeType>'
    )


def _certificate_id(der: bytes, certificate: x509.Certificate) -> str:
    return (
        f'<xades:CertDigest><ds:DigestMethod Algorithm="{_DIGEST.uri}"/>'
        f"<ds:DigestValue>{digest_of(der, _DIGEST).base64}</ds:DigestValue></xades:CertDigest>"
        f"<xades:IssuerSerial><ds:X509IssuerName>{_escape(certificate.issuer.rfc4514_string())}</ds:X509IssuerName>"
        f"<ds:X509SerialNumber>{certificate.serial_number}</ds:X509SerialNumber></xades:IssuerSerial>"
    )


def _unsigned_properties(identity: SigningIdentity) -> str:
    extras = list(enumerate(identity.extra_certificates, start=1))
    references = "".join(
        f'<xades:Cert URI="#encapsulated-cert-{n}">{_certificate_id(der, load_certificate(der))}</xades:Cert>'
        for n, der in extras
    )
    values = "".join(
        f'<xades:EncapsulatedX509Certificate Id="encapsulated-cert-{n}">{_b64(der)}</xades:EncapsulatedX509Certificate>'
        for n, der in extras
    )
    intermediates = (
        f'<xades:CompleteCertificateRefs Id="complete-certificate-refs"><xades:CertRefs>{references}</xades:CertRefs>'
        f"</xades:CompleteCertificateRefs><xades:CertificateValues>{values}</xades:CertificateValues>"
    )
    ocsp = "".join(
        f'<xades:EncapsulatedOCSPValue Id="ocsp-response-{n}">{_b64(der)}</xades:EncapsulatedOCSPValue>'
        for n, der in enumerate(identity.ocsp_responses, start=1)
    )
    return (
        f"<xades:UnsignedProperties><xades:UnsignedSignatureProperties>{intermediates if extras else ''}"
        f"<xades:RevocationValues><xades:OCSPValues>{ocsp}</xades:OCSPValues></xades:RevocationValues>{_TAIL}"
    )


_EMPTY: Final = re.compile(r"<(ds:\w+)([^<>]*)/>")


def _canonical(fragment: str) -> str:
    """Return the canonical form of a fragment of ours: the only empty elements are ds:… with attributes."""
    return _EMPTY.sub(r"<\1\2></\1>", fragment)


def _escape(text: str) -> str:
    # What C14N 1.0 (2.3) writes for text, so that document and canonical form are the same here.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")


def _b64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode("ascii")


_INSERTION: Final = re.compile(rb"<(?:([A-Za-z_][\w.-]*):)?UnsignedSignatureProperties(?:\s[^<>]*[^<>/]|\s*)>")


def add_timestamp(signature_xml: bytes, token_der: bytes) -> bytes:
    """Return the signature with a time-stamp as first of its unsigned properties.

    All other bytes stay as they are. Raises MalformedMessage (malformed_signature) when there is no
    place for it; the signature must have passed `parse_signature` before.
    """
    place = _INSERTION.search(signature_xml)
    if place is None:
        raise MalformedMessage("malformed_signature", "signature.no_unsigned_properties")
    prefix = "" if place[1] is None else f"{place[1].decode('ascii', 'replace')}:"
    stamp = (
        f"<{prefix}SignatureTimeStamp><{prefix}EncapsulatedTimeStamp>{_b64(token_der)}"
        f"</{prefix}EncapsulatedTimeStamp></{prefix}SignatureTimeStamp>"
    )
    return signature_xml[: place.end()] + stamp.encode() + signature_xml[place.end() :]
