"""XML of signed evidence, read so that two readers can't see two documents (XML 1.0, XMLDSig 8.1).

A signature or hash chain is UTF-8, one element tree and nothing else: no DOCTYPE, comments, processing
instructions or CDATA, which canonicalisation drops or merges and which therefore could hide beside what
was signed. In UTF-8 all four begin with `<!` or `<?`, so the bytes are asked before the parser is.
Base64 must be what an encoder writes: the unused bits of its last letter are zero.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from functools import lru_cache
from typing import Final

from lxml import etree

from gateway.xroad.digests import Digest, DigestAlgorithm
from gateway.xroad.faults import SignatureRefused
from gateway.xroad.xml import NS_DS, hardened_parser

MAX_SIGNATURE_XML_BYTES: Final = 4 * 1024 * 1024
MAX_CACHED_LETTERS: Final = 16 * 1024
XML_SPACE: Final = " \t\r\n"
_XML_SPACE_BYTES: Final = XML_SPACE.encode("ascii")

DIGEST_METHOD: Final = f"{{{NS_DS}}}DigestMethod"
DIGEST_VALUE: Final = f"{{{NS_DS}}}DigestValue"

# SHA-1 and SHA-224 are known to the reference and refused here.
ACCEPTED_DIGESTS: Final = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})

_DECLARATION: Final = re.compile(
    rb"""<\?xml\s+version=["']1\.0["'](?:\s+encoding=["'](?:UTF-8|utf-8)["'])?(?:\s+standalone=["'](?:yes|no)["'])?\s*\?>"""
)
_PARSER: Final = hardened_parser()


def parse_strict(data: bytes, code: str) -> etree._Element:
    """Parse one document of signed evidence and return its root.

    Raises SignatureRefused with `code` unless it is UTF-8 XML 1.0 of bounded size and one tree of
    elements and text.
    """
    if len(data) > MAX_SIGNATURE_XML_BYTES:
        raise SignatureRefused(
            code, "signature.xml_too_large", size_bytes=len(data), limit_bytes=MAX_SIGNATURE_XML_BYTES
        )
    declaration = _DECLARATION.match(data)
    start = declaration.end() if declaration else 0
    if data[:1] != b"<" or b"\0" in data:
        raise SignatureRefused(code, "signature.xml_encoding")
    # The single letters are rare, and found four times faster than the pairs.
    if (b"!" in data and b"<!" in data) or (data.find(b"?", start) >= 0 and data.find(b"<?", start) >= 0):
        raise SignatureRefused(code, "signature.xml_not_plain")
    try:
        return etree.fromstring(data, _PARSER)
    except (etree.XMLSyntaxError, ValueError) as cause:
        raise SignatureRefused(code, "signature.xml_not_well_formed") from cause


def children_of(element: etree._Element, code: str) -> list[etree._Element]:
    """Return the child elements of an element that holds elements only."""
    children = list(element)
    text = element.text
    if text and text != "\n" and text.strip(XML_SPACE):
        raise SignatureRefused(code, "signature.xml_unexpected_text", element=local_name(element))
    for child in children:
        text = child.tail
        if text and text != "\n" and text.strip(XML_SPACE):
            raise SignatureRefused(code, "signature.xml_unexpected_text", element=local_name(element))
    return children


def exactly(element: etree._Element, code: str, *tags: str) -> list[etree._Element]:
    """Return the children, which are exactly `tags` in this order."""
    children = children_of(element, code)
    if [child.tag for child in children] != list(tags):
        raise SignatureRefused(
            code,
            "signature.xml_unexpected_children",
            element=local_name(element),
            found=" ".join(local_name(child) for child in children[:12]) or "-",
            expected=" ".join(tag.rpartition("}")[2] for tag in tags),
        )
    return children


def text_of(element: etree._Element, code: str) -> str:
    """Return the text of an element that holds text only."""
    if len(element):
        raise SignatureRefused(code, "signature.xml_unexpected_element", element=local_name(element))
    return element.text or ""


def attribute_of(element: etree._Element, name: str, code: str) -> str:
    """Return an attribute that must be there."""
    value = element.get(name)
    if value is None:
        raise SignatureRefused(code, "signature.xml_attribute_missing", element=local_name(element), attribute=name)
    return value


def only_attributes(element: etree._Element, code: str, *names: str) -> None:
    """Refuse attributes other than `names`."""
    for name in element.keys():  # noqa: SIM118  an element iterates over its children
        if name not in names:
            raise SignatureRefused(
                code, "signature.xml_unexpected_attribute", element=local_name(element), attribute=str(name)
            )


def base64_of(element: etree._Element, code: str) -> bytes:
    """Return what the base64 in an element says; white space may stand anywhere in it."""
    data = _decode(text_of(element, code))
    if not data:
        raise SignatureRefused(code, "signature.xml_base64", element=local_name(element))
    return data


def lasting_base64_of(element: etree._Element, code: str) -> bytes:
    """Return the same for what comes again and again: certificates and their status."""
    text = text_of(element, code)
    data = _decode_cached(text) if len(text) <= MAX_CACHED_LETTERS else _decode(text)
    if not data:
        raise SignatureRefused(code, "signature.xml_base64", element=local_name(element))
    return data


def _decode(text: str) -> bytes | None:
    try:
        letters = text.encode("ascii").translate(None, _XML_SPACE_BYTES)
        data = a2b_base64(letters, strict_mode=True)
    except (UnicodeEncodeError, Base64Error):
        return None
    return data if b2a_base64(data, newline=False) == letters else None


_decode_cached = lru_cache(maxsize=1024)(_decode)


# By their XML names alone, never by plain name or OID.
_BY_URI: Final = {algorithm.uri: algorithm for algorithm in ACCEPTED_DIGESTS}


def digest_algorithm_of(method: etree._Element, code: str) -> DigestAlgorithm:
    """Return the algorithm that a ds:DigestMethod names, if we accept it."""
    uri = attribute_of(method, "Algorithm", code)
    algorithm = _BY_URI.get(uri)
    if algorithm is None:
        raise SignatureRefused(code, "signature.digest_algorithm", algorithm=uri)
    if len(method):
        raise SignatureRefused(code, "signature.xml_unexpected_element", element=local_name(method))
    return algorithm


def digest_in(method: etree._Element, value: etree._Element, code: str) -> Digest:
    """Return the digest that a pair of ds:DigestMethod and ds:DigestValue states."""
    return stated_digest(digest_algorithm_of(method, code), value, code)


def stated_digest(algorithm: DigestAlgorithm, value: etree._Element, code: str) -> Digest:
    """Return the digest in a ds:DigestValue, whose length must be the algorithm's."""
    octets = base64_of(value, code)
    if len(octets) != algorithm.primitive.digest_size:
        raise SignatureRefused(code, "signature.digest_length", algorithm=algorithm.label, size_bytes=len(octets))
    return Digest(algorithm, octets)


def local_name(element: etree._Element) -> str:
    """Return the name without its namespace."""
    return str(element.tag).rpartition("}")[2]
