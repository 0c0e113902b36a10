"""What lies on the desk: an exchange with its messages, and what verifying one of them showed."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.auditing.model import Document, Entry, Exchange, RefusalEntry
from gateway.xroad.asic.verdict import Examination
from gateway.xroad.faults import XRoadFault


@dataclass(frozen=True, slots=True)
class Signed:
    """One signed message of an exchange: as it was recorded, or why it cannot be read here and now."""

    sequence: int
    entry: Entry | None
    fault: XRoadFault | None


@dataclass(frozen=True, slots=True)
class Dossier:
    """An exchange with its messages; personal fields are to be masked unless `reason` says why not."""

    exchange: Exchange
    request: Signed | None
    response: Signed | None
    refusal: RefusalEntry | None
    related: tuple[Exchange, ...]
    reason: str | None

    @property
    def messages(self) -> tuple[Signed, ...]:
        """The messages there are, the request first."""
        return tuple(message for message in (self.request, self.response) if message is not None)


@dataclass(frozen=True, slots=True)
class Proof:
    """What verifying a container showed; without examination no configuration of its time is known."""

    sequence: int
    document: Document
    examination: Examination | None
    fault: XRoadFault | None

    @property
    def holds(self) -> bool:
        """Whether every check passed."""
        return self.examination is not None and self.examination.fault is None
