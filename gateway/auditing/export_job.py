"""Facts of an export and their form on disk: what was asked for by whom, and how far it is.

`job.json` in the folder of an export is replaced in one step whenever what it says has reached the
disk, so after a crash an export goes on from what it says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from gateway.auditing.model import Query, Scope
from gateway.auditing.query_facts import facts_of, query_of
from gateway.auditing.zip_stream import Position
from gateway.runtime.durable_files import write_durably

JOB_FILE: Final = "job.json"
ZIP_FILE: Final = "export.zip"
_MODE: Final = 0o600


class State(StrEnum):
    """How an export stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Counts:
    """What went into an export so far; `missing` are entries that cannot be read now."""

    exchanges: int = 0
    containers: int = 0
    refusals: int = 0
    missing: int = 0
    unproven: int = 0  # entries newer than the checkpoint


@dataclass(frozen=True, slots=True)
class Reached:
    """What is on the disk: the last exchange written, and the length of each file."""

    last_id: int = 0
    counts: Counts = field(default_factory=Counts)
    zip: Position = field(default_factory=Position)
    parts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExportJob:
    """An export of a search. Exchanges after `through` came later than it and are left out.

    `failure` is a text id, `facts` what belongs to it. `checkpoint` is the note the proofs lead to.
    """

    id: str
    owner: str
    scope: Scope
    query: Query
    grounds: str
    created_at: datetime
    through: int
    indexed_through: int
    checkpoint: str | None = None
    state: State = State.WAITING
    total: int | None = None
    reached: Reached = field(default_factory=Reached)
    size: int | None = None
    sha256: str | None = None
    finished_at: datetime | None = None
    failure: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """How many exchanges were written."""
        return self.reached.counts.exchanges

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in (State.DONE, State.FAILED)


def write_job(folder: Path, job: ExportJob) -> None:
    """Put a job on the disk. Raises OSError when it cannot be."""
    write_durably(folder / JOB_FILE, json.dumps(_printed(job), ensure_ascii=False).encode(), mode=_MODE)


def read_job(folder: Path) -> ExportJob | None:
    """Return the job in a folder, None when there is none that can be read."""
    try:
        return _parsed(json.loads((folder / JOB_FILE).read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _printed(job: ExportJob) -> dict[str, Any]:
    facts = asdict(job)
    return facts | {
        "scope": sorted(job.scope.names),
        "query": facts_of(job.query),
        "created_at": job.created_at.isoformat(),
        "finished_at": None if job.finished_at is None else job.finished_at.isoformat(),
    }


def _parsed(facts: dict[str, Any]) -> ExportJob:
    reached = facts["reached"]
    finished_at = facts["finished_at"]
    return ExportJob(
        **{
            **facts,
            "scope": Scope(frozenset(facts["scope"])),
            "query": query_of(facts["query"]),
            "created_at": datetime.fromisoformat(facts["created_at"]),
            "finished_at": None if finished_at is None else datetime.fromisoformat(finished_at),
            "state": State(facts["state"]),
            "reached": Reached(
                reached["last_id"], Counts(**reached["counts"]), Position(**reached["zip"]), dict(reached["parts"])
            ),
        }
    )
