"""Tell somebody's own program of each archive file, and of the end of a run (X-Road archive-transfer-command).

The program is run as it stands in the settings, through no shell unless that is what it names. Files are
told in the order in which they were made; one that failed is told again before the next. The file
itself is never touched: what becomes of it is for the program.
"""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.messagelog import store
from gateway.messagelog.archive.journal import read_files
from gateway.messagelog.archive.model import ArchiveSettings, StoredFile
from gateway.messagelog.archive.names import parse_archive_name
from gateway.messagelog.recorder import MessageLog
from gateway.messagelog.writer import SetState
from gateway.runtime.clock import Clock
from gateway.xroad.faults import LoggingUnavailable

log = logging.getLogger(__name__)

STATE_TRANSFERRED_THROUGH: Final = "archives_transferred_through"
_MAX_COMPLAINT: Final = 2000


@dataclass(frozen=True, slots=True)
class TransferFailure:
    """What the program said when it failed."""

    file: str
    at: datetime
    reason: str


class Transfer:
    """Runs the program for files that it was not run for yet."""

    def __init__(self, message_log: MessageLog, settings: ArchiveSettings, clock: Clock) -> None:
        self._log = message_log
        self._settings = settings
        self._clock = clock
        self._turn = asyncio.Lock()
        self.failure: TransferFailure | None = None

    async def tell_files(self) -> None:
        """Run the program for each new file. Raises LoggingUnavailable when it fails, CommitUnavailable."""
        async with self._turn:
            for file in await asyncio.to_thread(self._find_untold):
                if self._settings.transfer_command:
                    await self._run(file.name, _environment_of(file))
                await self._log.submit(SetState(STATE_TRANSFERRED_THROUGH, file.id))
            self.failure = None

    async def tell_end(self, place: str) -> None:
        """Run the program for the end of a run, which left ledger hashes too. Raises LoggingUnavailable."""
        if self._settings.transfer_command:
            async with self._turn:
                await self._run("-", {"SURMA_ARCHIVE_EVENT": "end", "SURMA_ARCHIVE_PLACE": place})

    def _find_untold(self) -> list[StoredFile]:
        with self._log.database.reading() as connection:
            through = store.read_state(connection, STATE_TRANSFERRED_THROUGH) or 0
            staged = read_files(connection, after=through, is_delivered=False)
            files = read_files(connection, after=through, is_delivered=True)
        return [file for file in files if not staged or file.id < staged[0].id]

    async def _run(self, name: str, facts: dict[str, str]) -> None:
        process = None
        try:
            process = await asyncio.create_subprocess_exec(
                *self._settings.transfer_command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, **facts},
                start_new_session=True,
            )
            async with asyncio.timeout(self._settings.transfer_timeout_s):
                _, complaint = await process.communicate()
        except TimeoutError as cause:
            raise self._failed(name, f"it did not end within {self._settings.transfer_timeout_s:g} s") from cause
        except OSError as cause:
            raise self._failed(name, cause.strerror or type(cause).__name__) from cause
        finally:
            if process is not None and process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            said = complaint.decode("utf-8", "replace").strip()[-_MAX_COMPLAINT:]
            raise self._failed(name, f"status {process.returncode}" + (f": {said}" if said else ""))

    def _failed(self, name: str, reason: str) -> LoggingUnavailable:
        self.failure = TransferFailure(name, self._clock.now(), reason)
        return LoggingUnavailable("internal_error", "archive.transfer", file=name, reason=reason)


def _environment_of(file: StoredFile) -> dict[str, str]:
    """Return what the program is told of a file: where it lies, its name and that of the facts beside it, its group."""
    name = parse_archive_name(file.name)
    return {
        "SURMA_ARCHIVE_EVENT": "file",
        "SURMA_ARCHIVE_PLACE": file.location,
        "SURMA_ARCHIVE_NAME": file.name,
        "SURMA_ARCHIVE_FILE": f"{file.location.rstrip('/')}/{file.name}",
        "SURMA_ARCHIVE_RECORDS": "" if name is None else f"{file.location.rstrip('/')}/{name.records}",
        "SURMA_ARCHIVE_GROUP": file.group,
    }
