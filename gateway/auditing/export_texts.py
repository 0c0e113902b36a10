"""What people read in an export: tables for spreadsheets, and a summary; in English and Ukrainian.

Texts in the log are the callers': one that begins like a formula is marked, so that no spreadsheet
carries it out.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from gateway.auditing.export_job import Counts, ExportJob
from gateway.auditing.model import Exchange, RefusalEntry
from gateway.auditing.query_facts import facts_of
from gateway.messagelog.reasons import explain
from gateway.runtime.clock import from_epoch_ms
from gateway.runtime.texts import LANGUAGES, render
from gateway.xroad.faults import XRoadFault

SHOWN_PAIRS: Final = 20
MAX_PAIRS: Final = 10_000  # of client and service that are counted apart
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
# Spreadsheets split at the list separator of the reader's language.
_DELIMITERS: Final = {"en": ",", "uk": ";"}
_BYTE_ORDER_MARK: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"  # or they read UTF-8 as something else

_COLUMNS: Final[Mapping[str, Callable[[Exchange, str], object]]] = {
    "auditing.export.column.number": lambda e, _: e.id,
    "auditing.export.column.time": lambda e, _: e.time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
    "audit.field.side": lambda e, language: render(f"audit.side.{e.side.value}", {}, language),
    "audit.field.client": lambda e, _: e.client,
    "audit.field.service": lambda e, _: e.service or e.provider,
    "audit.field.outcome": lambda e, language: render(f"audit.outcome.{e.outcome.value}", {}, language),
    "audit.field.fault_code": lambda e, _: e.fault_code,
    "auditing.export.column.count": lambda e, _: e.count,
    "audit.field.issue": lambda e, _: e.issue,
    "audit.field.purpose": lambda e, _: e.purpose,
    "audit.field.user_id": lambda e, _: e.user_id,
    "audit.field.represented_party": lambda e, _: e.represented_party,
    "audit.field.query_id": lambda e, _: e.query_id,
    "audit.field.x_request_id": lambda e, _: e.x_request_id,
    "auditing.export.column.request": lambda e, _: e.request,
    "auditing.export.column.response": lambda e, _: e.response,
    "auditing.export.column.refusal": lambda e, _: e.refusal,
}


# Tables


def csv_header(language: str) -> bytes:
    """Return the first line of a table."""
    return (_BYTE_ORDER_MARK + _row([render(name, {}, language) for name in _COLUMNS], language)).encode()


def csv_line(exchange: Exchange, language: str) -> bytes:
    """Return the line of an exchange."""
    return _row([_cell(value(exchange, language)) for value in _COLUMNS.values()], language).encode()


def exchange_facts(exchange: Exchange) -> dict[str, Any]:
    """Return an exchange as JSON values."""
    facts = {field.name: getattr(exchange, field.name) for field in fields(exchange)}
    return facts | {
        "time": _iso(exchange.time),
        "side": exchange.side.value,
        "outcome": exchange.outcome.value,
    }


def refusal_facts(found: RefusalEntry) -> dict[str, Any]:
    """Return a refusal as JSON values, with its sentence in both languages."""
    refusal = found.refusal
    said = refusal.content
    facts = said._asdict() | {
        "side": said.side.value,
        "message_digest": None if said.message_digest is None else said.message_digest.hex(),
        "facts": measured_in(said.facts),
    }
    return {
        "sequence": refusal.sequence,
        "time": _iso(from_epoch_ms(said.time_ms)),
        "until": _iso(from_epoch_ms(said.until_ms)),
        **facts,
        "text": {language: explain(said, language) for language in LANGUAGES},
        "content_hash": refusal.content_hash.hex(),
        "previous_hash": refusal.previous_hash.hex(),
        "record_hash": refusal.record_hash.hex(),
        "archive_file": found.archive_file,
    }


def measured_in(facts: str) -> dict[str, Any]:
    """Return the facts of a refusal, empty when they cannot be read."""
    try:
        found = json.loads(facts)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def reason_facts(fault: XRoadFault | None) -> dict[str, Any]:
    """Return why an entry could not be read."""
    text_id, facts = ("auditing.export.not_there", {}) if fault is None else (fault.text_id, fault.facts)
    return {
        "code": "not_found" if fault is None else fault.code,
        "text": {language: render(text_id, facts, language) for language in LANGUAGES},
    }


def count_facts(counts: Counts) -> dict[str, int]:
    """Return counts as JSON values."""
    return asdict(counts)


# The summary


@dataclass(frozen=True, slots=True)
class Tally:
    """How many exchanges ended how, and who asked whom most."""

    outcomes: Mapping[str, int]
    pairs: tuple[tuple[str, str, int], ...]


def tally_of(path: Path) -> Tally:
    """Count the exchanges in a file of their facts, in bounded memory; floods count as often as they came."""
    outcomes: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    with path.open("rb") as lines:
        for line in lines:
            facts = json.loads(line)
            outcomes[facts["outcome"]] += facts["count"]
            pair = (facts["client"] or "-", facts["service"] or facts["provider"] or "-")
            if pair in pairs or len(pairs) < MAX_PAIRS:
                pairs[pair] += facts["count"]
    return Tally(outcomes, tuple((*pair, count) for pair, count in pairs.most_common(SHOWN_PAIRS)))


def summary(job: ExportJob, server: str, tally: Tally, size: int | None, language: str) -> str:
    """Return the text that explains an export; `size` is that of its checkpoint."""

    def text(name: str, **facts: object) -> str:
        return render(f"auditing.export.{name}", facts, language)

    counts = job.reached.counts
    lines = [
        text("title"),
        "",
        text("server", server=server),
        text("made", owner=job.owner, asked_at=_iso(job.created_at), id=job.id),
        text("grounds", grounds=job.grounds),
        text("scope_all") if job.scope.is_everything else text("scope", names=", ".join(sorted(job.scope.names))),
        text("query_all") if job.query.is_empty else text("query"),
        *(f"  {render(f'audit.field.{name}', {}, language)}: {value}" for name, value in facts_of(job.query).items()),
        "",
        text("counts", exchanges=counts.exchanges, containers=counts.containers, refusals=counts.refusals),
    ]
    if counts.missing:
        lines.append(text("missing", missing=counts.missing))
    if job.indexed_through < job.through:
        lines.append(text("behind", behind=job.through - job.indexed_through))
    if tally.outcomes:
        lines += ["", text("outcomes")]
        lines += [
            f"  {render(f'audit.outcome.{name}', {}, language)}: {count}"
            for name, count in sorted(tally.outcomes.items())
        ]
        lines += ["", text("services", count=len(tally.pairs))]
        lines += [f"  {client} -> {service}: {count}" for client, service, count in tally.pairs]
    proofs = text("no_proofs") if size is None else text("proofs", size=size, unproven=counts.unproven)
    lines += ["", text("verify"), proofs, text("personal"), ""]
    return "\n".join(lines)


def _row(cells: list[object] | list[str], language: str) -> str:
    line = io.StringIO()
    csv.writer(line, delimiter=_DELIMITERS[language], lineterminator="\r\n").writerow(cells)
    return line.getvalue()


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
