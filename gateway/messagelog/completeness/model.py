"""Facts of a check for completeness: what was found, where, and how much was looked at."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from gateway.runtime.texts import render
from gateway.xroad.identifiers import SecurityServerId

MAX_FINDINGS: Final = 1000


class Kind(StrEnum):
    """What may be wrong with entries of a log."""

    MISSING = "missing"  # between others that are here
    CUT = "cut"  # from here to the end
    ALTERED = "altered"  # what is stored is not what was written
    REPLACED = "replaced"  # consistent in itself, and not the entry that was written
    MOVED = "moved"  # an entry that was written under another number
    DOUBLED = "doubled"  # two entries of one number
    SOMEWHERE = "somewhere"  # within this range, and nothing tells where
    CHAIN = "chain"  # the hashes from entry to entry
    TILES = "tiles"  # the hashes kept of the ledger
    CHECKPOINT = "checkpoint"  # the checkpoints that the server itself keeps
    TIMESTAMP = "timestamp"  # a time-stamp that does not hold, or is gone
    REDATED = "redated"  # a time that cannot be
    SIGNATURE = "signature"  # a message whose proof does not hold
    ARCHIVE = "archive"  # an archive that does not say what was written
    LINKING = "linking"  # the chain of archive files


# What makes an entry another one than was written: the root differs by it.
ABOUT_ENTRIES: Final = frozenset(
    (Kind.MISSING, Kind.CUT, Kind.ALTERED, Kind.REPLACED, Kind.MOVED, Kind.DOUBLED, Kind.ARCHIVE)
)


class Part(StrEnum):
    """Which part of a stored entry does not fit."""

    MESSAGE = "message"
    SIGNATURE = "signature"
    BODY = "body"
    FACTS = "facts"
    HASH = "hash"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be, and where: entries `first` to `last`, None where no entry is meant."""

    kind: Kind
    first: int | None
    last: int | None
    text_id: str
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """The entries as people read them."""
        if self.first is None:
            return "-"
        return str(self.first) if self.first == self.last else f"{self.first}\N{EN DASH}{self.last}"

    def sentence(self, language: str = "en") -> str:
        """Return the finding in words."""
        return render(self.text_id, {**self.facts, "place": self.place}, language)


@dataclass(frozen=True, slots=True)
class CheckedAgainst:
    """A checkpoint that was kept outside; `proven_at` is when it was stamped, None where nobody verified it."""

    origin: SecurityServerId
    size: int
    root: bytes
    time: datetime
    proven_at: datetime | None
    has_leaves: bool


@dataclass(frozen=True, slots=True)
class Counts:
    """How much was looked at."""

    entries: int = 0  # found, in tables or archives
    records: int = 0
    refusals: int = 0
    archived: int = 0  # read from archives
    elsewhere: int = 0  # only their hashes are here: the archives that hold them are not
    closed: int = 0  # encrypted, with no key to open them: their digests were checked alone
    unproven: int = 0  # records without a time-stamp yet


@dataclass(frozen=True, slots=True)
class Completeness:
    """The answer. `findings` stand in order of their place; `more` were found beyond what is listed.

    `untold` are ranges of which nothing but what was found in them is known to be unchanged.
    """

    against: tuple[CheckedAgainst, ...]
    last: int
    counts: Counts
    findings: tuple[Finding, ...]
    more: int
    untold: tuple[tuple[int, int], ...]

    @property
    def holds(self) -> bool:
        """Whether all entries are here, unchanged and in their order, as far as could be told."""
        return not self.findings

    @property
    def is_told(self) -> bool:
        """Whether it could be told of every entry."""
        return not self.untold


class Findings:
    """Collects findings: neighbours that say the same become one range, and there is an end to the list."""

    def __init__(self) -> None:
        self._found: list[Finding] = []
        self._open: dict[tuple[object, ...], int] = {}
        self.more = 0

    def add(self, kind: Kind, first: int | None, text_id: str, *, last: int | None = None, **facts: object) -> None:
        """Add a finding about the entries `first` to `last`, by default the one."""
        self.put(Finding(kind, first, first if last is None else last, text_id, facts))

    def put(self, finding: Finding) -> None:
        """Add a finding; one that continues another becomes part of it."""
        facts = sorted((name, str(value)) for name, value in finding.facts.items())
        key = (finding.kind, finding.text_id, *facts)
        known = self._open.get(key)
        if known is not None and _continues(self._found[known], finding):
            before = self._found[known]
            self._found[known] = replace(before, last=max(before.last or 0, finding.last or 0))
            return
        if len(self._found) >= MAX_FINDINGS:
            self.more += 1
            return
        self._open[key] = len(self._found)
        self._found.append(finding)

    def take(self, others: Findings) -> None:
        """Add the findings of another collection."""
        for finding in others._found:
            self.put(finding)
        self.more += others.more

    def within(self, first: int, last: int, kinds: Container[Kind] = frozenset(Kind)) -> bool:
        """Tell whether something of these kinds was found about any of these entries."""
        return any(
            found.kind in kinds
            and found.first is not None
            and found.last is not None
            and found.first <= last
            and first <= found.last
            for found in self._found
        )

    def sorted(self) -> tuple[Finding, ...]:
        """Return the findings in order of their place; those without one last."""
        order = list(Kind)

        def key(found: Finding) -> tuple[bool, int, int]:
            return found.first is None, found.first or 0, order.index(found.kind)

        return tuple(sorted(self._found, key=key))


def _continues(before: Finding, finding: Finding) -> bool:
    if before.first is None or before.last is None or finding.first is None:
        return False
    return before.first <= finding.first <= before.last + 1
