"""What the server itself keeps of its ledger: tiles and checkpoints. Evidence, as far as nobody changed it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from sqlalchemy import Connection, LargeBinary, cast, func, select

from gateway.messagelog.completeness.model import Findings, Kind
from gateway.messagelog.completeness.outlines import BLOCK, outline_of
from gateway.messagelog.tables import checkpoints, ledger_tiles
from gateway.runtime.clock import epoch_ms
from gateway.xroad.asic.verify import Choose
from gateway.xroad.checkpoint import Checkpoint, claimed_time, parse_checkpoint, verify_checkpoint
from gateway.xroad.faults import ConfigurationUnusable, XRoadFault
from gateway.xroad.identifiers import SecurityServerId
from gateway.xroad.ledger import HASH_BYTES, TILE_HASHES, perfect_root

_STEP: Final = 64


class Tiles:
    """The tiles as they are stored, whatever they hold."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def last(self) -> int:
        """Return the number of the last entry that they have a leaf of."""
        c = ledger_tiles.c
        question = select(c.number, func.length(c.hashes)).where(c.level == 0).order_by(c.number.desc()).limit(1)
        row = self._connection.execute(question).one_or_none()
        return 0 if row is None else int(row[0]) * TILE_HASHES + int(row[1] or 0) // HASH_BYTES

    def walk(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        """Yield number and leaf of the entries in a range, as far as there are leaves."""
        for number, tile in self.level(0, (first - 1) // TILE_HASHES, (last - 1) // TILE_HASHES):
            start = number * TILE_HASHES + 1
            for place in range(len(tile) // HASH_BYTES):
                if first <= start + place <= last and place < TILE_HASHES:
                    yield start + place, tile[place * HASH_BYTES : (place + 1) * HASH_BYTES]

    def blocks(self) -> dict[int, bytes]:
        """Return the root of each full block as level 1 has it."""
        return {
            number * TILE_HASHES + place: tile[place * HASH_BYTES : (place + 1) * HASH_BYTES]
            for number, tile in self.level(1)
            for place in range(len(tile) // HASH_BYTES)
        }

    def level(self, level: int, first: int = 0, last: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield number and hashes of the tiles of a level, in order."""
        c = ledger_tiles.c
        question = select(c.number, cast(c.hashes, LargeBinary)).where(c.level == level).order_by(c.number)
        after = first - 1
        while rows := self._connection.execute(question.where(c.number > after).limit(_STEP)).all():
            for number, hashes in rows:
                if last is not None and number > last:
                    return
                yield int(number), bytes(hashes or b"")
            after = rows[-1][0]


class AsItWas(Protocol):
    """What ought to be in tiles."""

    def block(self, number: int) -> bytes | None:
        """Return the root of a full block, None where nobody tells."""
        ...

    def leaves(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        """Yield number and leaf of the entries in a range; those that differ now are left out."""
        ...


def compare_tiles(tiles: Tiles, through: int, as_it_was: AsItWas, findings: Findings) -> None:
    """Name the entries whose hashes in the tiles are not what they ought to be, up to the entry `through`."""
    outline = outline_of(tiles.walk(1, through), through)
    for number in range(-(-through // BLOCK)):
        first, last = number * BLOCK + 1, min((number + 1) * BLOCK, through)
        block = outline.blocks.get(number)
        if block is not None and last == (number + 1) * BLOCK and block == as_it_was.block(number):
            continue
        kept = dict(tiles.walk(first, last))
        for sequence, leaf in as_it_was.leaves(first, last):
            if kept.get(sequence) != leaf:
                findings.add(Kind.TILES, sequence, "ledger.tiles")
    _compare_upper(tiles, [as_it_was.block(number) for number in range(through // BLOCK)], findings)


def _compare_upper(tiles: Tiles, blocks: Sequence[bytes | None], findings: Findings) -> None:
    """Check the tiles above the leaves against the roots of full blocks."""
    level, width = 1, BLOCK
    roots: dict[int, bytes | None] = dict(enumerate(blocks))
    while True:
        found = {
            number * TILE_HASHES + place: tile[place * HASH_BYTES : (place + 1) * HASH_BYTES]
            for number, tile in tiles.level(level)
            for place in range(-(-len(tile) // HASH_BYTES))
        }
        if not found and not roots:
            return
        for index in sorted(found.keys() | roots.keys()):
            if index not in roots or roots[index] not in (None, found.get(index)):
                first = index * width + 1
                findings.add(Kind.TILES, first, "ledger.tiles", last=first + width - 1)
        above = {}
        for number in range(len(roots) // TILE_HASHES):
            below = [roots[number * TILE_HASHES + place] for place in range(TILE_HASHES)]
            whole = [one for one in below if one is not None]
            above[number] = perfect_root(b"".join(whole)) if len(whole) == TILE_HASHES else None
        level, width, roots = level + 1, width * TILE_HASHES, above


# Checkpoints


@dataclass(frozen=True, slots=True)
class OwnCheckpoint:
    """A checkpoint that the server keeps; `time` is that of its stamp, proven or not."""

    size: int
    root: bytes
    origin: SecurityServerId
    time: datetime
    is_proven: bool


def read_own_checkpoints(
    connection: Connection, trust: Choose | None, findings: Findings
) -> tuple[list[OwnCheckpoint], set[int]]:
    """Return the server's own checkpoints that hold, the smallest first, and the sizes of all."""
    c = checkpoints.c
    question = select(c.size, c.time_ms, cast(c.root, LargeBinary), cast(c.note, LargeBinary)).order_by(c.size)
    found: list[OwnCheckpoint] = []
    sizes: set[int] = set()
    after = -1
    while rows := connection.execute(question.where(c.size > after).limit(_STEP)).all():
        for size, time_ms, root, note in rows:
            sizes.add(size)
            own = _read_own(size, time_ms, bytes(root or b""), bytes(note or b""), trust)
            if isinstance(own, str):
                findings.add(Kind.CHECKPOINT, size, "ledger.own_checkpoint", reason=own)
            else:
                found.append(own)
        after = rows[-1][0]
    return found, sizes


def _read_own(size: int, time_ms: object, root: bytes, note: bytes, trust: Choose | None) -> OwnCheckpoint | str:
    try:
        checkpoint = parse_checkpoint(note)
        head = checkpoint.head
        if (head.size, head.root, epoch_ms(head.time)) != (size, root, time_ms):
            return "row"
        time = claimed_time(checkpoint)
        is_proven = trust is not None and _is_proven(checkpoint, time, trust)
    except XRoadFault as fault:
        return fault.code
    return OwnCheckpoint(size, root, head.origin, time, is_proven)


def _is_proven(checkpoint: Checkpoint, time: datetime, trust: Choose) -> bool:
    try:
        globalconf = trust(time)
    except ConfigurationUnusable:
        return False
    verify_checkpoint(checkpoint, globalconf)
    return True
