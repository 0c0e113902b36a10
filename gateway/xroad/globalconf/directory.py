"""Signed configuration directory: build and parse (PR-GCONF 2.3, 2.4; X-Road MultipartMessage.java).

The MIME envelope, header line included, is the body of the HTTP answer. The signature covers the
exact content of the first outer part: the inner multipart without its own Content-Type, up to and
including the line end after its closing delimiter. The parser returns those bytes beside what they
say, and nobody re-serialises them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.xroad.digests import (
    Digest,
    DigestAlgorithm,
    SignatureAlgorithm,
    digest_of,
    find_digest_algorithm,
    find_signature_algorithm,
)
from gateway.xroad.faults import ConfigurationUnusable, MalformedMessage
from gateway.xroad.globalconf.multipart import PARSING_FAILED, RawPart, read_headers, split_parts, split_value
from gateway.xroad.globalconf.times import format_time, parse_time

PRIVATE_PARAMETERS: Final = "PRIVATE-PARAMETERS"
SHARED_PARAMETERS: Final = "SHARED-PARAMETERS"
FILE_NAMES: Final[Mapping[str, str]] = {
    PRIVATE_PARAMETERS: "private-params.xml",
    SHARED_PARAMETERS: "shared-params.xml",
}
MAX_DIRECTORY_BYTES: Final = 1024 * 1024
DEFAULT_VERSION: Final = 2  # PR-GCONF 2.3: a directory without Version is of version 2
METADATA_SUFFIX: Final = ".metadata"

_MISSING: Final = "global_conf_header_field_missing"
_WRONG: Final = "global_conf_header_field_wrong_value"
_OCTETS: Final = "application/octet-stream"
_NO_CONTENT: Final = "global_conf_missing_signed_data_expiration_date"
_SEALED: Final = {"content-type": _OCTETS, "content-transfer-encoding": "base64"}


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """One listed part: what it is, where it lies and what its bytes hash to."""

    content_id: str
    instance: str | None
    location: str
    digest: Digest
    file_name_hint: str | None = None

    @property
    def file_name(self) -> str:
        """The name to store it under: only the last segment of a hint or location ever counts."""
        standard = FILE_NAMES.get(self.content_id)
        named = self.file_name_hint or self.location.partition("?")[0]
        return standard or named.replace("\\", "/").rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class DirectoryContent:
    """What was signed: the parts, their version and until when they may be used."""

    expires_at: datetime
    version: int
    entries: tuple[DirectoryEntry, ...]


@dataclass(frozen=True, slots=True)
class SignedDirectory:
    """A directory as received: the signed bytes and the claim of a signature over them."""

    signed: bytes
    inner_boundary: str
    algorithm: SignatureAlgorithm
    certificate_hash: Digest
    signature: bytes


def parse_directory(raw: bytes) -> SignedDirectory:
    """Read the envelope and the signature part, and nothing of what was signed.

    Raises ConfigurationUnusable with the code that an X-Road client gives.
    """
    if len(raw) > MAX_DIRECTORY_BYTES:
        raise ConfigurationUnusable(PARSING_FAILED, "globalconf.directory_too_large", limit_bytes=MAX_DIRECTORY_BYTES)
    parts = _outer_parts(raw)
    for part in parts[1:]:
        _require_sealed(part)
    if len(parts) != 2:
        raise ConfigurationUnusable(_NO_CONTENT, "globalconf.wrong_number_of_parts", count=len(parts))
    content, seal = parts
    media_type, parameters = split_value(content.headers.get("content-type", ""))
    if media_type.lower() != "multipart/mixed" or not parameters.get("boundary"):
        raise ConfigurationUnusable(_NO_CONTENT, "globalconf.no_inner_multipart", came=media_type[:80])
    return SignedDirectory(
        signed=content.content,
        inner_boundary=parameters["boundary"],
        algorithm=_signature_algorithm(_header(seal, "signature-algorithm-id")),
        certificate_hash=_certificate_hash(_header(seal, "verification-certificate-hash")),
        signature=_base64(seal.content, "global_conf_signature_decode_failure"),
    )


def _outer_parts(raw: bytes) -> list[RawPart]:
    if raw.startswith(b"--"):
        raise ConfigurationUnusable(_MISSING, "globalconf.envelope_header_missing", field="content-type")
    try:
        envelope = read_headers(raw)
    except ConfigurationUnusable as cause:
        raise ConfigurationUnusable(_NO_CONTENT, "globalconf.no_envelope", reason=cause.text_id) from cause
    media_type, parameters = split_value(envelope.headers.get("content-type", ""))
    if media_type.lower() != "multipart/related" or not parameters.get("boundary"):
        raise ConfigurationUnusable(_NO_CONTENT, "globalconf.no_envelope", reason=media_type[:80] or "Content-Type")
    parts = split_parts(envelope.content, parameters["boundary"])
    if not parts:
        raise ConfigurationUnusable("global_conf_missing_signed_data", "globalconf.no_parts")
    return parts


def _require_sealed(part: RawPart) -> None:
    for field, expected in _SEALED.items():
        value = split_value(_header(part, field))[0]
        if value.lower() != expected:
            raise ConfigurationUnusable(
                _WRONG, "globalconf.header_wrong", field=field, expected=expected, came=value[:80]
            )


def _header(part: RawPart, field: str) -> str:
    value = part.headers.get(field)
    if not value:
        raise ConfigurationUnusable(_MISSING, "globalconf.header_missing", field=field)
    return value


def _signature_algorithm(uri: str) -> SignatureAlgorithm:
    found = find_signature_algorithm(uri)
    if found is None or found.uri != uri:
        # rsa-sha1 ends here too: the 7.8 client still accepts it, we do not.
        raise ConfigurationUnusable("unsupported_sign_algorithm", "globalconf.signature_algorithm", algorithm=uri[:200])
    return found


def _certificate_hash(value: str) -> Digest:
    encoded, parameters = split_value(value)
    uri = parameters.get("hash-algorithm-id")
    if uri is None:
        field = "verification-certificate-hash"
        raise ConfigurationUnusable(
            "global_conf_header_field_missing_parameter",
            "globalconf.header_parameter_missing",
            field=field,
            parameter="hash-algorithm-id",
        )
    return Digest(_digest_algorithm(uri), _base64(encoded.encode(), _WRONG))


def _digest_algorithm(uri: str) -> DigestAlgorithm:
    found = find_digest_algorithm(uri)
    if found is None or found.uri != uri:
        raise ConfigurationUnusable(
            _WRONG, "globalconf.header_wrong", field="hash-algorithm-id", expected="XMLEnc, XMLDSig", came=uri[:200]
        )
    return found


def _base64(data: bytes, code: str) -> bytes:
    try:
        return base64.b64decode(b"".join(data.split()), validate=True)
    except binascii.Error as cause:
        raise ConfigurationUnusable(code, "globalconf.directory_not_base64") from cause


def parse_signed_content(directory: SignedDirectory) -> list[RawPart]:
    """Split the signed bytes into parts: the header-only one that dates them, then the listed files."""
    parts = split_parts(directory.signed, directory.inner_boundary)
    if not parts:
        raise ConfigurationUnusable(_NO_CONTENT, "globalconf.no_signed_content")
    return parts


def read_expiry(part: RawPart) -> datetime:
    """Return the Expire-date of the first inner part: any ISO 8601 time with an offset."""
    try:
        return parse_time(_header(part, "expire-date"), code=_WRONG, offset_required=True)
    except MalformedMessage as cause:
        raise ConfigurationUnusable(
            _WRONG, "globalconf.header_wrong", field="expire-date", expected="ISO 8601", came=cause.facts["value"]
        ) from cause


def read_version(part: RawPart) -> int:
    """Return the Version of the first inner part; absent means 2, whatever was asked for."""
    text = part.headers.get("version", str(DEFAULT_VERSION))
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise ConfigurationUnusable(
            _WRONG, "globalconf.header_wrong", field="version", expected="2 … 6", came=text[:80]
        )
    return int(text)


def read_entry(part: RawPart) -> DirectoryEntry:
    """Read one listed file. Its identifier is required: a part without one belongs to no instance."""
    _require_sealed(part)
    location = _header(part, "content-location")
    algorithm = _digest_algorithm(_header(part, "hash-algorithm-id"))
    content_id, parameters = split_value(_header(part, "content-identifier"))
    instance = parameters.get("instance")
    if instance is None and content_id in FILE_NAMES:
        raise ConfigurationUnusable(
            "global_conf_header_field_missing_parameter",
            "globalconf.header_parameter_missing",
            field="content-identifier",
            parameter="instance",
        )
    digest = Digest(algorithm, _base64(part.content, PARSING_FAILED))
    return DirectoryEntry(content_id, instance, location, digest, part.headers.get("content-file-name"))


def build_signed_content(content: DirectoryContent, boundary: str) -> bytes:
    """Write the bytes to sign."""
    lines = [f"--{boundary}", f"Expire-date: {format_time(content.expires_at)}", f"Version: {content.version}", ""]
    for entry in content.entries:
        instance = "" if entry.instance is None else f"; instance='{entry.instance}'"
        hint = () if entry.file_name_hint is None else (f"Content-file-name: {entry.file_name_hint}",)
        lines += [
            f"--{boundary}",
            f"Content-type: {_OCTETS}",
            "Content-transfer-encoding: base64",
            f"Content-identifier: {entry.content_id}{instance}",
            f"Content-location: {entry.location}",
            *hint,
            f"Hash-algorithm-id: {entry.digest.algorithm.uri}",
            "",
            entry.digest.base64,
        ]
    lines += [f"--{boundary}--", ""]
    return "\r\n".join(lines).encode("utf-8")


def build_directory(
    content: DirectoryContent,
    sign: Callable[[bytes], bytes],
    algorithm: SignatureAlgorithm,
    certificate_der: bytes,
    *,
    boundaries: tuple[str, str],
) -> bytes:
    """Write a signed directory; `boundaries` are the outer and the inner one, 20 random letters and digits each.

    `sign` gets the bytes to sign and returns the value, for ECDSA as DER.
    """
    signed = build_signed_content(content, boundaries[1])
    return assemble_directory(signed, sign(signed), algorithm, certificate_der, boundaries=boundaries)


def assemble_directory(
    signed: bytes,
    signature: bytes,
    algorithm: SignatureAlgorithm,
    certificate_der: bytes,
    *,
    boundaries: tuple[str, str],
) -> bytes:
    """Write the envelope around signed bytes, for signers that answer later."""
    outer, inner = boundaries
    certificate_hash = digest_of(certificate_der)
    head = [
        f"Content-Type: multipart/related; charset=UTF-8; boundary={outer}",
        "",
        f"--{outer}",
        f"Content-Type: multipart/mixed; charset=UTF-8; boundary={inner}",
        "",
        "",
    ]
    tail = [
        "",
        f"--{outer}",
        f"Content-Type: {_OCTETS}",
        "Content-Transfer-Encoding: base64",
        f"Signature-Algorithm-Id: {algorithm.uri}",
        f"Verification-certificate-hash: {certificate_hash.base64}; "
        f'hash-algorithm-id="{certificate_hash.algorithm.uri}"',
        "",
        base64.b64encode(signature).decode("ascii"),
        f"--{outer}--",
        "",
    ]
    return "\r\n".join(head).encode() + signed + "\r\n".join(tail).encode()
