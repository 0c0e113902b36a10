"""The report of one exchange: what was asked, by whom, on what ground, when, and what proves it.

It names evidence by identifiers and digests and holds no content of a message, so that it can be laid
before people who may not see the personal data. The same facts stand on the page of the console and
in the file that `surma audit show --report` writes.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.auditing.deeds import Deed
from gateway.auditing.deps import Inclusion
from gateway.auditing.desk import Desk
from gateway.auditing.dossier import Dossier, Proof, Signed
from gateway.messagelog.reasons import explain
from gateway.runtime.clock import from_epoch_ms
from gateway.runtime.texts import render
from gateway.xroad.asic.verdict import Check, Outcome
from gateway.xroad.checkpoint import Checkpoint, parse_checkpoint
from gateway.xroad.faults import XRoadFault
from gateway.xroad.pki.certificates import sha256_of, subject_of

_TEMPLATE: Final = "report.html"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One signed message as evidence: where it is kept, its digests, its verdict, its place in the ledger."""

    signed: Signed
    proof: Proof | None
    container_sha256: str | None
    message_sha512: str | None
    inclusion: Inclusion | None

    @property
    def checks(self) -> tuple[Check, ...]:
        """Every check of the verdict; empty when there is nothing to verify."""
        return () if self.proof is None or self.proof.examination is None else self.proof.examination.checks


@dataclass(frozen=True, slots=True)
class Report:
    """The facts of a report. `checkpoint` is the newest one; whether it covers an entry its proof says."""

    dossier: Dossier
    evidence: tuple[Evidence, ...]
    refusal_inclusion: Inclusion | None
    note: bytes | None
    checkpoint: Checkpoint | None
    server: str
    made_at: datetime
    made_by: str


async def report_of(desk: Desk, exchange_id: int, *, deed: Deed = Deed.REPORT, reason: str | None = None) -> Report:
    """Return the facts of a report, whose making is recorded as `deed`. Raises Missing, TrailUnavailable."""
    dossier = await desk.open(exchange_id, reason=reason, deed=deed)
    return await asyncio.to_thread(_report, desk, dossier)


def _report(desk: Desk, dossier: Dossier) -> Report:
    deps = desk.deps
    note = None if deps.ledger is None else deps.ledger.newest()
    size = 0 if note is None or deps.ledger is None else deps.ledger.size_of(note)

    def inclusion_of(sequence: int) -> Inclusion | None:
        try:
            return None if deps.ledger is None or sequence > size else deps.ledger.prove(sequence, size)
        except XRoadFault:
            return None  # the ledger is damaged: completeness is where that is told

    def evidence_of(signed: Signed) -> Evidence:
        entry = signed.entry
        try:
            proof = desk.examine(signed.sequence)
        except XRoadFault:
            proof = None  # why it cannot be read stands in `signed`
        return Evidence(
            signed=signed,
            proof=proof,
            container_sha256=None if proof is None else hashlib.sha256(proof.document.container).hexdigest(),
            message_sha512=None if entry is None else hashlib.sha512(entry.message).hexdigest(),
            inclusion=inclusion_of(signed.sequence),
        )

    refusal = dossier.exchange.refusal
    return Report(
        dossier=dossier,
        evidence=tuple(evidence_of(signed) for signed in dossier.messages),
        refusal_inclusion=None if refusal is None else inclusion_of(refusal),
        note=note,
        checkpoint=None if note is None else _parsed(note),
        server=deps.server,
        made_at=deps.clock.now(),
        made_by=desk.user,
    )


def _parsed(note: bytes) -> Checkpoint | None:
    try:
        return parse_checkpoint(note)
    except XRoadFault:
        return None


def report_html(report: Report, language: str) -> str:
    """Return the report as one HTML file that needs nothing beside it."""

    def text(text_id: str, /, **facts: object) -> str:
        return render(text_id, facts, language)

    return (
        _environment()
        .get_template(_TEMPLATE)
        .render(
            report=report,
            exchange=report.dossier.exchange,
            language=language,
            t=text,
            reason=_reason_of,
            measured=_measured,
            refused=_refusal_text,
            subject_of=subject_of,
            sha256_of=sha256_of,
            passed=Outcome.PASSED,
            failed=Outcome.FAILED,
        )
    )


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("gateway.auditing", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["time"] = _time
    return environment


def _time(at: datetime | None) -> str:
    return "" if at is None else at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"


def _measured(check: Check) -> str:
    facts: Mapping[str, object] = check.facts
    return ", ".join(str(value) for value in facts.values())


def _reason_of(fault: XRoadFault, language: str) -> str:
    return render(fault.text_id, fault.facts, language)


def _refusal_text(dossier: Dossier, language: str) -> dict[str, Any] | None:
    if dossier.refusal is None:
        return None
    said = dossier.refusal.refusal.content
    return {
        "code": said.fault_code,
        "text": explain(said, language),
        "since": _time(from_epoch_ms(said.time_ms)),
        "until": _time(from_epoch_ms(said.until_ms)),
        "times": said.times,
        "address": said.address,
        "record_hash": dossier.refusal.refusal.record_hash.hex(),
        "archive_file": dossier.refusal.archive_file,
    }
