"""When each step of an exchange was, and who says so: a claim, this server, or a proof."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.auditing.report import Evidence, Report
from gateway.runtime.clock import from_epoch_ms
from gateway.xroad.pki.certificates import subject_of


@dataclass(frozen=True, slots=True)
class Step:
    """One step: a name of `audit.step`, its time, and who says so (`signer`, `server`, `authority`)."""

    name: str
    time: datetime
    source: str
    who: str = ""


def steps_of(report: Report) -> list[Step]:
    """Return the steps in the order of their times; those of one moment in the order they are made."""
    found: list[Step] = []
    for evidence in report.evidence:
        half = "response" if evidence.signed.sequence == report.dossier.exchange.response else "request"
        found += _steps_of_message(evidence, half)
    refusal = report.dossier.refusal
    if refusal is not None:
        content = refusal.refusal.content
        found.append(Step("refusal_recorded", from_epoch_ms(content.time_ms), "server"))
        if content.until_ms > content.time_ms:
            found.append(Step("refusal_last", from_epoch_ms(content.until_ms), "server"))
    return sorted(found, key=lambda step: step.time)


def duration_of(report: Report) -> timedelta | None:
    """Return how long the exchange took as this server recorded it."""
    times = [message.entry.time for message in report.dossier.messages if message.entry is not None]
    return times[1] - times[0] if len(times) == 2 else None


def _steps_of_message(evidence: Evidence, half: str) -> Iterator[Step]:
    proof, entry = evidence.proof, evidence.signed.entry
    verdict = None if proof is None or proof.examination is None else proof.examination.verdict
    if verdict is not None:
        yield Step(f"{half}_signed", verdict.signing_time, "signer", str(verdict.signer))
    if entry is not None:
        yield Step(f"{half}_recorded", entry.time, "server")
    if verdict is not None:
        yield Step(f"{half}_stamped", verdict.time, "authority", subject_of(verdict.authority))
    elif entry is not None and entry.stamped_at is not None:
        yield Step(f"{half}_stamped", entry.stamped_at, "server")
