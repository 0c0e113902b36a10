"""Evidence as JSON: what the API answers and commands print with `--json`; names do not depend on the language."""

from __future__ import annotations

import base64
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from gateway.auditing.deps import Inclusion
from gateway.auditing.dossier import Dossier, Proof, Signed
from gateway.auditing.export_job import ExportJob
from gateway.auditing.export_texts import count_facts, exchange_facts, refusal_facts
from gateway.auditing.model import Entry, SourceStatus
from gateway.auditing.query_facts import facts_of
from gateway.auditing.readable import Readable
from gateway.auditing.sample import ALGORITHM, Sample
from gateway.auditing.verdicts import check_facts, check_text, verdict_facts
from gateway.messagelog.archive.records import build_line
from gateway.messagelog.completeness.model import Completeness
from gateway.runtime.texts import render
from gateway.xroad.asic.verdict import Examination
from gateway.xroad.faults import XRoadFault


def time_of(at: datetime | None) -> str | None:
    """Return a time in UTC with milliseconds."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment(at: datetime) -> str:
    return time_of(at) or ""


def entry_shape(entry: Entry) -> dict[str, Any]:
    """Return what is known of a signed message, without its content."""
    return {
        "sequence": entry.sequence,
        "time": time_of(entry.time),
        "side": entry.side.value,
        "kind": "response" if entry.is_response else "request",
        "query_id": entry.query_id,
        "x_request_id": entry.x_request_id,
        "client": str(entry.client),
        "service": str(entry.service),
        "size": len(entry.message),
        "is_whole": entry.is_whole,
        "attachments": [
            {"number": number, "size": size, "kept": number in entry.attachments}
            for number, size in sorted({**entry.omitted, **entry.attachments}.items())
        ],
        "stamped_at": time_of(entry.stamped_at),
        "authority": entry.authority,
        "archive_file": entry.archive_file,
    }


def part_shape(part: Readable) -> dict[str, Any]:
    """Return a part of a message as people read it."""
    return {
        "name": part.name,
        "kind": part.kind.value,
        "size": part.size,
        "is_masked": part.is_masked,
        "masked_fields": list(part.masked_fields),
        "text": part.text,
    }


def signed_shape(signed: Signed | None, language: str) -> dict[str, Any] | None:
    """Return a message of an exchange, or why it cannot be read."""
    if signed is None:
        return None
    if signed.entry is not None:
        return entry_shape(signed.entry)
    return {
        "sequence": signed.sequence,
        "unreadable": None if signed.fault is None else fault_shape(signed.fault, language),
    }


def dossier_shape(found: Dossier, language: str) -> dict[str, Any]:
    """Return an exchange with what belongs to it."""
    return {
        **exchange_facts(found.exchange),
        "entries": {
            "request": signed_shape(found.request, language),
            "response": signed_shape(found.response, language),
            "refusal": None if found.refusal is None else refusal_facts(found.refusal),
        },
        "related": [exchange_facts(other) for other in found.related],
    }


def proof_shape(proof: Proof, language: str) -> dict[str, Any]:
    """Return a verdict with every check."""
    examination = proof.examination
    verdict = None if examination is None else examination.verdict
    result = "undecided" if examination is None else "valid" if proof.holds else "invalid"
    return {
        "sequence": proof.sequence,
        "container": proof.document.name,
        "result": result,
        "fault": None if proof.fault is None else fault_shape(proof.fault, language),
        "checks": [] if examination is None else _check_shapes(examination, language),
        "verdict": None if verdict is None else verdict_facts(verdict, _moment),
    }


def _check_shapes(examination: Examination, language: str) -> list[dict[str, Any]]:
    facts = zip(examination.checks, check_facts(examination), strict=True)
    return [{**fact, "text": check_text(check, language)} for check, fact in facts]


def status_shape(status: SourceStatus) -> dict[str, Any]:
    """Return how complete and how healthy a source is."""
    stamping, growth = status.stamping, status.growth
    return {
        "name": status.name,
        "first_sequence": status.first_sequence,
        "last_sequence": status.last_sequence,
        "indexed_through": status.indexed_through,
        "checkpoint": None
        if status.checkpoint_size is None
        else {"size": status.checkpoint_size, "time": time_of(status.checkpoint_at)},
        "stamping": None
        if stamping is None
        else {
            "unstamped": stamping.unstamped,
            "oldest_unstamped_at": time_of(stamping.oldest_unstamped_at),
            "failing_since": time_of(stamping.failing_since),
            "refuses_at": time_of(stamping.refuses_at),
        },
        "growth": None
        if growth is None
        else {
            "log_bytes": growth.log_bytes,
            "free_bytes": growth.free_bytes,
            "bytes_per_day": growth.bytes_per_day,
            "entries_per_day": growth.entries_per_day,
            "days_left": growth.days_left,
        },
        "uncounted_refusals": status.uncounted_refusals,
    }


def sample_shape(sample: Sample) -> dict[str, Any]:
    """Return a sample with all that is needed to draw it again."""
    return {
        "algorithm": ALGORITHM,
        "seed": sample.seed,
        "size": sample.size,
        "population": sample.population,
        "through": sample.through,
        "items": [exchange_facts(exchange) for exchange in sample.exchanges],
    }


def job_shape(job: ExportJob, language: str) -> dict[str, Any]:
    """Return how an export stands."""
    return {
        "id": job.id,
        "state": job.state.value,
        "query": facts_of(job.query),
        "scope": sorted(job.scope.names),
        "grounds": job.grounds,
        "created_at": time_of(job.created_at),
        "finished_at": time_of(job.finished_at),
        "total": job.total,
        "done": job.done,
        "counts": count_facts(job.reached.counts),
        "size": job.size,
        "sha256": job.sha256,
        "failure": None
        if job.failure is None
        else {"code": job.failure, "text": render(job.failure, job.facts, language)},
    }


def inclusion_shape(inclusion: Inclusion, note: bytes) -> dict[str, Any]:
    """Return the proof that an entry is in the ledger of a checkpoint."""
    return {
        "sequence": inclusion.sequence,
        "size": inclusion.size,
        "leaf": _base64(inclusion.leaf),
        "hashes": [_base64(one) for one in inclusion.hashes],
        "fact": None if inclusion.fact is None else build_line(inclusion.fact).decode().rstrip("\n"),
        "checkpoint": note.decode(),
    }


def completeness_shape(found: Completeness, language: str) -> dict[str, Any]:
    """Return what checkpoints say about the log."""
    return {
        "holds": found.holds,
        "last": found.last,
        "counts": asdict(found.counts),
        "against": [
            {
                "origin": str(one.origin),
                "size": one.size,
                "root": one.root.hex(),
                "time": time_of(one.time),
                "proven_at": time_of(one.proven_at),
                "has_leaves": one.has_leaves,
            }
            for one in found.against
        ],
        "findings": [
            {
                "kind": finding.kind.value,
                "first": finding.first,
                "last": finding.last,
                "text": finding.sentence(language),
            }
            for finding in found.findings
        ],
        "more": found.more,
        "untold": [list(one) for one in found.untold],
    }


def fault_shape(fault: XRoadFault, language: str) -> dict[str, Any]:
    """Return why something does not hold or cannot be told."""
    return {"code": fault.code, "text": render(fault.text_id, fault.facts, language)}


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
