"""Configuration anchor: the one file that is handed over out of band and starts all trust (PR-GCONF 2.2, Annex E).

Only the public keys of its certificates count: there is no chain, no validity and no key usage to
check. A person compares `anchor_hash` with what the governing authority published.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from lxml import etree

from gateway.xroad.digests import DigestAlgorithm
from gateway.xroad.faults import MalformedMessage
from gateway.xroad.globalconf.elements import Reader, base64_element, element, new_document, open_document, serialise
from gateway.xroad.globalconf.times import format_time, parse_time

_CODE: Final = "malformed_anchor"


@dataclass(frozen=True, slots=True)
class AnchorSource:
    """One place to download from, and the certificates whose keys may have signed what lies there."""

    download_url: str
    certificates: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Anchor:
    """The trust in one configuration provider."""

    instance: str
    sources: tuple[AnchorSource, ...]
    generated_at: datetime | None = None

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """Every certificate of every source, once, in order."""
        return tuple(dict.fromkeys(cert for source in self.sources for cert in source.certificates))


def parse_anchor(xml: bytes) -> Anchor:
    """Read an anchor file; MalformedMessage (malformed_anchor) for anything the schema would refuse."""
    return read_anchor(open_document(xml, "configurationAnchor", code=_CODE))


def read_anchor(reader: Reader) -> Anchor:
    """Read the content of an anchor, at the root of a file or within private parameters."""
    generated = reader.find("generatedAt")
    generated_at = None if generated is None else parse_time(generated.token(), code=reader.code)
    instance = reader.child("instanceIdentifier").required_text()
    sources = tuple(_read_source(source) for source in reader.children("source", at_least=1))
    reader.end()
    return Anchor(instance, sources, generated_at)


def _read_source(reader: Reader) -> AnchorSource:
    url = reader.child("downloadURL")
    address = url.token()
    if not _is_web_address(address):
        raise url.refuse("globalconf.not_web_address", value=address[:200])
    certificates = tuple(cert.base64() for cert in reader.children("verificationCert", at_least=1))
    reader.end()
    return AnchorSource(address, certificates)


def _is_web_address(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def build_anchor(anchor: Anchor) -> bytes:
    """Write an anchor file."""
    root = new_document("configurationAnchor")
    write_anchor(root, anchor)
    return serialise(root)


def write_anchor(node: etree._Element, anchor: Anchor) -> None:
    """Fill `node`, the root of a file or an element of private parameters."""
    if anchor.generated_at is not None:
        element(node, "generatedAt", format_time(anchor.generated_at))
    element(node, "instanceIdentifier", anchor.instance)
    for source in anchor.sources:
        child = element(node, "source")
        element(child, "downloadURL", source.download_url)
        for certificate in source.certificates:
            base64_element(child, "verificationCert", certificate)


def anchor_hash(xml: bytes) -> str:
    """Return the fingerprint people compare: SHA-224 of the file, upper-case hex pairs with colons."""
    return ":".join(f"{byte:02X}" for byte in DigestAlgorithm.SHA224.digest(xml))


def anchor_file_name(anchor: Anchor, kind: str) -> str:
    """Return the name under which an anchor is offered; `kind` is `internal` or `external`."""
    at = (anchor.generated_at or datetime.fromtimestamp(0, UTC)).astimezone(UTC)
    return f"configuration_anchor_{anchor.instance}_{kind}_UTC_{at:%Y-%m-%d_%H_%M_%S}.xml"


def require_plain_source(sources: Iterable[AnchorSource]) -> None:
    """Refuse an anchor that names https sources only: no X-Road client would find an address in it.

    The reference takes https variants from http addresses alone, stores nothing and says nothing.
    """
    urls = [source.download_url for source in sources]
    if not any(urlsplit(url).scheme == "http" for url in urls):
        raise MalformedMessage(_CODE, "globalconf.anchor_without_http", urls=", ".join(urls))
