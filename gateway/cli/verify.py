"""`surma verify`: is this container genuine? Offline, with nothing but a configuration.

Names every check with its outcome, who signed, when it existed and what the certificate status rests
on. Exit status: 0 every container is valid, 1 one is not, 2 one could not be decided: the file cannot
be read, or there is no configuration to verify it with.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.verification_configuration import Choose, Chosen, configuration_in, configurations_of
from gateway.runtime.texts import render
from gateway.xroad.asic.verdict import AttachmentState, Check, Examination, Outcome, Verdict
from gateway.xroad.asic.verify import examine_container
from gateway.xroad.faults import ConfigurationUnusable, XRoadFault
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.pki.certificates import sha256_of, subject_of


class Exit(IntEnum):
    """The exit status of the command."""

    VALID = 0
    INVALID = 1
    UNDECIDED = 2


@dataclass(frozen=True, slots=True)
class Report:
    """What was found about one file; without examination it could not be decided."""

    path: Path
    examination: Examination | None
    chosen: Chosen | None
    fault: XRoadFault | None

    @property
    def exit(self) -> Exit:
        """What this file alone says."""
        if self.examination is None:
            return Exit.UNDECIDED
        return Exit.INVALID if self.fault is not None else Exit.VALID


def verify(
    files: Annotated[list[Path], typer.Argument(help="Containers (.asice) to verify.")],
    conf: Annotated[
        Path | None,
        typer.Option("--conf", help="Folder or zip from /verificationconf, or a configuration client's folder."),
    ] = None,
    history: Annotated[
        Path | None, typer.Option("--history", help="Configuration history of a server; the one in force is chosen.")
    ] = None,
    anchor: Annotated[Path | None, typer.Option("--anchor", help="Anchor that proves the history.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    language: Annotated[str, typer.Option("--language", help="Language of the texts: en or uk.")] = "en",
) -> None:
    """Verify signed containers offline: 0 valid, 1 not valid, 2 cannot tell."""
    try:
        choose = _choose(conf, history, anchor)
    except XRoadFault as fault:
        reports = [Report(path, None, None, fault) for path in files]
    else:
        reports = [examine_file(path, choose) for path in files]
    if as_json:
        typer.echo(json.dumps({"results": [facts_of(r, language) for r in reports]}, ensure_ascii=False, indent=2))
    else:
        typer.echo("\n\n".join("\n".join(map(_printable, lines_of(report, language))) for report in reports))
    exits = {report.exit for report in reports}
    raise typer.Exit(Exit.INVALID if Exit.INVALID in exits else max(exits))


def _choose(conf: Path | None, history: Path | None, anchor: Path | None) -> Choose:
    if conf is not None and history is None and anchor is None:
        return configuration_in(conf)
    if conf is None and history is not None and anchor is not None:
        return configurations_of(history, anchor)
    raise ConfigurationUnusable("malformed_global_conf", "asic.verify.choose_configuration")


def examine_file(path: Path, choose: Choose) -> Report:
    """Verify one container with the configuration that was in use when it was stamped."""
    try:
        data = _map(path)
    except OSError as cause:
        reason = cause.strerror or type(cause).__name__
        fault = ConfigurationUnusable("io_error", "asic.verify.file_unreadable", path=path, reason=reason)
        return Report(path, None, None, fault)
    chosen: list[Chosen] = []

    def trust(time: datetime | None) -> GlobalConf:
        chosen.append(choose(time))
        return chosen[0].globalconf

    try:
        examination = examine_container(data, trust)
    except XRoadFault as fault:
        return Report(path, None, None, fault)
    return Report(path, examination, chosen[0], examination.fault)


def _map(path: Path) -> bytes | memoryview:
    # A container may hold a gigabyte of attachments: they are hashed from the file, not from memory.
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return b""
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


# For people


def lines_of(report: Report, language: str) -> Iterator[str]:
    """Yield what a person reads about one file."""

    def text(text_id: str, **facts: object) -> str:
        return render(f"asic.{text_id}", facts, language)

    fault = report.fault
    if report.examination is None or report.chosen is None:
        yield f"{report.path}: {text('verify.unknown', reason=_reason(fault, language))}"
        return
    verdict = report.examination.verdict
    if verdict is None:
        code = "-" if fault is None else fault.code
        yield f"{report.path}: {text('verify.invalid', reason=_reason(fault, language), code=code)}"
    else:
        yield f"{report.path}: {text('verify.valid')}"
        yield from (f"  {line}" for line in _verdict_lines(verdict, language))
    line = text("verify.configuration", instance=report.chosen.globalconf.instance, source=report.chosen.source)
    if report.chosen.used_from is not None:
        until = report.chosen.used_until
        shown = text("verify.still") if until is None else until.isoformat()
        line += f"; {text('verify.in_use', since=report.chosen.used_from.isoformat(), until=shown)}"
    yield f"  {line}"
    for check in report.examination.checks:
        yield f"  [{text(f'outcome.{check.outcome.value}')}] {text(f'check.{check.name.value}')}{_measured(check)}"


def _verdict_lines(verdict: Verdict, language: str) -> Iterator[str]:
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


def _printable(line: str) -> str:
    # Names in a message are the sender's: they must not be able to write lines or colours of their own.
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)


def _reason(fault: XRoadFault | None, language: str) -> str:
    return "-" if fault is None else render(fault.text_id, fault.facts, language)


def _measured(check: Check) -> str:
    if check.outcome is not Outcome.PASSED or not check.facts:
        return ""
    return f" ({', '.join(str(value) for value in check.facts.values())})"


# For programs


def facts_of(report: Report, language: str) -> dict[str, Any]:
    """Return the same as a JSON object; names do not depend on the language."""
    facts: dict[str, Any] = {"file": str(report.path), "result": report.exit.name.lower()}
    if report.fault is not None:
        facts |= {"code": report.fault.code, "text": _reason(report.fault, language)}
    if report.chosen is not None:
        facts["configuration"] = {
            "instance": report.chosen.globalconf.instance,
            "source": report.chosen.source,
            "used_from": _time(report.chosen.used_from),
            "used_until": _time(report.chosen.used_until),
        }
    if report.examination is not None:
        facts["checks"] = [
            {
                "name": check.name.value,
                "outcome": check.outcome.value,
                "facts": {name: str(value) for name, value in check.facts.items()},
            }
            for check in report.examination.checks
        ]
        if report.examination.verdict is not None:
            facts |= _verdict_facts(report.examination.verdict)
    return facts


def _verdict_facts(verdict: Verdict) -> dict[str, Any]:
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
            "client": str(verdict.client),
            "service": str(verdict.service),
        },
        "signing_time": _time(verdict.signing_time),
        "timestamp": {
            "time": _time(verdict.time),
            "authority": subject_of(verdict.authority),
            "batch": verdict.is_batch_timestamp,
        },
        "statuses": [
            {
                "subject": subject_of(certificate),
                "this_update": _time(status.this_update),
                "produced_at": _time(status.produced_at),
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


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
