"""ASN.1 structures shared by CMS and time-stamps, declared (X.680, RFC 5652 5, RFC 3161 2.4, RFC 4055).

`cryptography` decodes DER strictly. Sets under an IMPLICIT tag are declared as lists, which have the
same bytes but no order to insist on: time-stamp servers built on OpenSSL leave certificates unsorted.
Some servers still answer in BER; `definite` brings such bytes into definite form first.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeVar

from cryptography import x509
from cryptography.hazmat import asn1

from gateway.xroad.digests import DigestAlgorithm, find_digest_algorithm
from gateway.xroad.faults import XRoadFault

MAX_DEPTH: Final = 32
MAX_DER_BYTES: Final = 1024 * 1024

_T = TypeVar("_T")

TLV = asn1.TLV
SetOf = asn1.SetOf
ObjectIdentifier = x509.ObjectIdentifier


@asn1.sequence
class PlainAlgorithm:
    """AlgorithmIdentifier without parameters, or with NULL."""

    algorithm: x509.ObjectIdentifier
    parameters: asn1.Null | None = None


@asn1.sequence
class MaskAlgorithm:
    """AlgorithmIdentifier of MGF1: its parameter is a digest (RFC 4055 2.2)."""

    algorithm: x509.ObjectIdentifier
    parameters: PlainAlgorithm


@asn1.sequence
class PssParameters:
    """RSASSA-PSS-params (RFC 4055 3.1); an absent field has the default of SHA-1 days."""

    digest: Annotated[PlainAlgorithm | None, asn1.Explicit(0)] = None
    mask: Annotated[MaskAlgorithm | None, asn1.Explicit(1)] = None
    salt_length: Annotated[int | None, asn1.Explicit(2)] = None
    trailer: Annotated[int | None, asn1.Explicit(3)] = None


@asn1.sequence
class AlgorithmIdentifier:
    """AlgorithmIdentifier with the parameters that digests and signatures of ours can have."""

    algorithm: x509.ObjectIdentifier
    parameters: asn1.Null | PssParameters | None = None


@asn1.sequence
class Attribute:
    """One signed attribute: its type and a set of values."""

    type: x509.ObjectIdentifier
    values: asn1.SetOf[asn1.TLV]


def oid(dotted: str) -> x509.ObjectIdentifier:
    """Return the object identifier written as numbers and dots."""
    return x509.ObjectIdentifier(dotted)


def digest_algorithm_of(identifier: x509.ObjectIdentifier) -> DigestAlgorithm | None:
    """Return the digest algorithm with this OID; SHA-1 is none that anybody may still sign."""
    found = find_digest_algorithm(identifier.dotted_string)
    return None if found is DigestAlgorithm.SHA1 else found


def encode(value: object) -> bytes:
    """Return the DER form of a declared value."""
    return asn1.encode_der(value)


def decode(kind: type[_T], data: bytes, fault: XRoadFault) -> _T:
    """Read one value of a declared kind from exactly these bytes, or raise `fault`.

    The module raises ValueError for what is no DER of that kind, and a few others for values that DER
    allows and Python cannot hold.
    """
    if len(data) > MAX_DER_BYTES:
        raise fault
    try:
        return asn1.decode_der(kind, data)
    except (ValueError, TypeError, OverflowError) as bad:
        raise fault from bad


def any_value(der: bytes) -> Any:
    """Return DER bytes as a value for a field that takes anything."""
    return asn1.decode_der(asn1.TLV, der)


def der_of_any(value: asn1.TLV) -> bytes:
    """Return the whole DER of a field that took anything."""
    return asn1.encode_der(value)


def definite(data: bytes) -> bytes:
    """Return BER `data` with definite lengths and undivided octet strings; DER comes out unchanged.

    Raises ValueError for bytes that are no single BER value or nest deeper than MAX_DEPTH.
    """
    if len(data) > MAX_DER_BYTES:
        raise ValueError("too large")
    value, end = _definite(data, 0, 0)
    if end != len(data):
        raise ValueError("bytes after the value")
    return value


_CONSTRUCTED: Final = 0x20
_CONSTRUCTED_OCTETS: Final = 0x24
_OCTETS: Final = 0x04


def _definite(data: bytes, start: int, depth: int) -> tuple[bytes, int]:
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    tag = data[start : start + 1]
    if not tag or tag[0] & 0x1F == 0x1F or tag == b"\x00":
        raise ValueError("unexpected tag")
    length, position = _length(data, start + 1)
    if not tag[0] & _CONSTRUCTED:
        if length is None or position + length > len(data):
            raise ValueError("content is missing")
        return wrap(tag[0], data[position : position + length]), position + length
    children, end = _children(data, position, length, depth)
    if tag[0] == _CONSTRUCTED_OCTETS:
        return wrap(_OCTETS, b"".join(_content(child) for child in children)), end
    return wrap(tag[0], b"".join(children)), end


def _children(data: bytes, position: int, length: int | None, depth: int) -> tuple[list[bytes], int]:
    children: list[bytes] = []
    limit = len(data) if length is None else position + length
    while True:
        if length is None and data[position : position + 2] == b"\x00\x00":
            return children, position + 2
        if length is not None and position == limit:
            return children, position
        if position >= limit:
            raise ValueError("content is missing")
        child, position = _definite(data, position, depth + 1)
        children.append(child)


def _length(data: bytes, position: int) -> tuple[int | None, int]:
    first = data[position : position + 1]
    if not first:
        raise ValueError("length is missing")
    if first[0] < 0x80:
        return first[0], position + 1
    if first[0] == 0x80:
        return None, position + 1
    count = first[0] & 0x7F
    octets = data[position + 1 : position + 1 + count]
    if count > 4 or len(octets) != count:
        raise ValueError("length is too long")
    return int.from_bytes(octets, "big"), position + 1 + count


def wrap(tag: int, content: bytes) -> bytes:
    """Return `content` under a tag of one octet, with a length in DER."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def _content(der: bytes) -> bytes:
    if der[0] != _OCTETS:
        raise ValueError("octet string of other things")
    return der[_length(der, 1)[1] :]
