"""The one hardened XML parser, the namespaces, and canonicalisation.

Every XML document that comes from outside passes `parse_xml`: no DOCTYPE, no entities, no network,
no huge trees. lxml leaves entities unexpanded but still accepts a DOCTYPE, so it is refused here.
"""

from __future__ import annotations

from typing import Final

from lxml import etree

from gateway.xroad.faults import MalformedMessage

MAX_XML_DEPTH: Final = 256  # libxml2's own bound without huge_tree
MAX_XML_BYTES: Final = 64 * 1024 * 1024

NS_SOAP11: Final = "http://schemas.xmlsoap.org/soap/envelope/"
NS_SOAP12: Final = "http://www.w3.org/2003/05/soap-envelope"
NS_XROAD: Final = "http://x-road.eu/xsd/xroad.xsd"
NS_IDENTIFIERS: Final = "http://x-road.eu/xsd/identifiers"
NS_REPRESENTATION: Final = "http://x-road.eu/xsd/representation.xsd"
NS_SECURITY_TOKEN: Final = "http://x-road.eu/xsd/security-token.xsd"  # noqa: S105  a namespace
NS_HASH_CHAIN: Final = "http://cyber.ee/hashchain"
NS_DS: Final = "http://www.w3.org/2000/09/xmldsig#"
NS_XADES: Final = "http://uri.etsi.org/01903/v1.3.2#"
NS_ASIC_SIGNATURES: Final = "http://uri.etsi.org/02918/v1.2.1#"
NS_ASIC_MANIFEST: Final = "http://uri.etsi.org/2918/v1.2.1#"
NS_MANIFEST: Final = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
NS_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"

C14N_INCLUSIVE: Final = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
C14N_EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
C14N_11: Final = "http://www.w3.org/2006/12/xml-c14n11"


def hardened_parser() -> etree.XMLParser:
    """Return a fresh parser with every outside influence switched off."""
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_blank_text=False
    )


def parse_xml(data: bytes, *, code: str = "invalid_xml") -> etree._Element:
    """Parse one document and return its root.

    Raises MalformedMessage with `code` when it is not well-formed, deeper than libxml2's bound of
    256, larger than MAX_XML_BYTES, or carries a DOCTYPE.
    """
    if len(data) > MAX_XML_BYTES:
        raise MalformedMessage(code, "xml.too_large", size_bytes=len(data), limit_bytes=MAX_XML_BYTES)
    try:
        root = etree.fromstring(data, hardened_parser())
    except (etree.XMLSyntaxError, ValueError) as cause:
        raise MalformedMessage(code, "xml.not_well_formed", reason=_reason(cause)) from cause
    refuse_doctype(root, code=code)
    return root


def refuse_doctype(root: etree._Element, *, code: str = "invalid_xml") -> None:
    """Refuse a document that carries a DOCTYPE."""
    if root.getroottree().docinfo.doctype:  # type: ignore[attr-defined]  # missing in the stubs
        raise MalformedMessage(code, "xml.doctype")


def canonicalise(element: etree._Element, algorithm: str = C14N_INCLUSIVE) -> bytes:
    """Return the canonical form of `element` in its document (Canonical XML 1.0, comments left out).

    Inclusive forms inherit the namespaces of the ancestors, so call it on the finished tree. The
    tail is left out. Raises MalformedMessage (invalid_xml) for an algorithm that is not listed here.
    """
    if algorithm in (C14N_INCLUSIVE, C14N_11):
        return etree.tostring(element, method="c14n", with_comments=False, with_tail=False)
    if algorithm == C14N_EXCLUSIVE:
        return etree.tostring(element, method="c14n", exclusive=True, with_comments=False, with_tail=False)
    raise MalformedMessage("invalid_xml", "xml.unknown_canonicalisation", algorithm=algorithm)


def _reason(cause: Exception) -> str:
    # libxml2 may quote the document: keep the first line, bounded, so that no body reaches a log.
    return str(cause).splitlines()[0][:200] if str(cause) else type(cause).__name__
