"""What the verification of a container says: as lines for people in either language, and as facts for programs.

Names of facts do not depend on the language. Texts out of a message are their sender's, so `printable` keeps
them from writing lines or colours of their own where a terminal shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from gateway.runtime.texts import render
from gateway.xroad.asic.verdict import AttachmentState, Check, Examination, Outcome, Verdict
from gateway.xroad.faults import XRoadFault
from gateway.xroad.pki.certificates import sha256_of, subject_of

# Writes a time; each kind of answer has its own way.
WriteTime = Callable[[datetime], str]


def verdict_lines(verdict: Verdict, language: str) -> Iterator[str]:
    """Yield what was proven: who signed what, when it existed, and what that rests on."""

    def text(text_id: str, **facts: object) -> str:
        return render(f"asic.verify.{text_id}", facts, language)

    yield text("signer", signer=verdict.signer, subject=verdict.subject)
    direction = text(f"direction.{verdict.direction.value}")
    yield text(
        "message",
        kind=verdict.kind.value,
        direction=direction,
        id=verdict.id,
        client=verdict.client,
        service=verdict.service,
    )
    if verdict.message is not AttachmentState.VERIFIED:
        yield text("body_not_logged")
    yield text("time", time=verdict.time.isoformat(), authority=subject_of(verdict.authority))
    yield text("signing_time", time=verdict.signing_time.isoformat())
    for certificate, status in zip(verdict.path, verdict.statuses, strict=False):
        yield text(
            "status",
            subject=subject_of(certificate),
            produced_at=status.produced_at.isoformat(),
            responder=subject_of(status.responder),
        )
    for attachment in verdict.attachments:
        kept = attachment.state is AttachmentState.VERIFIED
        digest = f"{attachment.digest.algorithm.label} {attachment.digest.hex}"
        yield text("attachment_verified" if kept else "attachment_digest_only", name=attachment.name, digest=digest)


def check_lines(examination: Examination, language: str) -> Iterator[str]:
    """Yield every check with its outcome and what it measured."""
    for check in examination.checks:
        outcome = render(f"asic.outcome.{check.outcome.value}", {}, language)
        yield f"[{outcome}] {check_text(check, language)}{_in_brackets(check)}"


def check_text(check: Check, language: str) -> str:
    """Return what a check is."""
    return render(f"asic.check.{check.name.value}", {}, language)


def measured(check: Check) -> str:
    """Return what a check measured, in one line."""
    return ", ".join(str(value) for value in check.facts.values())


def reason_of(fault: XRoadFault | None, language: str) -> str:
    """Return the sentence of a fault."""
    return "-" if fault is None else render(fault.text_id, fault.facts, language)


def printable(line: str) -> str:
    """Return a line that writes nothing but itself."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)


def check_facts(examination: Examination) -> list[dict[str, Any]]:
    """Return every check as a JSON object."""
    return [
        {
            "name": check.name.value,
            "outcome": check.outcome.value,
            "facts": {name: str(value) for name, value in check.facts.items()},
        }
        for check in examination.checks
    ]


def verdict_facts(verdict: Verdict, write_time: WriteTime = datetime.isoformat) -> dict[str, Any]:
    """Return what was proven as a JSON object."""
    return {
        "signer": str(verdict.signer),
        "member": str(verdict.member),
        "certificate": {
            "subject": verdict.subject,
            "serial": str(verdict.certificate.serial_number),
            "sha256": sha256_of(verdict.certificate),
        },
        "message": {
            "kind": verdict.kind.value,
            "direction": verdict.direction.value,
            "id": verdict.id,
            "state": verdict.message.value,
            "client": str(verdict.client),
            "service": str(verdict.service),
        },
        "signing_time": write_time(verdict.signing_time),
        "timestamp": {
            "time": write_time(verdict.time),
            "authority": subject_of(verdict.authority),
            "batch": verdict.is_batch_timestamp,
        },
        "statuses": [
            {
                "subject": subject_of(certificate),
                "this_update": write_time(status.this_update),
                "produced_at": write_time(status.produced_at),
                "responder": subject_of(status.responder),
            }
            for certificate, status in zip(verdict.path, verdict.statuses, strict=False)
        ],
        "attachments": [
            {
                "name": attachment.name,
                "state": attachment.state.value,
                "algorithm": attachment.digest.algorithm.label,
                "digest": attachment.digest.hex,
            }
            for attachment in verdict.attachments
        ],
    }


def _in_brackets(check: Check) -> str:
    return f" ({measured(check)})" if check.outcome is Outcome.PASSED and check.facts else ""
