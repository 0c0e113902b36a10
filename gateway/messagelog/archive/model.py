"""Facts of archives: settings, files, and the entries in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from gateway.messagelog.chain import content_hash_of, record_hash, refusal_hash
from gateway.messagelog.model import RecordContent, RefusalContent, Side
from gateway.xroad.digests import DigestAlgorithm

DEFAULT_MAX_FILE_BYTES: Final = 32 * 1024 * 1024  # X-Road archive-max-filesize
MAX_FILE_BYTES: Final = 1024 * 1024 * 1024
# The verifier of the reference takes these (X-Road DigestCalculator.java).
LINKING_DIGESTS: Final = (DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512)


class Grouping(StrEnum):
    """Whose records share a file (X-Road GroupingStrategy.java)."""

    NONE = "none"
    MEMBER = "member"
    SUBSYSTEM = "subsystem"


@dataclass(frozen=True, slots=True)
class EncryptionSettings:
    """OpenPGP for archive files: on as soon as there is a recipient.

    `recipients` are certificate files for whatever `member_keys` does not name; `member_keys` is a file of
    lines `member short id = certificate file`, asked where files are grouped. `signer_key` signs, as the
    reference does; a passphrase in a file of its own opens it.
    """

    recipients: tuple[Path, ...] = ()
    member_keys: Path | None = None
    signer_key: Path | None = None
    signer_passphrase_file: Path | None = None

    @property
    def is_on(self) -> bool:
        """Whether files are encrypted."""
        return bool(self.recipients) or self.member_keys is not None


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """The slice of the gateway's settings that archiving needs.

    `url` is a folder or `s3://bucket/prefix`; empty means the folder `archive` of the state directory.
    Credentials come from the environment (AWS_ACCESS_KEY_ID …) or from systemd, never from here.
    """

    url: str = ""
    s3_endpoint: str | None = None
    s3_region: str | None = None
    interval_s: float = 6 * 3600  # X-Road archive-interval; 0: only when asked
    grouping: Grouping = Grouping.NONE
    digest: str = DigestAlgorithm.SHA512.label
    max_file_bytes: int = DEFAULT_MAX_FILE_BYTES
    entries_per_run: int = 10_000  # X-Road archive-transaction-batch
    keep_records_for_days: int = 30
    transfer_command: tuple[str, ...] = ()  # run as it stands, through no shell
    transfer_timeout_s: float = 600
    encryption: EncryptionSettings = field(default_factory=EncryptionSettings)

    def __post_init__(self) -> None:
        if self.digest not in {algorithm.label for algorithm in LINKING_DIGESTS}:
            raise ValueError(f"digest must be one of SHA-256, SHA-384, SHA-512, not {self.digest!r}")
        if not 0 < self.max_file_bytes <= MAX_FILE_BYTES:
            raise ValueError(f"max_file_bytes must be between 1 and {MAX_FILE_BYTES}")
        if not 0 < self.entries_per_run <= 50_000:  # a zip holds 65 535 entries before it becomes another format
            raise ValueError("entries_per_run must be between 1 and 50000")
        if self.interval_s < 0 or self.keep_records_for_days < 0:
            raise ValueError("interval_s and keep_records_for_days must not be negative")

    @property
    def digest_algorithm(self) -> DigestAlgorithm:
        """The algorithm of linking information."""
        return next(algorithm for algorithm in LINKING_DIGESTS if algorithm.label == self.digest)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as the database knows it: of containers, or of facts where a group had nothing but refusals.

    `location` is where it lies, empty until it got there; `last_digest` ends its chain of containers.
    """

    id: int
    group: str
    name: str
    location: str
    first_sequence: int
    last_sequence: int
    entries: int
    size: int
    last_digest: str
    digest_algorithm: str
    created_ms: int


@dataclass(frozen=True, slots=True)
class ArchivedRecord:
    """A record as an archive tells it: what its hash covers, and in which container its message lies.

    `content` has neither hash chain nor result: those lie in the container, here are their SHA-512. The
    location of a kept body is its entry name there. `container_digest` is the SHA-512 of the container;
    `unverified` says why the container did not hold when it was archived.
    """

    sequence: int
    content: RecordContent
    hash_chain_result_digest: bytes | None
    hash_chain_digest: bytes | None
    previous_hash: bytes
    container: str
    container_digest: bytes
    container_size: int
    stamped_ms: int | None = None
    authority: str | None = None
    unverified: str | None = None

    @property
    def content_hash(self) -> bytes:
        """The hash of the content, worked out from these facts."""
        return content_hash_of(self.content, self.hash_chain_result_digest, self.hash_chain_digest)

    @property
    def record_hash(self) -> bytes:
        """The hash that binds the record to its place, worked out from these facts."""
        return record_hash(self.previous_hash, self.sequence, self.content_hash)

    @property
    def party(self) -> str:
        """Whom the server stood for, in URL form."""
        return self.content.client if self.content.side is Side.CONSUMER else self.content.provider


@dataclass(frozen=True, slots=True)
class ArchivedRefusal:
    """A refusal as an archive tells it; there is no container of it."""

    sequence: int
    content: RefusalContent
    previous_hash: bytes

    @property
    def content_hash(self) -> bytes:
        """The hash of the content, worked out from these facts."""
        return refusal_hash(self.content)

    @property
    def record_hash(self) -> bytes:
        """The hash that binds the refusal to its place, worked out from these facts."""
        return record_hash(self.previous_hash, self.sequence, self.content_hash)

    @property
    def party(self) -> str:
        """Whom the server stood for, as far as the caller's claims tell; in URL form, empty when they do not."""
        claimed = self.content.client if self.content.side is Side.CONSUMER else self.content.provider
        return claimed or ""


ArchivedFact = ArchivedRecord | ArchivedRefusal
