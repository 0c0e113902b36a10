"""Read a XAdES signature into facts, by strict position (XMLDSig, ETSI TS 101 903; X-Road Signature.java).

Nothing is looked up by name or Id in the whole tree: every element stands where the schema puts it, or
the signature is refused. So what is verified and what is reported are the same elements. Two families
are read: the profile every X-Road 7 server writes, and what newer generations write (`ds:Signature` as
root, exclusive C14N, `SigningCertificateV2`, generated Ids, one reference for each part).

Canonical forms are taken here, in the tree as it came; afterwards nobody needs the tree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from lxml import etree

from gateway.xroad.digests import Digest, SignatureAlgorithm, find_signature_algorithm
from gateway.xroad.facts import fact
from gateway.xroad.faults import SignatureRefused
from gateway.xroad.signature.strict_xml import (
    DIGEST_METHOD,
    DIGEST_VALUE,
    XML_SPACE,
    attribute_of,
    base64_of,
    children_of,
    digest_in,
    exactly,
    lasting_base64_of,
    local_name,
    only_attributes,
    parse_strict,
    text_of,
)
from gateway.xroad.signature.unsigned_properties import UnsignedProperties, read_unsigned_properties
from gateway.xroad.xml import C14N_11, C14N_EXCLUSIVE, C14N_INCLUSIVE, NS_DS, NS_XADES, canonicalise

MAX_REFERENCES: Final = 30  # what the reference's XML library allows in secure mode
MAX_TRANSFORMS: Final = 5
MAX_KEY_INFO_CERTIFICATES: Final = 10

CODE: Final = "malformed_signature"
SIGNED_PROPERTIES_TYPE: Final = "http://uri.etsi.org/01903#SignedProperties"
_CANONICALISATIONS: Final = frozenset({C14N_INCLUSIVE, C14N_EXCLUSIVE, C14N_11})

# The wrapper of ASiC-E has had two namespaces.
_WRAPPERS: Final = frozenset(
    f"{{http://uri.etsi.org/{version}#}}XAdESSignatures" for version in ("02918/v1.2.1", "02918/v1.1.1", "2918/v1.2.1")
)


def _ds(name: str) -> str:
    return f"{{{NS_DS}}}{name}"


def _xades(name: str) -> str:
    return f"{{{NS_XADES}}}{name}"


_SIGNATURE: Final = _ds("Signature")
_SIGNATURE_CHILDREN: Final = (_ds("SignedInfo"), _ds("SignatureValue"), _ds("KeyInfo"), _ds("Object"))
_METHODS: Final = (_ds("CanonicalizationMethod"), _ds("SignatureMethod"))
_REFERENCE: Final = _ds("Reference")
_TRANSFORMS: Final = _ds("Transforms")
_TRANSFORM: Final = _ds("Transform")
_X509_DATA: Final = _ds("X509Data")
_X509_CERTIFICATE: Final = _ds("X509Certificate")
_MANIFEST: Final = _ds("Manifest")
_X509_ISSUER: Final = _ds("X509IssuerName")
_X509_SERIAL: Final = _ds("X509SerialNumber")
_QUALIFYING: Final = _xades("QualifyingProperties")
_SIGNED: Final = _xades("SignedProperties")
_UNSIGNED: Final = _xades("UnsignedProperties")
_SIGNED_SIGNATURE: Final = _xades("SignedSignatureProperties")
_SIGNED_DATA: Final = _xades("SignedDataObjectProperties")
_SIGNING_TIME: Final = _xades("SigningTime")
_SIGNING_CERTIFICATE: Final = _xades("SigningCertificate")
_SIGNING_CERTIFICATE_V2: Final = _xades("SigningCertificateV2")
_POLICY: Final = _xades("SignaturePolicyIdentifier")
_OTHER_SIGNED: Final = frozenset(
    _xades(name) for name in ("SignatureProductionPlace", "SignatureProductionPlaceV2", "SignerRole", "SignerRoleV2")
)
_CERT: Final = _xades("Cert")
_CERT_DIGEST: Final = _xades("CertDigest")
_ISSUER_SERIAL: Final = _xades("IssuerSerial")
_ISSUER_SERIAL_V2: Final = _xades("IssuerSerialV2")
_POLICY_ID: Final = _xades("SignaturePolicyId")
_POLICY_PARTS: Final = (_xades("SigPolicyId"), _xades("SigPolicyHash"))


@fact
class SignatureReference:
    """One ds:Reference to something outside of the signature, always over raw octets."""

    uri: str
    digest: Digest


@dataclass(frozen=True, slots=True)
class CertificateReference:
    """The signing certificate as the signer named it; V2 forms carry no plain serial number."""

    digest: Digest
    serial: int | None


@dataclass(frozen=True, slots=True)
class SignaturePolicy:
    """The policy the signer followed."""

    identifier: str
    digest: Digest


@fact
class XadesSignature:
    """The facts of one signature.

    `signed_info` and `signed_properties` are canonical octets. `properties_digest` is what SignedInfo
    says about the latter, None when it says nothing. Two signatures with the same `skeleton` differ in
    value, digests and signing time alone.
    """

    algorithm: SignatureAlgorithm
    signed_info: bytes
    value: bytes
    references: tuple[SignatureReference, ...]
    properties_digest: Digest | None
    signed_properties: bytes
    certificate_der: bytes
    other_certificates: tuple[bytes, ...]
    signing_time: datetime
    signing_certificate: CertificateReference
    policy: SignaturePolicy | None
    unsigned: UnsignedProperties
    skeleton: object | None = field(default=None, compare=False, repr=False)


def parse_signature(xml: bytes) -> XadesSignature:
    """Read the one signature in `xml`.

    Raises SignatureRefused: malformed_signature for anything out of place, invalid_reference for the
    time-stamp manifests of an abandoned format.
    """
    root = parse_strict(xml, CODE)
    _refuse_repeated_ids(xml)
    signature = exactly(root, CODE, _SIGNATURE)[0] if root.tag in _WRAPPERS else root
    if signature.tag != _SIGNATURE:
        raise SignatureRefused(CODE, "signature.not_a_signature", element=local_name(signature))
    signed_info, value, key_info, signed_object = exactly(signature, CODE, *_SIGNATURE_CHILDREN)
    signed, unsigned = _read_object(signed_object, signature.get("Id"))
    info = _read_signed_info(signed_info, signed)
    certificates = _read_key_info(key_info)
    time, certificate, policy = _read_signed_properties(signed)
    return XadesSignature(
        algorithm=info.algorithm,
        signed_info=_canonical(signed_info, info.canonicalisation),
        value=base64_of(value, CODE),
        references=info.references,
        properties_digest=info.properties_digest,
        signed_properties=_canonical(signed, info.properties_canonicalisation),
        certificate_der=certificates[0],
        other_certificates=certificates[1:],
        signing_time=time,
        signing_certificate=certificate,
        policy=policy,
        unsigned=unsigned,
    )


def _canonical(element: etree._Element, algorithm: str) -> bytes:
    try:
        return canonicalise(element, algorithm)
    except etree.C14NError as cause:  # as for relative namespace names, which C14N 1.0 forbids
        raise SignatureRefused(CODE, "signature.xml_not_well_formed") from cause


_ID: Final = re.compile(rb"""Id\s*=\s*["']([^"']*)["']""")


def _refuse_repeated_ids(xml: bytes) -> None:
    ids = _ID.findall(xml)
    if len(ids) != len(set(ids)) or any(b"&" in value for value in ids):
        raise SignatureRefused(CODE, "signature.repeated_id")


@dataclass(frozen=True, slots=True)
class _SignedInfo:
    algorithm: SignatureAlgorithm
    canonicalisation: str
    references: tuple[SignatureReference, ...]
    properties_digest: Digest | None
    properties_canonicalisation: str


def _read_signed_info(element: etree._Element, signed_properties: etree._Element) -> _SignedInfo:
    children = children_of(element, CODE)
    if len(children) < 3 or (children[0].tag, children[1].tag) != _METHODS:
        raise SignatureRefused(CODE, "signature.signed_info")
    if len(children) - 2 > MAX_REFERENCES:
        raise SignatureRefused(
            CODE, "signature.too_many_references", references=len(children) - 2, limit=MAX_REFERENCES
        )
    own_id = signed_properties.get("Id")
    references: list[SignatureReference] = []
    properties: tuple[Digest, str] | None = None
    for child in children[2:]:
        uri, kind, transforms, digest = _read_reference(child)
        if uri.startswith("#"):
            if properties is not None or uri[1:] != own_id or kind not in (None, SIGNED_PROPERTIES_TYPE):
                raise SignatureRefused(CODE, "signature.unexpected_reference", uri=uri)
            properties = digest, _last_canonicalisation(transforms)
        elif transforms or kind == SIGNED_PROPERTIES_TYPE or any(known.uri == uri for known in references):
            # A transform of a part would let its bytes change under an unchanged signature.
            raise SignatureRefused(CODE, "signature.unexpected_reference", uri=uri)
        else:
            references.append(SignatureReference(uri, digest))
    return _SignedInfo(
        algorithm=_signature_algorithm(children[1]),
        canonicalisation=_canonicalisation(children[0]),
        references=tuple(references),
        properties_digest=properties[0] if properties else None,
        properties_canonicalisation=properties[1] if properties else C14N_INCLUSIVE,
    )


def _read_reference(element: etree._Element) -> tuple[str, str | None, list[str], Digest]:
    if element.tag != _REFERENCE:
        raise SignatureRefused(CODE, "signature.signed_info")
    only_attributes(element, CODE, "Id", "Type", "URI")
    children = children_of(element, CODE)
    transforms: list[str] = []
    if children and children[0].tag == _TRANSFORMS:
        transforms = _read_transforms(children.pop(0))
    if [child.tag for child in children] != [DIGEST_METHOD, DIGEST_VALUE]:
        raise SignatureRefused(CODE, "signature.signed_info")
    return (
        attribute_of(element, "URI", CODE),
        element.get("Type"),
        transforms,
        digest_in(children[0], children[1], CODE),
    )


def _read_transforms(element: etree._Element) -> list[str]:
    children = children_of(element, CODE)
    if not 1 <= len(children) <= MAX_TRANSFORMS:
        raise SignatureRefused(CODE, "signature.too_many_transforms", transforms=len(children), limit=MAX_TRANSFORMS)
    for child in children:
        if child.tag != _TRANSFORM:
            raise SignatureRefused(CODE, "signature.signed_info")
    return [_canonicalisation(child) for child in children]


def _canonicalisation(element: etree._Element) -> str:
    """Return the algorithm, one of the three C14N without comments; XSLT, XPath and the rest are refused."""
    algorithm = attribute_of(element, "Algorithm", CODE)
    if algorithm not in _CANONICALISATIONS or len(element):
        raise SignatureRefused(CODE, "signature.transform", algorithm=algorithm)
    return algorithm


def _last_canonicalisation(transforms: list[str]) -> str:
    # Canonical XML of canonical XML: the first turns nodes into octets, so a second is refused.
    if len(transforms) > 1:
        raise SignatureRefused(CODE, "signature.too_many_transforms", transforms=len(transforms), limit=1)
    return transforms[0] if transforms else C14N_INCLUSIVE


def _signature_algorithm(method: etree._Element) -> SignatureAlgorithm:
    uri = attribute_of(method, "Algorithm", CODE)
    algorithm = find_signature_algorithm(uri)
    if algorithm is None or algorithm.uri != uri or len(method):
        raise SignatureRefused(CODE, "signature.signature_algorithm", algorithm=uri)
    return algorithm


def _read_key_info(element: etree._Element) -> tuple[bytes, ...]:
    (data,) = exactly(element, CODE, _X509_DATA)
    certificates = children_of(data, CODE)
    if not 1 <= len(certificates) <= MAX_KEY_INFO_CERTIFICATES:
        raise SignatureRefused(CODE, "signature.key_info", certificates=len(certificates))
    if any(certificate.tag != _X509_CERTIFICATE for certificate in certificates):
        raise SignatureRefused(CODE, "signature.key_info", certificates=len(certificates))
    return tuple(lasting_base64_of(certificate, CODE) for certificate in certificates)


def _read_object(element: etree._Element, signature_id: str | None) -> tuple[etree._Element, UnsignedProperties]:
    children = children_of(element, CODE)
    if any(child.tag == _MANIFEST for child in children):
        raise SignatureRefused("invalid_reference", "signature.manifest")
    (qualifying,) = exactly(element, CODE, _QUALIFYING)
    if signature_id is None or qualifying.get("Target") != f"#{signature_id}":
        raise SignatureRefused(CODE, "signature.target", target=qualifying.get("Target") or "-")
    properties = children_of(qualifying, CODE)
    tags = [child.tag for child in properties]
    if tags == [_SIGNED, _UNSIGNED]:
        return properties[0], read_unsigned_properties(properties[1])
    if tags == [_SIGNED]:
        return properties[0], UnsignedProperties()
    raise SignatureRefused(CODE, "signature.qualifying_properties")


def _read_signed_properties(
    element: etree._Element,
) -> tuple[datetime, CertificateReference, SignaturePolicy | None]:
    children = children_of(element, CODE)
    tags = [child.tag for child in children]
    if tags not in ([_SIGNED_SIGNATURE], [_SIGNED_SIGNATURE, _SIGNED_DATA]):
        raise SignatureRefused(CODE, "signature.signed_properties")
    properties = children_of(children[0], CODE)
    if len(properties) < 2 or properties[0].tag != _SIGNING_TIME:
        raise SignatureRefused(CODE, "signature.signed_properties")
    time = _read_time(text_of(properties[0], CODE))
    certificate = _read_signing_certificate(properties[1])
    rest = properties[2:]
    policy = _read_policy(rest.pop(0)) if rest and rest[0].tag == _POLICY else None
    if any(child.tag not in _OTHER_SIGNED for child in rest):
        raise SignatureRefused(CODE, "signature.signed_properties")
    return time, certificate, policy


def _read_time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text.strip(XML_SPACE))
    except ValueError as cause:
        raise SignatureRefused(CODE, "signature.signing_time", value=text[:40]) from cause
    if time.tzinfo is None:
        raise SignatureRefused(CODE, "signature.signing_time", value=text[:40])
    return time


def _read_signing_certificate(element: etree._Element) -> CertificateReference:
    """Return the first reference: the signing certificate itself (TS 101 903 7.2.2)."""
    certificates = children_of(element, CODE)
    if not certificates or certificates[0].tag != _CERT:
        raise SignatureRefused(CODE, "signature.signing_certificate")
    children = children_of(certificates[0], CODE)
    tags = [child.tag for child in children]
    if element.tag == _SIGNING_CERTIFICATE and tags == [_CERT_DIGEST, _ISSUER_SERIAL]:
        _, serial = exactly(children[1], CODE, _X509_ISSUER, _X509_SERIAL)
        number = text_of(serial, CODE).strip(XML_SPACE)
        if not number.isascii() or not number.isdigit() or len(number) > 64:
            raise SignatureRefused(CODE, "signature.signing_certificate")
        return CertificateReference(_read_certificate_digest(children[0]), int(number))
    if element.tag == _SIGNING_CERTIFICATE_V2 and tags in ([_CERT_DIGEST], [_CERT_DIGEST, _ISSUER_SERIAL_V2]):
        return CertificateReference(_read_certificate_digest(children[0]), None)
    raise SignatureRefused(CODE, "signature.signing_certificate")


def _read_certificate_digest(element: etree._Element) -> Digest:
    method, value = exactly(element, CODE, DIGEST_METHOD, DIGEST_VALUE)
    return digest_in(method, value, CODE)


def _read_policy(element: etree._Element) -> SignaturePolicy | None:
    children = children_of(element, CODE)
    if [child.tag for child in children] != [_POLICY_ID]:
        return None  # SignaturePolicyImplied names nothing that could be checked
    parts = children_of(children[0], CODE)
    if tuple(part.tag for part in parts[:2]) != _POLICY_PARTS or len(parts[0]) < 1:
        raise SignatureRefused(CODE, "signature.policy")
    method, value = exactly(parts[1], CODE, DIGEST_METHOD, DIGEST_VALUE)
    return SignaturePolicy(text_of(parts[0][0], CODE).strip(XML_SPACE), digest_in(method, value, CODE))
