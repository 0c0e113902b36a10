"""Archiving as a server does it: now and then and when asked, with retention and transfer after it.

What fails is told, and tried again with growing pauses; nothing is removed from the log meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.messagelog import store
from gateway.messagelog.archive import journal
from gateway.messagelog.archive.archiver import Tally
from gateway.messagelog.archive.order import ArchiveOrder, show_order
from gateway.messagelog.archive.process import run_archiver
from gateway.messagelog.archive.retention import Removed, remove_archived
from gateway.messagelog.archive.transfer import Transfer, TransferFailure
from gateway.messagelog.recorder import MessageLog
from gateway.runtime.clock import Clock
from gateway.runtime.group_commit import CommitUnavailable
from gateway.runtime.periodic import Periodic
from gateway.xroad.faults import LoggingUnavailable, XRoadFault

log = logging.getLogger(__name__)

FIRST_RUN_S: Final = 300.0
RETRY_S: Final = 60.0
MAX_RETRY_S: Final = 3600.0
_NEVER_S: Final = 365 * 24 * 3600.0
_SHOWN_UNVERIFIED: Final = 20


@dataclass(frozen=True, slots=True)
class ArchiveState:
    """How archiving does; `finished_runs` counts since the start of the server, `failure` is the last run's.

    `waiting_file` is ready but could not be brought to its place yet; `unverified` are the first entries
    that are not safe in an archive, with the reason.
    """

    place: str
    is_running: bool
    finished_runs: int
    finished_at: datetime | None
    archived_through: int
    archivable_through: int
    last_sequence: int
    files: int
    tally: Tally
    removed: Removed
    failure: XRoadFault | None
    transfer_failure: TransferFailure | None
    waiting_file: str | None
    unverified_count: int
    unverified: tuple[tuple[int, str], ...]


class ArchiveService:
    """Archives one message log."""

    def __init__(self, message_log: MessageLog, order: ArchiveOrder, clock: Clock) -> None:
        self._log = message_log
        self._order = order
        self._settings = order.settings
        self._clock = clock
        self._transfer = Transfer(message_log, order.settings, clock)
        self._transfers = Periodic(
            "archive transfer",
            _NEVER_S,
            self._transfer.tell_files,
            retry_s=RETRY_S,
            max_retry_s=MAX_RETRY_S,
            expected=(LoggingUnavailable, CommitUnavailable),
        )
        self._periodic = Periodic(
            "archiving",
            self._settings.interval_s or _NEVER_S,
            self.run,
            first_delay_s=min(self._settings.interval_s, FIRST_RUN_S) or _NEVER_S,
            retry_s=RETRY_S,
            max_retry_s=MAX_RETRY_S,
            expected=(LoggingUnavailable, CommitUnavailable),
        )
        self._turn = asyncio.Lock()
        self._tally = Tally()
        self._removed = Removed()
        self._finished_runs = 0
        self._finished_at: datetime | None = None
        self._failure: XRoadFault | None = None

    def start(self) -> None:
        """Begin to archive by itself."""
        self._transfers.start()
        self._periodic.start()

    def trigger(self) -> None:
        """Archive as soon as possible."""
        self._periodic.trigger()

    async def stop(self) -> None:
        """Stop; a run in progress is broken off, and the next one takes it up."""
        await self._periodic.stop()
        await self._transfers.stop()

    async def run(self) -> Tally:
        """Archive everything that is time-stamped, remove what is old enough, and return what was archived.

        Raises LoggingUnavailable or CommitUnavailable when something stood in the way.
        """
        async with self._turn:
            self._tally = Tally()
            try:
                tally = await self._run()
            except XRoadFault as fault:
                self._failure = fault
                raise
            except CommitUnavailable as cause:
                self._failure = LoggingUnavailable("internal_error", "archive.cannot_commit", reason=str(cause))
                raise
            else:
                self._failure = None
                return tally
            finally:
                self._finished_runs += 1
                self._finished_at = self._clock.now()

    @property
    def failure(self) -> XRoadFault | None:
        """What stood in the way of the last run."""
        return self._failure

    async def finish_transfers(self) -> None:
        """Run the transfer command for what it was not run for yet. Raises LoggingUnavailable."""
        await self._transfer.tell_files()

    async def state(self) -> ArchiveState:
        """Return how archiving does."""
        return await asyncio.to_thread(self._read_state)

    async def _run(self) -> Tally:
        tally = await run_archiver(
            self._log, show_order(self._order), progress=self._note, delivered=self._transfers.trigger
        )
        self._note(tally)
        if tally.entries:
            log.info(
                "records were archived",
                extra={"entries": tally.entries, "files": tally.files, "archived_through": tally.archived_through},
            )
        self._removed = await remove_archived(self._log, self._clock.now(), self._settings.keep_records_for_days)
        if tally.files:
            try:
                await self._transfer.tell_end(self._order.place)
            except LoggingUnavailable as fault:
                log.error("the transfer command failed at the end of a run: %s", fault)
        return tally

    def _note(self, tally: Tally) -> None:
        self._tally = tally

    def _read_state(self) -> ArchiveState:
        with self._log.database.reading() as connection:
            staged = journal.read_files(connection, is_delivered=False)
            return ArchiveState(
                place=self._order.place,
                is_running=self._turn.locked(),
                finished_runs=self._finished_runs,
                finished_at=self._finished_at,
                archived_through=journal.read_archived_through(connection),
                archivable_through=journal.read_archivable_through(connection),
                last_sequence=store.read_last_sequence(connection),
                files=journal.count_files(connection),
                tally=self._tally,
                removed=self._removed,
                failure=self._failure,
                transfer_failure=self._transfer.failure,
                waiting_file=staged[0].name if staged else None,
                unverified_count=journal.count_unverified(connection),
                unverified=tuple(journal.read_unverified(connection, _SHOWN_UNVERIFIED)),
            )
