"""Compare a log, and its archives, with checkpoints that were kept outside.

1. The checkpoints hold, by signature, certificate and time-stamp, and so do the leaves exported with them.
2. Archives are read whole (`archives`), then everything stored, once (`walk`): what contradicts itself is found.
3. Whoever leads to the checkpoints' roots is right about what was there (`sources`): what is stored, else
   the export, the tiles, files of leaves, what the rows state.
4. Where what is stored differs from that, each entry is named (`compare`): replaced, or moved from another
   number. Where nobody is right, the range since the last root that fits is named.
5. What the server keeps of its ledger must agree (`kept`), and so must time-stamps (`stamps`).

Entries after the newest checkpoint are compared with the server's own, and with each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from sqlalchemy import Connection, func, select, text

from gateway.messagelog.archive.leaves import MISSING
from gateway.messagelog.archive.reader import ArchiveReader
from gateway.messagelog.completeness.archives import NO_ARCHIVES, read_archives, stem_of
from gateway.messagelog.completeness.compare import Comparison
from gateway.messagelog.completeness.kept import OwnCheckpoint, Tiles, compare_tiles, read_own_checkpoints
from gateway.messagelog.completeness.model import CheckedAgainst, Completeness, Counts, Findings, Kind
from gateway.messagelog.completeness.sources import ReadLeaves
from gateway.messagelog.completeness.stamps import check_links, check_proofs, check_tokens
from gateway.messagelog.completeness.stored import Place, StoredEntries
from gateway.messagelog.completeness.walk import Everything, Walk, Walked
from gateway.messagelog.reader import MessageReader
from gateway.messagelog.store import find_locations, read_last_sequence
from gateway.messagelog.tables import archive_files, archived_entries, message_records, refusals
from gateway.runtime.database import Database
from gateway.xroad.asic.verify import Choose
from gateway.xroad.checkpoint import Export, claimed_time, verify_checkpoint
from gateway.xroad.faults import MalformedMessage, SignatureRefused, XRoadFault
from gateway.xroad.ledger import root_of

# Hears how many entries were done, and how many there are.
Progress = Callable[[int, int], None]


def check_completeness(
    database: Database,
    exports: Sequence[Export],
    *,
    reader: MessageReader,
    opens: bool = True,
    archives: ArchiveReader | None = None,
    trust: Choose | None = None,
    deep: bool = False,
    progress: Progress | None = None,
) -> Completeness:
    """Return what is not as the checkpoints say, or contradicts itself.

    `reader` opens messages and bodies; without `opens` the encrypted ones are counted only. With
    `archives` every archived entry must be in them. `trust` gives the configuration in force at a time:
    without it no signature is verified; with `deep` the whole proof of every record is.

    Raises SignatureRefused or MalformedMessage for a checkpoint that does not hold or is another server's,
    ConfigurationUnusable when there is no configuration to verify it with.
    """
    against = prove_checkpoints(exports, trust)
    with database.reading() as connection:
        if not database.is_sqlite:  # every question sees the same moment
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        entries = StoredEntries(connection, reader, opens=opens, is_named=partial(_is_named, database))
        check = _Check(connection, entries, against, exports, trust, archives, progress)
        check.read_own()
        check.read_archives(deep=deep)
        check.walk(1, read_last_sequence(connection, archived=True))
        comparison = check.compare()
        check.compare_kept(comparison)
        check.check_stamps(comparison, reader if deep else None)
        return check.result(comparison)


def check_archives(
    archives: ArchiveReader,
    exports: Sequence[Export],
    *,
    trust: Choose | None = None,
    deep: bool = False,
    progress: Progress | None = None,
) -> Completeness:
    """Return the same for archives alone, as they lie with an auditor; errors as `check_completeness`.

    Entries before the first and after the last that these archives held are counted as elsewhere.
    """
    against = prove_checkpoints(exports, trust)
    check = _Check(None, _NoTables(), against, exports, trust, archives, progress)
    check.read_archives(deep=deep)
    check.walk(*check.archived_range())
    return check.result(check.compare())


def prove_checkpoints(exports: Sequence[Export], trust: Choose | None) -> tuple[CheckedAgainst, ...]:
    """Return the checkpoints, the smallest first, as far as they can be proven.

    Raises SignatureRefused, MalformedMessage (also when they are of several servers), ConfigurationUnusable.
    """
    found = []
    for export in exports:
        checkpoint, head = export.checkpoint, export.checkpoint.head
        verdict = None if trust is None else verify_checkpoint(checkpoint, trust(claimed_time(checkpoint)))
        has_leaves = export.leaves is not None
        if has_leaves and root_of(export.leaf(number) for number in range(head.size)) != head.root:
            raise SignatureRefused("invalid_hash_chain", "ledger.export_leaves", size=head.size)
        proven_at = None if verdict is None else verdict.time
        found.append(CheckedAgainst(head.origin, head.size, head.root, head.time, proven_at, has_leaves))
    origins = sorted({one.origin for one in found})
    if len(origins) > 1:
        raise MalformedMessage("validation_error", "ledger.other_server", expected=origins[0], found=origins[1])
    return tuple(sorted(found, key=lambda one: one.size))


class _NoTables:
    """Tables that nobody has."""

    def walk(self, first: int, last: int) -> Iterator[Place]:
        return iter(())


@dataclass(slots=True)
class _Check:
    """One check, step by step in the order of its methods; without connection there are archives alone."""

    connection: Connection | None
    entries: StoredEntries | _NoTables
    against: tuple[CheckedAgainst, ...]
    exports: Sequence[Export]
    trust: Choose | None
    archives: ArchiveReader | None
    progress: Progress | None
    findings: Findings = field(default_factory=Findings)
    own: list[OwnCheckpoint] = field(default_factory=list)
    kept: set[int] = field(default_factory=set)
    everything: Everything = field(init=False)
    walked: Walked = field(init=False)
    counts: Counts = field(init=False)
    last: int = 0

    @property
    def size(self) -> int:
        """How many entries the largest checkpoint covers."""
        return max((one.size for one in self.against), default=0)

    def read_own(self) -> None:
        """Read the checkpoints that the server keeps; those stamped after a larger one count for nothing."""
        if self.connection is None:
            return
        found, self.kept = read_own_checkpoints(self.connection, self.trust, self.findings)
        if found and self.against and found[0].origin != self.against[0].origin:
            raise MalformedMessage(
                "validation_error", "ledger.other_server", expected=found[0].origin, found=self.against[0].origin
            )
        known = [(one.size, one.proven_at or one.time) for one in self.against]
        made_anew = []
        for own in reversed(found):
            before = min((time for size, time in known if size >= own.size), default=own.time)
            if (own.time - before).total_seconds() >= 1:  # stamps tell whole seconds, heads milliseconds
                made_anew.append(own)
            else:
                self.own.insert(0, own)
                known.append((own.size, own.time))
        if made_anew:
            first, count = made_anew[-1].size, len(made_anew)
            self.findings.add(Kind.CHECKPOINT, first, "ledger.own_checkpoint_order", count=count)

    def read_archives(self, *, deep: bool) -> None:
        """Read all archives, and when asked verify every container."""
        archived = NO_ARCHIVES
        if self.archives is not None:
            archived = read_archives(self.archives, self.findings, self.trust if deep else None)
            self._miss_files(archived.stems)
        self.everything = Everything(self.entries, archived)

    def archived_range(self) -> tuple[int, int]:
        """Return the first and the last entry that archives here hold or held, as files of leaves remember."""
        sequences = self.everything.archived.sequences
        remembered = () if self.archives is None else self.archives.leaves_names
        last = max((high for _, high, _ in remembered), default=0)
        return (sequences[0], max(last, sequences[-1])) if sequences else (1, 0)

    def walk(self, first: int, last: int) -> None:
        """Walk over everything that is stored, from the entry `first` to `last`."""
        self.last = last
        self._find_strays()
        times = [(one.size, one.time) for one in self.own if one.is_proven]
        times += [(one.size, one.proven_at or one.time) for one in self.against]
        sizes = {one.size for one in self.against} | {one.size for one in self.own}
        has_tables, has_archives = self.connection is not None, self.archives is not None
        walk = Walk(self.findings, first, max(last, self.size), sizes, times, self._file_of)
        self.walked = walk.over(
            self.everything, last, has_tables=has_tables, has_archives=has_archives, progress=self._tell
        )
        self.counts = self.walked.counts
        if not has_tables:  # what was not archived yet, or lies in other archives, is nobody's fault
            self.counts = replace(self.counts, elsewhere=first - 1 + max(0, self.size - last))
        elif last < self.size:
            self.findings.add(Kind.CUT, last + 1, "ledger.cut", last=self.size)

    def compare(self) -> Comparison:
        """Find out who is right, and name every entry that is another one now."""
        blocks = {} if self.connection is None else Tiles(self.connection).blocks()
        comparison = Comparison(
            self.everything, self.walked, self.findings, self.against, self.own, list(self._others()), blocks
        )
        comparison.name_differences()
        if self.archives is not None:
            _compare_leaves(self.archives, comparison, self.findings)
        return comparison

    def compare_kept(self, comparison: Comparison) -> None:
        """Compare tiles and checkpoints that the server keeps with what was there."""
        if self.connection is None:
            return
        tiles = Tiles(self.connection)
        kept, newest = tiles.last(), max((one.size for one in self.own), default=0)
        end = max(self.last, self.size)
        if max(kept, newest) > end:
            self.findings.add(Kind.CUT, end + 1, "ledger.cut_after", last=max(kept, newest))
        if kept < newest:
            self.findings.add(Kind.TILES, kept + 1, "ledger.tiles", last=newest)
        # Whoever invents a number far away must not make us look at everything before it.
        through = min(kept, self.last, self.size + self.counts.entries)
        compare_tiles(tiles, through, comparison, self.findings)
        for own in self.own:
            root = comparison.root_at(own.size)
            is_named = comparison.right.find(own.size) is None and own.is_proven  # as a range
            if root not in (None, own.root) and not is_named:
                self.findings.add(Kind.CHECKPOINT, own.size, "ledger.own_checkpoint_differs")
        for one in self.against:
            if one.size not in self.kept and not self.findings.within(one.size, one.size):
                self.findings.add(Kind.CHECKPOINT, one.size, "ledger.own_checkpoint_missing")

    def check_stamps(self, comparison: Comparison, reader: MessageReader | None) -> None:
        """Check time-stamps, and with a reader the whole proof of every record."""
        connection = self.connection
        if connection is None:
            return
        check_tokens(connection, self.trust, self.findings)
        unproven = check_links(connection, self.findings, comparison.is_proven)
        if reader is not None and self.trust is not None:
            unproven += check_proofs(connection, reader, self.trust, self.findings, self._tell)
        self.counts = replace(self.counts, unproven=unproven)

    def result(self, comparison: Comparison) -> Completeness:
        """Return the answer."""
        return Completeness(
            against=self.against,
            last=self.last,
            counts=self.counts,
            findings=self.findings.sorted(),
            more=self.findings.more,
            untold=comparison.right.untold,
        )

    def _others(self) -> Iterator[ReadLeaves]:
        """Yield whoever else remembers leaves: exports, tiles, files of leaves."""
        for export in self.exports:
            if export.leaves is not None:
                yield partial(_leaves_in, export)
        if self.connection is not None:
            yield Tiles(self.connection).walk
        if self.archives is not None:
            yield partial(_leaves_beside, self.archives)

    def _miss_files(self, stems: set[str]) -> None:
        """Name the archives that the tables know and that are not here."""
        if self.connection is None:
            return
        c = archive_files.c
        question = select(c.name, c.first_sequence, c.last_sequence).where(c.location != "").order_by(c.id)
        for name, first, last in self.connection.execute(question):
            if stem_of(name) not in stems:
                self.findings.add(Kind.ARCHIVE, first, "ledger.archive_missing", last=last, file=name)

    def _find_strays(self) -> None:
        """Name what stands under a number that the log never gives."""
        if self.connection is None:
            return
        for table in (message_records, refusals, archived_entries):
            number = self.connection.execute(select(func.min(table.c.sequence))).scalar()
            if number is not None and number < 1:
                self.findings.add(Kind.DOUBLED, number, "ledger.stray")

    def _file_of(self, sequence: int) -> str | None:
        """Return the name of the archive that an entry went to, as the tables say."""
        if self.connection is None:
            return None
        question = select(archive_files.c.name).join_from(archived_entries, archive_files)
        return self.connection.execute(question.where(archived_entries.c.sequence == sequence)).scalar()

    def _tell(self, done: int) -> None:
        if self.progress is not None:
            self.progress(done, max(self.last, self.size))


def _is_named(database: Database, location: str) -> bool:
    """Tell whether a record names a body now: retention may have removed both while everything was read."""
    with database.reading() as connection:
        return bool(find_locations(connection, [location]))


def _leaves_in(export: Export, first: int, last: int) -> Iterator[tuple[int, bytes | None]]:
    for sequence in range(first, min(last, export.checkpoint.head.size) + 1):
        yield sequence, export.leaf(sequence - 1)


def _leaves_beside(archives: ArchiveReader, first: int, last: int) -> Iterator[tuple[int, bytes | None]]:
    begin = first
    for low, high, name in archives.leaves_names:
        if high < begin or low > last:
            continue
        try:
            leaves = archives.read_leaves(name)
        except XRoadFault:
            continue
        for sequence in range(max(low, begin), min(high, last) + 1):
            leaf = leaves.of(sequence)
            yield sequence, None if leaf == MISSING else leaf
        begin = high + 1


def _compare_leaves(archives: ArchiveReader, comparison: Comparison, findings: Findings) -> None:
    """Compare the files of leaves with what was there."""
    for low, high, name in archives.leaves_names:
        try:
            leaves = archives.read_leaves(name)
        except XRoadFault as fault:
            findings.add(Kind.ARCHIVE, low, "ledger.archive_unreadable", last=high, file=name, reason=str(fault))
            continue
        for sequence, leaf in comparison.leaves(low, high):
            if leaves.of(sequence) not in (leaf, MISSING):
                findings.add(Kind.ARCHIVE, sequence, "ledger.archive_leaves", file=name)
