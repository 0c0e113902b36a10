"""Where the entries of an exchange stand in the ledger, each proof checked against the root that was signed."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.auditing.deps import Inclusion
from gateway.auditing.report import Report
from gateway.xroad.checkpoint import Checkpoint
from gateway.xroad.faults import XRoadFault
from gateway.xroad.ledger import verify_inclusion


@dataclass(frozen=True, slots=True)
class Place:
    """An entry under the newest checkpoint: without inclusion it came later; with a fault its proof does not hold."""

    number: int
    inclusion: Inclusion | None
    fault: XRoadFault | None


def places_of(report: Report) -> list[Place]:
    """Return the place of every entry of an exchange."""
    found = [(evidence.signed.sequence, evidence.inclusion) for evidence in report.evidence]
    if report.dossier.refusal is not None:
        found.append((report.dossier.refusal.refusal.sequence, report.refusal_inclusion))
    return [Place(number, inclusion, _fault_of(inclusion, report.checkpoint)) for number, inclusion in found]


def _fault_of(inclusion: Inclusion | None, checkpoint: Checkpoint | None) -> XRoadFault | None:
    if inclusion is None or checkpoint is None:
        return None
    root, number = checkpoint.head.root, inclusion.sequence - 1
    try:
        verify_inclusion(inclusion.leaf, number, inclusion.size, root, inclusion.hashes)
    except XRoadFault as fault:
        return fault
    return None
