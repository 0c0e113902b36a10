"""What `surma verify` is given: containers, zips of containers, archives with the chain between their files, folders.

Files of one folder that are named as archives are verified together, chain by chain: within a file each
container against the linking information and the facts beside it, and each file against the one before.
What is yielded is small and comes one at a time, so a million containers need the memory of one.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import Final

from gateway.auditing.configurations import Choose, Chosen
from gateway.messagelog.archive.linking import Linked, LinkingInfo, next_digest, parse_linking, verify_succession
from gateway.messagelog.archive.model import ArchivedRecord
from gateway.messagelog.archive.names import CONTAINER_SUFFIX, LINKING_ENTRY, parse_archive_name
from gateway.messagelog.archive.places import FolderPlace
from gateway.messagelog.archive.reader import (
    MAX_CONTAINER_BYTES,
    MAX_CONTAINERS,
    ArchiveFile,
    ArchiveReader,
    Chain,
    Decryptor,
)
from gateway.messagelog.archive.records import parse_lines
from gateway.messagelog.body_logging import known_digests
from gateway.xroad.asic.archive import Entry, Placed, read_listing
from gateway.xroad.asic.verdict import Examination
from gateway.xroad.asic.verify import Known, examine_container
from gateway.xroad.digests import DigestAlgorithm
from gateway.xroad.faults import (
    ConfigurationUnusable,
    LoggingUnavailable,
    MalformedMessage,
    SignatureRefused,
    XRoadFault,
)
from gateway.xroad.globalconf.lookup import GlobalConf

EXPORT_FACTS: Final = "records.jsonl"  # beside the containers in an export of an auditor
Data = bytes | memoryview
_CHAIN_CODE: Final = "invalid_hash_chain"
_NOTHING: Final[Known] = {}


class Exit(IntEnum):
    """The exit status of the command."""

    VALID = 0
    INVALID = 1
    UNDECIDED = 2


@dataclass(frozen=True, slots=True)
class Report:
    """What was found about one container; without examination it could not be decided.

    `source` is the file, or the file and the entry in it; `data` the bytes, whatever they prove.
    """

    source: str
    examination: Examination | None
    chosen: Chosen | None
    fault: XRoadFault | None
    data: Data = b""

    @property
    def exit(self) -> Exit:
        """What this container alone says."""
        if self.examination is None:
            return Exit.UNDECIDED
        return Exit.INVALID if self.fault is not None else Exit.VALID


@dataclass(frozen=True, slots=True)
class FileReport:
    """What was found about a file of many containers beyond each of them: the fault says where the chain breaks.

    `begins_after` names the file before it where that is not here; `last_digest` is what the next file has to name.
    """

    source: str
    containers: int
    fault: XRoadFault | None
    begins_after: str | None = None
    last_digest: str | None = None

    @property
    def exit(self) -> Exit:
        """What this file says, its containers apart."""
        if self.fault is None:
            return Exit.VALID
        return Exit.UNDECIDED if isinstance(self.fault, LoggingUnavailable) else Exit.INVALID


@dataclass(frozen=True, slots=True)
class Asked:
    """How to verify: which configuration, which keys open archives, and where the first chain must begin."""

    choose: Choose
    decryptor: Decryptor | None = None
    must_be_first: bool = False
    previous_digest: str | None = None


Found = Report | FileReport


def verify_paths(paths: Iterable[Path], asked: Asked) -> Iterator[Found]:
    """Yield what is found about everything in `paths`, in their order; archives of a folder where the first stands."""
    wanted = list(paths)
    named = {path for path in wanted if not path.is_dir() and parse_archive_name(path.name) is not None}
    seen: set[Path] = set()
    for path in wanted:
        if path.is_dir():
            yield from _verify_folder(path, asked)
        elif path in named:
            if path.parent not in seen:
                seen.add(path.parent)
                yield from _verify_archives(path.parent, asked, {p.name for p in named if p.parent == path.parent})
        else:
            yield from _verify_file(path, asked)


def size_of(paths: Iterable[Path]) -> int:
    """Return how many bytes there are to verify."""
    total = 0
    for path in paths:
        files = path.rglob("*") if path.is_dir() else (path,)
        total += sum(file.stat().st_size for file in files if file.is_file() and ".records.jsonl" not in file.name)
    return total


def examine(source: str, data: Data, choose: Choose, known: Known = _NOTHING) -> Report:
    """Verify one container with the configuration that was in use when it was stamped.

    `known` are the digests of parts that were not kept.
    """
    chosen: list[Chosen] = []

    def trust(time: datetime | None) -> GlobalConf:
        chosen.append(choose(time))
        return chosen[0].globalconf

    try:
        examination = examine_container(data, trust, known)
    except XRoadFault as fault:
        return Report(source, None, None, fault, data)
    return Report(source, examination, chosen[0], examination.fault, data)


def _verify_folder(folder: Path, asked: Asked) -> Iterator[Found]:
    """Verify what lies in a folder and in those below it; a folder without anything of ours cannot be decided."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    archives = {path.parent for path in files if parse_archive_name(path.name) is not None}
    loose = [
        path for path in files if path.suffix in (CONTAINER_SUFFIX, ".zip") and parse_archive_name(path.name) is None
    ]
    for place in sorted(archives):
        yield from _verify_archives(place, asked, None)
    for path in loose:
        yield from _verify_file(path, asked)
    if not archives and not loose:
        fault = ConfigurationUnusable("io_error", "asic.verify.folder_empty", path=folder)
        yield Report(str(folder), None, None, fault)


def _verify_file(path: Path, asked: Asked) -> Iterator[Found]:
    try:
        data = _map(path)
    except OSError as cause:
        reason = cause.strerror or type(cause).__name__
        fault = ConfigurationUnusable("io_error", "asic.verify.file_unreadable", path=path, reason=reason)
        yield Report(str(path), None, None, fault)
        return
    listing = _listing_of(data)
    if listing is None:
        yield examine(str(path), data, asked.choose)
    else:
        yield from _verify_bundle(path, data, listing, asked)


def _map(path: Path) -> Data:
    # A container may hold a gigabyte of attachments: they are hashed from the file, not from memory.
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return b""
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _listing_of(data: Data) -> dict[str, Placed] | None:
    """Return where the containers of a zip lie; None when it is no zip of containers."""
    view = memoryview(data)
    try:
        listing = read_listing(
            lambda start, stop: view[start:stop], len(view), lambda _: MAX_CONTAINER_BYTES, max_entries=MAX_CONTAINERS
        )
    except MalformedMessage:
        return None
    return listing if any(name.endswith(CONTAINER_SUFFIX) for name in listing) else None


def _verify_bundle(path: Path, data: Data, listing: dict[str, Placed], asked: Asked) -> Iterator[Found]:
    view = memoryview(data)

    def entry(name: str) -> Entry:
        return listing[name].open(lambda start, stop: view[start:stop])

    names = [name for name in listing if name.endswith(CONTAINER_SUFFIX)]
    linking, fault = None, None
    if LINKING_ENTRY in listing:
        try:
            linking = parse_linking(entry(LINKING_ENTRY).read())
        except XRoadFault as refusal:
            fault = refusal
    facts: dict[str, _Stated] = {}
    if EXPORT_FACTS in listing:
        try:
            facts = _facts_of_export(entry(EXPORT_FACTS).read())
        except XRoadFault as refusal:
            fault = fault or refusal
    walk = _Walk(linking, facts, fault)
    yield from walk.containers(str(path), names, lambda name: entry(name).read(), asked.choose)
    if linking is not None or walk.fault is not None:
        yield FileReport(str(path), walk.count, walk.fault, _before(linking), walk.last_digest)


def _facts_of_export(lines: bytes) -> dict[str, _Stated]:
    """Return what an export of an auditor says of each of its containers, by their entry names."""
    facts = parse_lines(lines.splitlines(keepends=True))
    return {f"containers/{fact.container}": _Stated.of(fact) for fact in facts if isinstance(fact, ArchivedRecord)}


def _verify_archives(folder: Path, asked: Asked, names: set[str] | None) -> Iterator[Found]:
    with ArchiveReader(FolderPlace(folder), decryptor=asked.decryptor) as reader:
        groups: set[str] = set()
        for chain in sorted(reader.chains, key=lambda chain: not chain.is_complete):
            group = chain.files[0].name.group
            yield from _verify_chain(folder, chain, asked, names, is_first_of_group=group not in groups)
            groups.add(group)


def _verify_chain(
    folder: Path, chain: Chain, asked: Asked, names: set[str] | None, *, is_first_of_group: bool
) -> Iterator[Found]:
    before: tuple[str, str] | None = None
    for number, file in enumerate(chain.files):
        if names is not None and file.containers_name not in names:
            before = None
            continue
        source = str(folder / file.containers_name)
        try:
            linking = file.linking
            facts = _facts_of(file)
        except XRoadFault as fault:
            yield FileReport(source, 0, fault)
            before = None
            continue
        walk = _Walk(linking, facts, None)
        entries = [name for name in file.entry_names() if name != LINKING_ENTRY]
        yield from walk.containers(source, entries, file.container, asked.choose)
        broken = walk.fault or _succession(linking, before, asked, is_first=number == 0 and is_first_of_group)
        after = _before(linking) if before is None else None
        if broken is None and number == 0 and not is_first_of_group:
            broken = SignatureRefused(_CHAIN_CODE, "asic.verify.file_before_missing", name=linking.previous_file)
        yield FileReport(source, walk.count, broken, after, walk.last_digest)
        before = (linking.last_digest, file.containers_name)


def _succession(
    linking: LinkingInfo, before: tuple[str, str] | None, asked: Asked, *, is_first: bool
) -> XRoadFault | None:
    try:
        if before is not None:
            verify_succession(linking, *before)
        elif is_first and asked.must_be_first:
            verify_succession(linking, "", "")
        elif is_first and asked.previous_digest is not None:
            verify_succession(linking, asked.previous_digest, linking.previous_file)
    except SignatureRefused as refusal:
        return refusal
    return None


def _before(linking: LinkingInfo | None) -> str | None:
    return None if linking is None or not linking.previous_file else linking.previous_file


def _facts_of(file: ArchiveFile) -> dict[str, _Stated]:
    """Return what the facts beside the archive say of each container, by its name; empty without them."""
    if not file.has_facts:
        return {}
    return {fact.container: _Stated.of(fact) for fact in file.facts() if isinstance(fact, ArchivedRecord)}


@dataclass(frozen=True, slots=True)
class _Stated:
    """The SHA-512 of a container, and the digest of its message where that was not kept."""

    digest: bytes
    known: Known

    @classmethod
    def of(cls, fact: ArchivedRecord) -> _Stated:
        said = fact.content
        return cls(fact.container_digest, known_digests(said.message_digest, (), is_whole=said.is_whole))


class _Walk:
    """The containers of one file in their order, the chain through them, and the facts beside them."""

    def __init__(self, linking: LinkingInfo | None, facts: dict[str, _Stated], fault: XRoadFault | None) -> None:
        self.count = 0
        self.fault = fault
        self.last_digest = None if linking is None else linking.previous_digest
        self._linking = linking
        self._facts = facts

    def containers(
        self, source: str, names: list[str], read: Callable[[str], bytes], choose: Choose
    ) -> Iterator[Report]:
        """Yield a report on each container; afterwards `fault` is the first thing wrong with the file."""
        linked = None if self._linking is None else iter(self._linking.containers)
        missing = dict(self._facts)
        for name in names:
            self.count += 1
            try:
                data = read(name)
            except XRoadFault as fault:
                self._note(fault)
                yield Report(f"{source}!{name}", None, None, fault)
                continue
            if linked is not None and self._linking is not None:
                self._link(name, data, self._linking.algorithm, next(linked, None))
            stated = missing.pop(name, None)
            if self._facts and (stated is None or stated.digest != DigestAlgorithm.SHA512.digest(data)):
                self._note(SignatureRefused(_CHAIN_CODE, "asic.verify.facts_differ", entry=name))
            yield examine(f"{source}!{name}", data, choose, _NOTHING if stated is None else stated.known)
        left = next(linked, None) if linked is not None else None
        absent = left.name if left is not None else next(iter(missing), None)
        if absent is not None:
            self._note(SignatureRefused(_CHAIN_CODE, "archive.linking_missing", entry=absent))

    def _link(self, name: str, data: bytes, algorithm: DigestAlgorithm, expected: Linked | None) -> None:
        self.last_digest = next_digest(self.last_digest or "", algorithm.digest(data), algorithm)
        if expected is None or expected.name != name:
            found = "-" if expected is None else expected.name
            self._note(SignatureRefused(_CHAIN_CODE, "archive.linking_order", entry=name, expected=found))
        elif expected.digest != self.last_digest:
            self._note(SignatureRefused(_CHAIN_CODE, "archive.linking_digest", entry=name))

    def _note(self, fault: XRoadFault) -> None:
        self.fault = self.fault or fault
