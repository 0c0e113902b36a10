"""Archives, read whole: facts, containers and the chain between files, each against the others.

A line of facts gives the leaf of its entry, so whoever changes facts is found by the ledger. What the
facts say of a container is compared with the container, part by part; so is the linking information.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.messagelog.archive.linking import verify_linking, verify_succession
from gateway.messagelog.archive.model import ArchivedFact, ArchivedRecord
from gateway.messagelog.archive.names import LINKING_ENTRY, parse_archive_name
from gateway.messagelog.archive.reader import ArchiveFile, ArchiveReader
from gateway.messagelog.archive.records import parse_line
from gateway.messagelog.chain import sha512
from gateway.messagelog.completeness.model import Findings, Kind
from gateway.messagelog.model import RecordedBody
from gateway.xroad.asic.container import Container, read_container
from gateway.xroad.asic.verify import Choose, examine_container
from gateway.xroad.digests import Digest, DigestAlgorithm
from gateway.xroad.faults import XRoadFault
from gateway.xroad.ledger import HASH_BYTES, entry_leaf
from gateway.xroad.signature.signed_message import MESSAGE_PART, attachment_part

_KEY_MISSING: Final = "archive.key_missing"


@dataclass(slots=True)
class ArchivedLeaves:
    """The leaf of every entry that archives hold, as worked out from its facts; 48 bytes for each.

    `stems` are the archives that are here, `closed` those that nobody here has the key of.
    """

    sequences: array[int]
    files: array[int]
    leaves: bytearray
    names: list[str]
    stems: set[str]
    closed: set[str]

    def find(self, sequence: int) -> bytes | None:
        """Return the leaf of an entry, None when no archive has it."""
        place = self._place(sequence)
        return None if place is None else bytes(self.leaves[place * HASH_BYTES : (place + 1) * HASH_BYTES])

    def name_of(self, sequence: int) -> str:
        """Return the name of the file that an entry lies in."""
        place = self._place(sequence)
        return "-" if place is None else self.names[self.files[place]]

    def walk(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        """Yield number and leaf of the entries in a range, in order."""
        for place in range(bisect_left(self.sequences, first), bisect_left(self.sequences, last + 1)):
            yield self.sequences[place], bytes(self.leaves[place * HASH_BYTES : (place + 1) * HASH_BYTES])

    def _place(self, sequence: int) -> int | None:
        place = bisect_left(self.sequences, sequence)
        return place if place < len(self.sequences) and self.sequences[place] == sequence else None


NO_ARCHIVES: Final = ArchivedLeaves(array("Q"), array("L"), bytearray(), [], set(), set())


@dataclass(slots=True)
class _Seen:
    """What was read so far, unsorted."""

    findings: Findings
    sequences: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)


def read_archives(reader: ArchiveReader, findings: Findings, trust: Choose | None) -> ArchivedLeaves:
    """Read all archives of a place and say what does not fit; with `trust`, every container is verified, too."""
    seen = _Seen(findings)
    names: list[str] = []
    closed: set[str] = set()
    for file in reader.files:
        names.append(file.facts_name if file.has_facts else file.containers_name)
        facts: list[ArchivedFact] = []
        try:
            _read_facts(file, seen, facts, len(names) - 1)
            if file.has_containers:
                _read_containers(file, facts, findings, trust)
            elif any(isinstance(fact, ArchivedRecord) for fact in facts):
                first, last = _range_of(facts)
                findings.add(Kind.ARCHIVE, first, "ledger.archive_missing", last=last, file=file.containers_name)
        except XRoadFault as fault:
            if fault.text_id == _KEY_MISSING:
                closed.add(file.name.stem)
                continue
            first, last = _range_of(facts)
            findings.add(
                Kind.ARCHIVE, first, "ledger.archive_unreadable", last=last, file=file.name.text, reason=str(fault)
            )
    _check_chains(reader, findings)
    return _sorted(seen, names, {file.name.stem for file in reader.files}, closed)


def _sorted(seen: _Seen, names: list[str], stems: set[str], closed: set[str]) -> ArchivedLeaves:
    order = sorted(range(len(seen.sequences)), key=seen.sequences.__getitem__)
    sequences, files, leaves = array("Q"), array("L"), bytearray()
    for place in order:
        sequence = seen.sequences[place]
        if sequences and sequences[-1] == sequence:
            if leaves[-HASH_BYTES:] != seen.leaves[place]:
                name = names[seen.files[place]]
                seen.findings.add(Kind.ARCHIVE, sequence, "ledger.archive_differs", file=name)
            continue
        sequences.append(sequence)
        files.append(seen.files[place])
        leaves += seen.leaves[place]
    return ArchivedLeaves(sequences, files, leaves, names, stems, closed)


def _read_facts(file: ArchiveFile, seen: _Seen, facts: list[ArchivedFact], number: int) -> None:
    if not file.has_facts:
        seen.findings.add(Kind.ARCHIVE, None, "ledger.archive_missing", file=file.facts_name)
        return
    for line_number, (_, line) in enumerate(file.lines(), start=1):
        try:
            fact = parse_line(line)
        except XRoadFault:
            seen.findings.add(Kind.ARCHIVE, None, "ledger.archive_line", file=file.facts_name, line=line_number)
            continue
        facts.append(fact)
        seen.sequences.append(fact.sequence)
        seen.files.append(number)
        seen.leaves.append(entry_leaf(fact.sequence, fact.content_hash))


def _read_containers(
    file: ArchiveFile, facts: Sequence[ArchivedFact], findings: Findings, trust: Choose | None
) -> None:
    records = {fact.container: fact for fact in facts if isinstance(fact, ArchivedRecord)}
    waiting = dict(records)
    damaged: set[str] = set()
    linking, name = file.linking, file.containers_name

    def digests() -> Iterator[tuple[str, bytes]]:
        for entry in file.entry_names():
            if entry == LINKING_ENTRY:
                continue
            fact = waiting.pop(entry, None)
            if fact is None and file.has_facts:
                findings.add(Kind.ARCHIVE, None, "ledger.archive_stranger", file=name, entry=entry)
            data = _read_container(file, entry)
            if fact is not None and (data is None or not _says_what_was_written(fact, data)):
                findings.add(Kind.ARCHIVE, fact.sequence, "ledger.archive_container", file=name)
                damaged.add(entry)
            elif fact is not None and data is not None and trust is not None:
                _check_proof(fact, data, findings, trust)
            yield entry, b"" if data is None else linking.algorithm.digest(data)

    containers = digests()
    try:
        verify_linking(linking, containers)
    except XRoadFault as fault:
        entry = str(fault.facts.get("entry", "-"))
        if entry not in damaged:
            known = records.get(entry)
            sequence = None if known is None else known.sequence
            findings.add(Kind.LINKING, sequence, "ledger.linking", file=name, entry=entry)
    for _ in containers:  # the rest is looked at all the same
        pass
    for fact in waiting.values():
        findings.add(Kind.ARCHIVE, fact.sequence, "ledger.archive_container_missing", file=name)
    if not file.name.stem.endswith(f"-{linking.last_digest[:16]}"):
        first, last = _range_of(facts)
        findings.add(Kind.LINKING, first, "ledger.linking_name", last=last, file=name)


def _read_container(file: ArchiveFile, entry: str) -> bytes | None:
    try:
        return file.container(entry)
    except XRoadFault:
        return None


def _says_what_was_written(fact: ArchivedRecord, data: bytes) -> bool:
    try:
        return hashlib.sha512(data).digest() == fact.container_digest and _fits(fact, read_container(data))
    except XRoadFault:
        return False


def _check_proof(fact: ArchivedRecord, data: bytes, findings: Findings, trust: Choose) -> None:
    if fact.unverified is None:  # else it says itself that it did not hold
        said = fact.content
        known = known_of(said.bodies, said.message_digest, is_whole=said.is_whole)
        fault = examine_container(data, trust, known).fault
        if fault is not None:
            findings.add(Kind.SIGNATURE, fact.sequence, "ledger.proof", reason=str(fault))


def _fits(fact: ArchivedRecord, container: Container) -> bool:
    """Tell whether a container holds what the facts cover; a single time-stamp stands inside of the signature."""
    said = fact.content
    chain, result = container.signature.hash_chain, container.signature.hash_chain_result
    if sha512(container.message) != (said.message_digest if said.is_whole else said.kept_digest):
        return False
    if (None if result is None else sha512(result)) != fact.hash_chain_result_digest:
        return False
    if (None if chain is None else sha512(chain)) != fact.hash_chain_digest:
        return False
    if container.timestamp_chain is not None and sha512(container.signature.xml) != said.signature_digest:
        return False
    kept = {body.number: body for body in said.bodies if body.location is not None}
    found = container.attachments
    return all(number in found and found[number].digest.value == body.digest for number, body in kept.items())


def known_of(bodies: Sequence[RecordedBody], message_digest: bytes, *, is_whole: bool) -> dict[str, Digest]:
    """Return the digests of the signed parts that were not kept."""
    omitted = {attachment_part(body.number): body.digest for body in bodies if body.location is None}
    if not is_whole:
        omitted[MESSAGE_PART] = message_digest
    return {name: Digest(DigestAlgorithm.SHA512, value) for name, value in omitted.items()}


def _check_chains(reader: ArchiveReader, findings: Findings) -> None:
    for chain in reader.chains:
        previous_digest, previous_file = "", ""
        for number, file in enumerate(chain.files):
            try:
                if number or chain.is_complete:
                    verify_succession(file.linking, previous_digest, previous_file)
                previous_digest, previous_file = file.linking.last_digest, file.containers_name
            except XRoadFault:
                findings.add(Kind.LINKING, None, "ledger.linking_succession", file=file.containers_name)
                break


def stem_of(name: str) -> str:
    """Return what the names of containers, facts, and their encrypted forms have in common."""
    parsed = parse_archive_name(name)
    return name if parsed is None else parsed.stem


def _range_of(facts: Sequence[ArchivedFact]) -> tuple[int | None, int | None]:
    numbers = [fact.sequence for fact in facts]
    return min(numbers, default=None), max(numbers, default=None)
