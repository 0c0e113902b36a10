"""The unsigned half of a XAdES signature: time-stamp, certificates, their status (TS 101 903 7.3-7.6).

Nothing here is covered by the signature, so each value proves itself: certificates by the digests that
name them and by the path they build, OCSP responses and time-stamps by their own signatures. Properties
of XAdES that say nothing to us are passed over; two of a kind, or anything foreign, is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lxml import etree

from gateway.xroad.digests import Digest
from gateway.xroad.faults import SignatureRefused
from gateway.xroad.signature.strict_xml import (
    DIGEST_METHOD,
    DIGEST_VALUE,
    attribute_of,
    base64_of,
    children_of,
    digest_in,
    exactly,
    lasting_base64_of,
    local_name,
)
from gateway.xroad.xml import NS_XADES

MAX_CERTIFICATES: Final = 10
MAX_OCSP_VALUES: Final = 20

_CODE: Final = "malformed_signature"
_NS_XADES_141: Final = "http://uri.etsi.org/01903/v1.4.1#"


def _xades(name: str) -> str:
    return f"{{{NS_XADES}}}{name}"


_SIGNATURE_PROPERTIES: Final = _xades("UnsignedSignatureProperties")
_DATA_PROPERTIES: Final = _xades("UnsignedDataObjectProperties")
_TIMESTAMP: Final = _xades("SignatureTimeStamp")
_TOKEN: Final = _xades("EncapsulatedTimeStamp")
_REFERENCES: Final = _xades("CompleteCertificateRefs")
_VALUES: Final = _xades("CertificateValues")
_REVOCATION: Final = _xades("RevocationValues")
_CERT_REFS: Final = _xades("CertRefs")
_CERT: Final = _xades("Cert")
_CERT_DIGEST: Final = _xades("CertDigest")
_CERTIFICATE: Final = _xades("EncapsulatedX509Certificate")
_OCSP_VALUES: Final = _xades("OCSPValues")
_CRL_VALUES: Final = _xades("CRLValues")
_OCSP: Final = _xades("EncapsulatedOCSPValue")


@dataclass(frozen=True, slots=True)
class UnsignedProperties:
    """What came with a signature; `certificates` are the intermediates that its references name."""

    certificates: tuple[bytes, ...] = ()
    ocsp_responses: tuple[bytes, ...] = ()
    timestamp: bytes | None = None


def read_unsigned_properties(element: etree._Element) -> UnsignedProperties:
    """Read `xades:UnsignedProperties`; raises SignatureRefused (malformed_signature)."""
    found: dict[str, etree._Element] = {}
    for group in children_of(element, _CODE):
        if group.tag == _DATA_PROPERTIES:
            continue
        if group.tag != _SIGNATURE_PROPERTIES:
            raise SignatureRefused(_CODE, "signature.unsigned_property", element=local_name(group))
        for child in children_of(group, _CODE):
            if child.tag in found or etree.QName(child).namespace not in (NS_XADES, _NS_XADES_141):
                raise SignatureRefused(_CODE, "signature.unsigned_property", element=local_name(child))
            found[str(child.tag)] = child
    return UnsignedProperties(
        certificates=_read_certificates(found.get(_REFERENCES), found.get(_VALUES)),
        ocsp_responses=_read_ocsp(found.get(_REVOCATION)),
        timestamp=_read_timestamp(found.get(_TIMESTAMP)),
    )


def _read_timestamp(element: etree._Element | None) -> bytes | None:
    if element is None:
        return None
    if not len(element):  # an old spelling: the token stands in SignatureTimeStamp itself
        return base64_of(element, _CODE)
    (token,) = exactly(element, _CODE, _TOKEN)
    return base64_of(token, _CODE)


def _read_ocsp(element: etree._Element | None) -> tuple[bytes, ...]:
    if element is None:
        return ()
    groups = [group for group in children_of(element, _CODE) if group.tag != _CRL_VALUES]
    if len(groups) != 1 or groups[0].tag != _OCSP_VALUES:
        raise SignatureRefused(_CODE, "signature.revocation_values")
    values = children_of(groups[0], _CODE)
    if len(values) > MAX_OCSP_VALUES or any(value.tag != _OCSP for value in values):
        raise SignatureRefused(_CODE, "signature.revocation_values")
    return tuple(lasting_base64_of(value, _CODE) for value in values)


def _read_certificates(references: etree._Element | None, values: etree._Element | None) -> tuple[bytes, ...]:
    """Return the intermediates: those that references name, or all where none are named."""
    available = {} if values is None else _read_values(values)
    if references is None:
        return tuple(available.values())
    (group,) = exactly(references, _CODE, _CERT_REFS)
    named = children_of(group, _CODE)
    if len(named) > MAX_CERTIFICATES or any(cert.tag != _CERT for cert in named):
        raise SignatureRefused(_CODE, "signature.certificate_references")
    return tuple(_resolve(cert, available) for cert in named)


def _read_values(element: etree._Element) -> dict[str, bytes]:
    certificates = children_of(element, _CODE)
    if len(certificates) > MAX_CERTIFICATES:
        raise SignatureRefused(_CODE, "signature.certificate_values", limit=MAX_CERTIFICATES)
    values = {}
    for number, certificate in enumerate(certificates):
        if certificate.tag != _CERTIFICATE:
            raise SignatureRefused(_CODE, "signature.certificate_values", limit=MAX_CERTIFICATES)
        values[certificate.get("Id", f" {number}")] = lasting_base64_of(certificate, _CODE)
    return values


def _resolve(cert: etree._Element, available: dict[str, bytes]) -> bytes:
    """Return the certificate that a reference names, whose digest it must have (X-Road Helper.java)."""
    uri = attribute_of(cert, "URI", _CODE)
    certificate = available.get(uri[1:]) if uri.startswith("#") else None
    if certificate is None:
        raise SignatureRefused(_CODE, "signature.certificate_value_missing", reference=uri)
    children = children_of(cert, _CODE)
    if not children or children[0].tag != _CERT_DIGEST:
        raise SignatureRefused(_CODE, "signature.certificate_references")
    method, value = exactly(children[0], _CODE, DIGEST_METHOD, DIGEST_VALUE)
    stated: Digest = digest_in(method, value, _CODE)
    if stated.algorithm.digest(certificate) != stated.value:
        raise SignatureRefused(_CODE, "signature.certificate_value_differs", reference=uri)
    return certificate
