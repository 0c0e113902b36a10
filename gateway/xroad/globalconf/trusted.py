"""TrustedConfiguration: bytes in, verdict out (PR-GCONF 2.6, X-Road ConfigurationParser.java).

`verify_directory`, over the answer of a source:

1. the envelope has two parts, and the second is a base64 octet stream that names its signature
   algorithm (never SHA-1) and the hash of a certificate;
2. that hash is the hash of a certificate we were given for this source: of such a certificate only
   the key counts, no chain, no validity, no usage;
3. the signature holds over the exact bytes of the first part (ECDSA as DER);
4. only now the signed bytes are read: the first inner part says until when, and that is not over;
5. its version is one we know;
6. every listed part has its headers, an identifier, and a plain file name;
7. no identifier and no file name is listed twice;
8. every instance named is the instance of the anchor;
9. shared parameters are listed, and private ones too where they are due.

`verify_parts`, over the files that the directory lists:

10. every file is there and has the digest that was signed;
11. it reads under the schema of the directory's version, without a DOCTYPE;
12. the instance inside is the instance of the anchor;
13. every certificate of an authority in it can be loaded.

Steps 6 to 9, DOCTYPE and SHA-1 are stricter than the reference, which stores what it cannot use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Final, TypeVar

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from gateway.xroad.digests import DigestAlgorithm, KeyKind, digest_of
from gateway.xroad.faults import ConfigurationUnusable, SignatureRefused
from gateway.xroad.globalconf import directory as signed_directory
from gateway.xroad.globalconf import optional_parts
from gateway.xroad.globalconf.directory import (
    FILE_NAMES,
    METADATA_SUFFIX,
    PRIVATE_PARAMETERS,
    SHARED_PARAMETERS,
    DirectoryContent,
    DirectoryEntry,
    SignedDirectory,
)
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.globalconf.optional_parts import OptionalParts
from gateway.xroad.globalconf.private_parameters import PrivateParameters
from gateway.xroad.globalconf.private_parameters_xml import parse_private_parameters
from gateway.xroad.globalconf.schemas import SCHEMAS
from gateway.xroad.globalconf.shared_parameters import SharedParameters
from gateway.xroad.globalconf.shared_parameters_xml import parse_shared_parameters
from gateway.xroad.pki.certificates import key_of, load_certificate
from gateway.xroad.pki.keys import verify_signature

_PARSING_FAILED: Final = "global_conf_parsing_downloaded_conf_directory_failure"
_WRONG_INSTANCE: Final = "global_conf_part_invalid_instance_identifier"
MAX_FILE_NAME: Final = 200
_T = TypeVar("_T")


class Role(Enum):
    """Whose configuration it is: our own has private parameters, of a federated one only the shared count."""

    OWN = "own"
    FEDERATED = "federated"


@dataclass(frozen=True, slots=True)
class TrustedDirectory:
    """A directory whose signature holds: made by `verify_directory` and nowhere else."""

    raw: bytes
    instance: str
    role: Role
    content: DirectoryContent
    certificate_der: bytes

    @property
    def entries(self) -> tuple[DirectoryEntry, ...]:
        """The parts to fetch: all of one's own, the shared parameters alone of a federated instance."""
        if self.role is Role.OWN:
            return self.content.entries
        return tuple(entry for entry in self.content.entries if entry.content_id == SHARED_PARAMETERS)


@dataclass(frozen=True, slots=True)
class TrustedConfiguration:
    """A verified directory with its verified parts: made by `verify_parts` and nowhere else.

    `files` holds the bytes of every fetched part by location.
    """

    directory: TrustedDirectory
    files: Mapping[str, bytes]
    shared: SharedParameters
    private: PrivateParameters | None
    optional: OptionalParts

    @property
    def instance(self) -> str:
        """The instance it describes."""
        return self.directory.instance

    @property
    def version(self) -> int:
        """The configuration version of its parts."""
        return self.directory.content.version

    @property
    def expires_at(self) -> datetime:
        """Until when it may be used."""
        return self.directory.content.expires_at

    def globalconf(self, federated: Iterable[TrustedConfiguration] = ()) -> GlobalConf:
        """Index this configuration of the own instance together with those of federated ones."""
        others = {other.instance: other.shared for other in federated}
        return GlobalConf.of(
            self.instance,
            {**others, self.instance: self.shared},
            self.private,
            self.expires_at,
            version=self.version,
            optional=self.optional,
        )


def verify_directory(
    raw: bytes, *, instance: str, certificates: Iterable[bytes], at: datetime | None, role: Role = Role.OWN
) -> TrustedDirectory:
    """Prove that a source of `instance` signed this directory and that it is good at `at`.

    Without `at` the expiry is not asked: verification of the past. Raises ConfigurationUnusable with
    the first check that fails.
    """
    claimed = signed_directory.parse_directory(raw)  # (1)
    certificate = _find_certificate(claimed, certificates)  # (2)
    _verify_seal(claimed, certificate)  # (3)
    head, *listed = signed_directory.parse_signed_content(claimed)
    expires_at = signed_directory.read_expiry(head)  # (4)
    if at is not None and expires_at <= at:
        raise ConfigurationUnusable(
            "global_conf_outdated", "globalconf.expired", instance=instance, expired_at=expires_at, now=at
        )
    version = signed_directory.read_version(head)  # (5)
    if version not in SCHEMAS:
        raise ConfigurationUnusable(
            "global_conf_header_field_wrong_value",
            "globalconf.header_wrong",
            field="version",
            expected=", ".join(map(str, SCHEMAS)),
            came=version,
        )
    entries = tuple(_entry(signed_directory.read_entry(part), version) for part in listed)  # (6)
    _require_single("content-identifier", [entry.content_id for entry in entries])  # (7)
    _require_single("content-file-name", [entry.file_name for entry in entries])
    _require_single("content-location", [entry.location for entry in entries])
    for entry in entries:  # (8)
        if entry.instance not in (None, instance):
            raise _wrong_instance(entry.content_id, instance, entry.instance)
    _require_listed(
        entries, (SHARED_PARAMETERS, PRIVATE_PARAMETERS) if role is Role.OWN else (SHARED_PARAMETERS,)
    )  # (9)
    return TrustedDirectory(raw, instance, role, DirectoryContent(expires_at, version, entries), certificate)


def _find_certificate(claimed: SignedDirectory, certificates: Iterable[bytes]) -> bytes:
    wanted = claimed.certificate_hash
    for certificate in certificates:
        if digest_of(certificate, wanted.algorithm) == wanted:
            return certificate
    raise ConfigurationUnusable(
        "global_conf_missing_verification_cert", "globalconf.unknown_signer", hash=wanted.base64
    )


def _verify_seal(claimed: SignedDirectory, certificate: bytes) -> None:
    try:
        if claimed.algorithm.kind is KeyKind.ECDSA:
            decode_dss_signature(claimed.signature)  # the r || s form of XML is not accepted here
        key = key_of(load_certificate(certificate))
        verify_signature(key, claimed.algorithm, claimed.signature, data=claimed.signed)
    except (SignatureRefused, ValueError) as cause:
        raise ConfigurationUnusable(
            "global_conf_signature_verification_failure",
            "globalconf.signature_does_not_hold",
            algorithm=claimed.algorithm.uri,
            hash=claimed.certificate_hash.base64,
        ) from cause


def _entry(entry: DirectoryEntry, version: int) -> DirectoryEntry:
    name = entry.file_name
    reserved = entry.content_id not in FILE_NAMES and name in FILE_NAMES.values()
    hidden = not name or name.startswith(".") or name.endswith(METADATA_SUFFIX)
    if reserved or hidden or not name.isprintable() or len(name) > MAX_FILE_NAME:
        raise ConfigurationUnusable(_PARSING_FAILED, "globalconf.bad_file_name", name=name[:80])
    if entry.digest.algorithm is DigestAlgorithm.SHA1 and version > signed_directory.DEFAULT_VERSION:
        raise ConfigurationUnusable(
            "global_conf_header_field_wrong_value",
            "globalconf.header_wrong",
            field="hash-algorithm-id",
            expected="SHA-2",
            came=entry.digest.algorithm.uri,
        )
    return entry


def _require_single(field: str, values: list[str]) -> None:
    twice = next((value for value in values if values.count(value) > 1), None)
    if twice is not None:
        raise ConfigurationUnusable(_PARSING_FAILED, "globalconf.listed_twice", field=field, value=twice[:200])


def _require_listed(entries: tuple[DirectoryEntry, ...], required: tuple[str, ...]) -> None:
    listed = {entry.content_id for entry in entries}
    for content_id in required:
        if content_id not in listed:
            raise ConfigurationUnusable(_PARSING_FAILED, "globalconf.part_not_listed", part=content_id)


def _wrong_instance(part: str, expected: str, came: str | None) -> ConfigurationUnusable:
    return ConfigurationUnusable(
        _WRONG_INSTANCE, "globalconf.wrong_instance", part=part, expected=expected, came=str(came)[:80]
    )


def verify_parts(directory: TrustedDirectory, files: Mapping[str, bytes]) -> TrustedConfiguration:
    """Prove that `files`, by location, are what the directory lists, and read them.

    Raises ConfigurationUnusable, or MalformedMessage for a part that breaks its schema.
    """
    used = {entry.location: verify_file(entry, files) for entry in directory.entries}
    version = directory.content.version
    by_id = {entry.content_id: used[entry.location] for entry in directory.entries}
    shared = parse_shared_parameters(by_id[SHARED_PARAMETERS], version)  # (11)
    private = None
    if PRIVATE_PARAMETERS in by_id:
        private = parse_private_parameters(by_id[PRIVATE_PARAMETERS], version)
    for part, inside in ((SHARED_PARAMETERS, shared), (PRIVATE_PARAMETERS, private)):  # (12)
        if inside is not None and inside.instance != directory.instance:
            raise _wrong_instance(part, directory.instance, inside.instance)
    trusted = TrustedConfiguration(directory, used, shared, private, _optional_parts(by_id))
    trusted.globalconf()  # (13)
    return trusted


def verify_file(entry: DirectoryEntry, files: Mapping[str, bytes]) -> bytes:
    """Return the bytes of one listed part, proven by their digest.  # (10)

    Raises ConfigurationUnusable.
    """
    content = files.get(entry.location)
    if content is None:
        raise ConfigurationUnusable(
            "global_conf_part_download_failure", "globalconf.part_missing", location=entry.location
        )
    if digest_of(content, entry.digest.algorithm) != entry.digest:
        raise ConfigurationUnusable(
            "global_conf_part_downloaded_file_integrity_failure",
            "globalconf.part_altered",
            location=entry.location,
            algorithm=entry.digest.algorithm.label,
        )
    return content


def _optional_parts(files: Mapping[str, bytes]) -> OptionalParts:
    default = OptionalParts()
    return OptionalParts(
        _optional(files, optional_parts.MONITORING, optional_parts.parse_monitoring, default.monitoring_client),
        _optional(files, optional_parts.NEXT_UPDATE, optional_parts.parse_next_update, default.verify_next_update),
        _optional(
            files, optional_parts.FETCH_INTERVAL, optional_parts.parse_fetch_interval, default.ocsp_fetch_interval_s
        ),
    )


def _optional(files: Mapping[str, bytes], content_id: str, parse: Callable[[bytes], _T], default: _T) -> _T:
    content = files.get(content_id)
    return default if content is None else parse(content)


def renew(known: TrustedConfiguration, directory: TrustedDirectory) -> TrustedConfiguration | None:
    """Return `known` under a later directory that lists the very same files, else None.

    A source signs anew every minute; equal digests prove the files we hold, so nothing is read again.
    """
    before = known.directory
    if (before.instance, before.role, before.content.version) != (
        directory.instance,
        directory.role,
        directory.content.version,
    ):
        return None
    held = {(entry.content_id, entry.digest): known.files[entry.location] for entry in before.entries}
    wanted = [(entry.content_id, entry.digest) for entry in directory.entries]
    if set(held) != set(wanted):
        return None
    files = {entry.location: held[entry.content_id, entry.digest] for entry in directory.entries}
    return replace(known, directory=directory, files=files)
