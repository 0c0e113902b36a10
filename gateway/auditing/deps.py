"""What pages, API and commands of auditors are handed by the composition root."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from gateway.auditing.model import MaskingSettings
from gateway.auditing.ports import EvidenceSource
from gateway.messagelog.archive.model import ArchivedFact
from gateway.messagelog.completeness.model import Completeness as Completeness
from gateway.runtime.clock import Clock

if TYPE_CHECKING:
    from gateway.auditing.exports import Exports


class Trail(Protocol):
    """The audit trail of people's deeds, as far as auditors write it."""

    async def record(
        self,
        event: str,
        *,
        user: str | None,
        auth: str | None = None,
        url: str | None = None,
        data: Mapping[str, object] | None = None,
        reason: str | None = None,
    ) -> None:
        """Put a deed on disk before this returns; with `reason` it failed. Raises TrailUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That an entry is in the ledger of `size` entries: its leaf, the hashes up to the root, and what it says.

    `fact` is all that the leaf covers, so that whoever holds the container can work the leaf out; the desk adds it.
    """

    sequence: int
    size: int
    leaf: bytes
    hashes: tuple[bytes, ...]
    fact: ArchivedFact | None = None


class Ledger(Protocol):
    """The ledger behind a source: checkpoints, and where an entry stands in it. Calls may wait for a disk."""

    def newest(self) -> bytes | None:
        """Return the newest checkpoint as its note, None while there is none."""
        ...

    async def make(self) -> bytes:
        """Make a checkpoint of all entries there are now. Raises XRoadFault when it cannot be signed or stamped."""
        ...

    def size_of(self, note: bytes) -> int:
        """Return how many entries a checkpoint covers. Raises MalformedMessage for what is none."""
        ...

    def prove(self, sequence: int, size: int) -> Inclusion | None:
        """Return the proof that an entry is among the first `size`; None when it is not."""
        ...

    def prove_all(self, sequences: Sequence[int], size: int) -> Mapping[int, Inclusion]:
        """Return the proofs of some entries at once, without those that are not among the first `size`."""
        ...

    def examine(self, note: bytes, progress: Callable[[int, int], None]) -> Completeness:
        """Compare the whole log with a checkpoint; `progress` hears of entries done and in total.

        Raises MalformedMessage for what is no checkpoint, SignatureRefused for one that nobody here signed.
        """
        ...


# Returns the files that verification stands on, by path: verificationconf/…, and where it is kept, history/….
TrustFiles = Callable[[], Iterable[tuple[str, bytes]]]


@dataclass(frozen=True, slots=True)
class AuditDeps:
    """Where evidence is found, and where each look at it is recorded.

    `server_name` gives the identifier of the server in its URL form, or what the folder of archives is called.
    """

    source: EvidenceSource
    trail: Trail
    clock: Clock
    server_name: Callable[[], str]
    ledger: Ledger | None = None
    exports: Exports | None = None
    masking: MaskingSettings = field(default_factory=MaskingSettings)

    @property
    def server(self) -> str:
        """Which server the evidence is of."""
        return self.server_name()
