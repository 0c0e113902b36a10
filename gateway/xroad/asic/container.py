"""ASiC-E containers of X-Road: one signed message with its proof (X-Road AsicContainer.java, AsicHelper.java).

Written entry for entry as the reference writes them, the same input giving the same bytes. Read so that
a container holds one message, one signature and nothing beside: an entry under any other name or
spelling is refused, because some reader would show it and no signature covers it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from gateway.xroad.asic.archive import CODE, Entry, read_archive, write_archive
from gateway.xroad.bodies import Body
from gateway.xroad.digests import DigestAlgorithm, digest_of
from gateway.xroad.faults import MalformedMessage
from gateway.xroad.signature.signed_message import Signature
from gateway.xroad.xml import NS_ASIC_MANIFEST, NS_DS, NS_MANIFEST

MIME_TYPE: Final = "application/vnd.etsi.asic-e+zip"
COMMENT: Final = f"mimetype={MIME_TYPE}".encode("ascii")

MIMETYPE_ENTRY: Final = "mimetype"
MESSAGE_ENTRY: Final = "message.xml"
SIGNATURE_ENTRY: Final = "META-INF/signatures.xml"
SIGNATURE_RESULT_ENTRY: Final = "sig-hashchainresult.xml"
SIGNATURE_CHAIN_ENTRY: Final = "sig-hashchain.xml"
TIMESTAMP_RESULT_ENTRY: Final = "ts-hashchainresult.xml"
TIMESTAMP_CHAIN_ENTRY: Final = "ts-hashchain.xml"
MANIFEST_ENTRY: Final = "META-INF/manifest.xml"
ASIC_MANIFEST_ENTRY: Final = "META-INF/ASiCManifest.xml"
TIMESTAMP_ENTRY: Final = "META-INF/timestamp.tst"

MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
MAX_PROOF_BYTES: Final = 4 * 1024 * 1024
MAX_ATTACHMENT_BYTES: Final = 1024 * 1024 * 1024  # the reference's upper bound for logged bodies
MAX_ATTACHMENTS_BYTES: Final = 4 * 1024 * 1024 * 1024 - 1

_LIMITS: Final = MappingProxyType(
    {
        MIMETYPE_ENTRY: 128,
        MESSAGE_ENTRY: MAX_MESSAGE_BYTES,
        SIGNATURE_ENTRY: MAX_PROOF_BYTES,
        SIGNATURE_RESULT_ENTRY: MAX_PROOF_BYTES,
        SIGNATURE_CHAIN_ENTRY: MAX_PROOF_BYTES,
        TIMESTAMP_RESULT_ENTRY: MAX_PROOF_BYTES,
        TIMESTAMP_CHAIN_ENTRY: MAX_PROOF_BYTES,
        MANIFEST_ENTRY: MAX_PROOF_BYTES,
        ASIC_MANIFEST_ENTRY: MAX_PROOF_BYTES,
        TIMESTAMP_ENTRY: MAX_PROOF_BYTES,
    }
)
_ATTACHMENT: Final = re.compile(r"attachment([1-9][0-9]{0,3})")

# The order in which the reference lists entries in the manifest: that of a Java HashMap.
_LISTED: Final = (
    SIGNATURE_CHAIN_ENTRY,
    MESSAGE_ENTRY,
    TIMESTAMP_RESULT_ENTRY,
    SIGNATURE_RESULT_ENTRY,
    TIMESTAMP_CHAIN_ENTRY,
)

# What the containers of one time-stamp share.
_REPEATED: Final = frozenset(
    (MIMETYPE_ENTRY, TIMESTAMP_RESULT_ENTRY, MANIFEST_ENTRY, ASIC_MANIFEST_ENTRY, TIMESTAMP_ENTRY)
)

# Our own attribute in the OpenDocument manifest, for parts that were not kept; nobody has to know it.
NS_SURMA: Final = "urn:surma:asic:1"
_OMITTED: Final = re.compile(rb'full-path="(message\.xml|attachment[1-9][0-9]{0,3})" surma:omitted="(?:true|body)"')


@dataclass(frozen=True, slots=True)
class BatchTimestamp:
    """A time-stamp over many signatures; a single one stands inside of the signature instead."""

    token: bytes
    chain_result: bytes
    chain: bytes


@dataclass(frozen=True, slots=True)
class Container:
    """The content of a container; `attachments` maps numbers, from 1, to those that were kept.

    `token` comes without chain when a container carries a single time-stamp as a file. `omitted` are the
    entries that, as the manifest says, were not kept; `message.xml` among them was kept without its body.
    """

    message: bytes
    signature: Signature
    attachments: Mapping[int, Body] = field(default_factory=dict)
    token: bytes | None = None
    timestamp_chain_result: bytes | None = None
    timestamp_chain: bytes | None = None
    asic_manifest: bytes | None = None
    omitted: frozenset[str] = frozenset()


def attachment_entry(number: int) -> str:
    """Return the entry name of the attachment with this number."""
    return f"attachment{number}"


# Writing


def build_container(
    message: bytes,
    signature: Signature,
    *,
    at: datetime,
    attachments: Mapping[int, Body] | None = None,
    timestamp: BatchTimestamp | None = None,
    omitted: Collection[int] = (),
    is_whole: bool = True,
) -> bytes:
    """Return a container; see `write_container`."""
    return b"".join(
        write_container(
            message,
            signature,
            at=at,
            attachments=attachments,
            timestamp=timestamp,
            omitted=omitted,
            is_whole=is_whole,
        )
    )


def write_container(
    message: bytes,
    signature: Signature,
    *,
    at: datetime,
    attachments: Mapping[int, Body] | None = None,
    timestamp: BatchTimestamp | None = None,
    omitted: Collection[int] = (),
    is_whole: bool = True,
) -> Iterator[bytes]:
    """Yield the bytes of a container whose entries carry `at`, the time of the record.

    `omitted` are numbers of attachments that were not kept, as when a body exceeds what may be logged:
    the manifest names them, and only their digests in the hash chain remain. Without `is_whole`, the
    message stands here without its body, as the reference writes it; the manifest says so.
    """
    kept = dict(sorted((attachments or {}).items()))
    texts = _texts_of(message, signature, timestamp)
    listed = tuple(name for name in _LISTED if name in texts)
    texts[MANIFEST_ENTRY] = _build_manifest(listed, tuple(kept), tuple(sorted(omitted)), is_whole=is_whole)
    if timestamp is not None:
        texts[ASIC_MANIFEST_ENTRY] = _build_asic_manifest(timestamp.chain_result)
        texts[TIMESTAMP_ENTRY] = timestamp.token

    def entries() -> Iterator[tuple[str, Iterator[bytes]]]:
        for name, data in texts.items():
            yield name, iter((data,))
        for number, body in kept.items():
            yield attachment_entry(number), body.chunks()

    return write_archive(entries(), at, COMMENT, repeated=_REPEATED)


def _texts_of(message: bytes, signature: Signature, timestamp: BatchTimestamp | None) -> dict[str, bytes]:
    texts = {
        MIMETYPE_ENTRY: MIME_TYPE.encode("ascii"),
        MESSAGE_ENTRY: message,
        SIGNATURE_ENTRY: signature.xml,
    }
    if signature.hash_chain_result is not None and signature.hash_chain is not None:
        texts[SIGNATURE_RESULT_ENTRY] = signature.hash_chain_result
        texts[SIGNATURE_CHAIN_ENTRY] = signature.hash_chain
    if timestamp is not None:
        texts[TIMESTAMP_RESULT_ENTRY] = timestamp.chain_result
        texts[TIMESTAMP_CHAIN_ENTRY] = timestamp.chain
    return texts


@lru_cache(maxsize=256)
def _build_manifest(
    names: tuple[str, ...], kept: tuple[int, ...], omitted: tuple[int, ...], *, is_whole: bool
) -> bytes:
    marks = {} if is_whole else {MESSAGE_ENTRY: ' surma:omitted="body"'}
    entries = [(MIME_TYPE, "/", ""), *(("text/xml", name, marks.get(name, "")) for name in names)]
    entries += [("application/octet-stream", attachment_entry(number), "") for number in kept]
    entries += [("application/octet-stream", attachment_entry(number), ' surma:omitted="true"') for number in omitted]
    lines = "".join(
        f'    <manifest:file-entry manifest:media-type="{media_type}" manifest:full-path="{path}"{mark}/>\n'
        for media_type, path, mark in entries
    )
    own = f' xmlns:surma="{NS_SURMA}"' if omitted or marks else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<manifest:manifest xmlns:manifest="{NS_MANIFEST}"{own}'
        f' manifest:version="1.2">\n{lines}</manifest:manifest>\n'
    ).encode("ascii")


@lru_cache(maxsize=16)  # the records of a time-stamp follow each other
def _build_asic_manifest(chain_result: bytes) -> bytes:
    digest = digest_of(chain_result, DigestAlgorithm.SHA512)
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n'
        f'<asic:ASiCManifest xmlns:asic="{NS_ASIC_MANIFEST}" xmlns:ds="{NS_DS}">\n'
        f'<asic:SigReference URI="{TIMESTAMP_ENTRY}" MimeType="vnd.etsi.timestamp-token"/>\n'
        f'<asic:DataObjectReference URI="{TIMESTAMP_RESULT_ENTRY}" MimeType="text/xml">\n'
        f'<ds:DigestMethod Algorithm="{digest.algorithm.uri}" />\n<ds:DigestValue>{digest.base64}</ds:DigestValue>\n'
        f"</asic:DataObjectReference>\n</asic:ASiCManifest>"
    ).encode("ascii")


# Reading


def read_container(data: bytes | memoryview) -> Container:
    """Read a container; attachments stay packed in `data` (which may be a mapped file) and are hashed now.

    Raises MalformedMessage: asic_invalid_container for what `archive.read_archive` refuses,
    asic_mime_type_not_found, asic_invalid_mime_type, asic_message_not_found, asic_signature_not_found,
    asic_hash_chain_not_found, asic_hash_chain_result_not_found.
    """
    entries = read_archive(data, _limit_of)
    total = sum(entry.size for entry in entries.values())
    if total > MAX_ATTACHMENTS_BYTES:
        raise MalformedMessage(
            CODE, "asic.zip_too_large", entry="*", size_bytes=total, limit_bytes=MAX_ATTACHMENTS_BYTES
        )
    texts = {name: entries[name].read() for name in _LIMITS if name in entries}
    _check_structure(texts)
    return Container(
        message=texts[MESSAGE_ENTRY],
        signature=Signature(
            texts[SIGNATURE_ENTRY], texts.get(SIGNATURE_RESULT_ENTRY), texts.get(SIGNATURE_CHAIN_ENTRY)
        ),
        attachments=MappingProxyType(dict(_attachments(entries))),
        token=texts.get(TIMESTAMP_ENTRY),
        timestamp_chain_result=texts.get(TIMESTAMP_RESULT_ENTRY),
        timestamp_chain=texts.get(TIMESTAMP_CHAIN_ENTRY),
        asic_manifest=texts.get(ASIC_MANIFEST_ENTRY),
        omitted=frozenset(name.decode("ascii") for name in _OMITTED.findall(texts.get(MANIFEST_ENTRY, b""))),
    )


def _limit_of(name: str) -> int | None:
    return MAX_ATTACHMENT_BYTES if _ATTACHMENT.fullmatch(name) else _LIMITS.get(name)


def _attachments(entries: Mapping[str, Entry]) -> Iterator[tuple[int, Body]]:
    numbers = sorted(int(match[1]) for name in entries if (match := _ATTACHMENT.fullmatch(name)))
    for number in numbers:
        yield number, entries[attachment_entry(number)].body()


def _check_structure(texts: Mapping[str, bytes]) -> None:
    mime_type = texts.get(MIMETYPE_ENTRY, b"")
    if not mime_type.strip():
        raise MalformedMessage("asic_mime_type_not_found", "asic.entry_missing", entry=MIMETYPE_ENTRY)
    if mime_type != MIME_TYPE.encode("ascii"):
        raise MalformedMessage("asic_invalid_mime_type", "asic.mime_type", found=ascii(mime_type[:80]))
    if not texts.get(MESSAGE_ENTRY, b"").strip():
        raise MalformedMessage("asic_message_not_found", "asic.entry_missing", entry=MESSAGE_ENTRY)
    if not texts.get(SIGNATURE_ENTRY, b"").strip():
        raise MalformedMessage("asic_signature_not_found", "asic.entry_missing", entry=SIGNATURE_ENTRY)
    for result, chain in (
        (SIGNATURE_RESULT_ENTRY, SIGNATURE_CHAIN_ENTRY),
        (TIMESTAMP_RESULT_ENTRY, TIMESTAMP_CHAIN_ENTRY),
    ):
        if result in texts and not texts.get(chain, b"").strip():
            raise MalformedMessage("asic_hash_chain_not_found", "asic.entry_missing", entry=chain)
        if chain in texts and not texts.get(result, b"").strip():
            raise MalformedMessage("asic_hash_chain_result_not_found", "asic.entry_missing", entry=result)
