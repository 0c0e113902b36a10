"""Checks of completeness in the background: one at a time for each auditor, followed on a page until they are over.

A check reads the whole log, so it cannot be answered at once; what it found is kept until the program
ends. Its findings go to whoever asked, and to nobody else.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from gateway.auditing.desk import Desk
from gateway.messagelog.completeness.model import Completeness
from gateway.xroad.faults import XRoadFault

log = logging.getLogger(__name__)

MAX_KEPT: Final = 20  # of one auditor
MAX_RUNNING: Final = 2  # of all: each reads the log from beginning to end


class Busy(Exception):  # noqa: N818
    """A check of this auditor, or too many of others, are running."""


@dataclass(slots=True)
class LogCheck:
    """One check; what it changes while it runs is how far it is, and at the end what came of it."""

    id: str
    owner: str
    file_name: str
    started_at: datetime
    size: int
    done: int = 0
    total: int = 0
    finished_at: datetime | None = None
    found: Completeness | None = None
    fault: XRoadFault | None = None
    failure: str | None = None  # leads to the line in the log

    @property
    def state(self) -> str:
        """How it stands: running, holds, differs, refused or failed."""
        if self.finished_at is None:
            return "running"
        if self.found is not None:
            return "holds" if self.found.holds else "differs"
        return "refused" if self.fault is not None else "failed"

    def hear(self, done: int, total: int) -> None:
        """Note how far it is."""
        self.done, self.total = done, total


@dataclass(slots=True)
class LogChecks:
    """The checks of one program."""

    _checks: dict[str, LogCheck] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self, desk: Desk, note: bytes, file_name: str, size: int) -> LogCheck:
        """Begin a check. Raises Busy."""
        running = [check for check in self._checks.values() if check.finished_at is None]
        if len(running) >= MAX_RUNNING or any(check.owner == desk.user for check in running):
            raise Busy
        self._forget(desk.user)
        check = LogCheck(secrets.token_hex(8), desk.user, file_name, desk.deps.clock.now(), size)
        self._checks[check.id] = check
        task = asyncio.get_running_loop().create_task(_run(check, desk, note), name="check of completeness")
        self._tasks.add(task)  # or it might be collected while it runs
        task.add_done_callback(self._tasks.discard)
        return check

    def of(self, owner: str) -> list[LogCheck]:
        """Return the checks of an auditor, newest first."""
        mine = [check for check in self._checks.values() if check.owner == owner]
        return sorted(mine, key=lambda check: check.started_at, reverse=True)

    def find(self, check_id: str, owner: str) -> LogCheck | None:
        """Return one of them."""
        check = self._checks.get(check_id)
        return check if check is not None and check.owner == owner else None

    def _forget(self, owner: str) -> None:
        for check in self.of(owner)[MAX_KEPT - 1 :]:
            del self._checks[check.id]


async def _run(check: LogCheck, desk: Desk, note: bytes) -> None:
    try:
        check.found = await desk.completeness(note, check.hear)
    except XRoadFault as fault:
        check.fault = fault
    except Exception:
        check.failure = str(uuid.uuid4())
        log.exception("check of completeness failed", extra={"detail": check.failure})
    finally:
        check.finished_at = desk.deps.clock.now()
