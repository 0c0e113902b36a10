"""The log before anybody touched it: 46 entries of every kind, stamped in batches, the oldest archived.

    1-6, 7-11     archived, their rows gone       12-18      archived, their rows still here
    19-24, 25-30, 31-36, 38-40                    stamped in batches; 37 has a time-stamp of its own
    41-46                                         written after the checkpoint was taken away, 45-46 unstamped

In each six: a SOAP request, its answer, a REST request and answer with bodies, a refusal, a SOAP message
with an attachment. The server made checkpoints of 12, 24, 36, 40 and 44 entries; an auditor took away
those of 24 and 40.
"""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from gateway.messagelog.archive.archiver import Archiver
from gateway.messagelog.archive.entries import EntrySource
from gateway.messagelog.archive.journal import Command, change_of
from gateway.messagelog.archive.model import ArchiveSettings
from gateway.messagelog.archive.places import FolderPlace
from gateway.messagelog.archive.retention import remove_archived
from gateway.messagelog.checkpoints import Checkpointer, export_checkpoint
from gateway.messagelog.timestamper import Timestamper
from gateway.runtime.clock import FixedClock
from gateway.runtime.database import Database
from gateway.xroad.globalconf.lookup import GlobalConf
from tests.factories.ledger import a_checkpointer, a_refusal
from tests.factories.messagelog import Logbook, Tsa, a_logbook, serving
from tests.factories.messages import (
    a_rest_request,
    a_rest_response,
    a_soap_message,
    a_soap_response,
    an_attachment,
    soap_headers,
)
from tests.factories.pki import NOON
from tests.factories.signatures import a_world

LAST: Final = 46
EARLIER: Final = 24  # entries of the first checkpoint that was taken away
TAKEN: Final = 40  # and of the second
STEP_S: Final = 40


@dataclass(frozen=True)
class Untouched:
    """Where the log lies, and what the auditor took away: checkpoints by their size, with leaves and without."""

    bodies: Path
    archives: Path
    exports: dict[int, bytes]
    notes: dict[int, bytes]


def a_globalconf() -> GlobalConf:
    """The configuration that all of it was made under."""
    return a_world().globalconf


async def build(database: Database, folder: Path) -> Untouched:
    """Make the log in an empty database, bodies and archives in a folder."""
    clock = FixedClock(NOON)
    async with serving(Tsa(clock)) as tsa, a_logbook(database, folder, tsa, max_body_bytes=4096) as book:
        work = _Work(book, clock, folder)
        for number in range(1, LAST + 1):
            await work.write(number)
            await work.after(number)
        notes = {size: b"".join(export_checkpoint(database, size, with_leaves=False)) for size in (EARLIER, TAKEN)}
        exports = {size: b"".join(export_checkpoint(database, size)) for size in (EARLIER, TAKEN)}
        await work.close()
    return Untouched(folder / "bodies", folder / "archive", exports, notes)


class _Work:
    """A server at work, and the clocks around it."""

    def __init__(self, book: Logbook, clock: FixedClock, folder: Path) -> None:
        self._book = book
        self._tsa_clock = clock
        self._folder = folder
        self._stamper: Timestamper = book.timestamper(a_globalconf())
        self._checkpointer: Checkpointer = a_checkpointer(book)

    async def write(self, number: int) -> None:
        """Write the entry that is due."""
        book, name, request_id = self._book, f"query-{number}", f"request-{number}"
        soap = a_soap_message(soap_headers(id=name))
        rest = a_rest_request("POST", "/find", body=b'{"unzr":"%d"}' % number, message_id=name)
        match number % 6:
            case 1:
                await book.record(soap, "consumer", request_id)
            case 2:
                await book.record(a_soap_response(soap), "consumer", request_id)
            case 3:
                await book.record(rest, "provider", request_id)
            case 4:
                await book.record(a_rest_response(rest, body=b'{"found":%d}' % number), "provider", request_id)
            case 5:
                at_ms = book.clock.now_ms()
                await book.log.submit(a_refusal(number, time_ms=at_ms, until_ms=at_ms, times=3))
            case 0:
                attached = a_soap_message(soap_headers(id=name), attachments=(an_attachment(b"attached %d" % number),))
                await book.record(attached, "consumer", request_id)

    async def after(self, number: int) -> None:
        """Do what is due after an entry."""
        if number in (6, 12, 18, 24, 30, 36, 37, 40, 44):
            await self._stamper.stamp_waiting()
        if number in (12, 24, 36, 40, 44):
            await self._checkpointer.make_checkpoint()
        if number in (6, 12, 18):
            await self._archive()
        if number == 12:
            await remove_archived(self._book.log, self._book.clock.now() + timedelta(seconds=1), 0)
        for clock in (self._book.clock, self._tsa_clock):
            clock.advance(seconds=STEP_S)

    async def _archive(self) -> None:
        loop, log = asyncio.get_running_loop(), self._book.log

        def carry_out(command: Command) -> None:
            asyncio.run_coroutine_threadsafe(log.submit(change_of(command)), loop).result()

        settings = ArchiveSettings()
        staging = self._folder / "staging"
        staging.mkdir(exist_ok=True)
        archiver = Archiver(
            database=log.database,
            entries=EntrySource(log.database, log.reader, lambda _: a_globalconf(), settings.digest_algorithm, staging),
            place=FolderPlace(self._folder / "archive"),
            staging=staging,
            settings=settings,
            journal=carry_out,
            clock=self._book.clock,
        )
        tally = await asyncio.to_thread(archiver.run)
        assert tally.unverified == tally.left_out == tally.missing == 0

    async def close(self) -> None:
        """Let go of connections."""
        await self._stamper.stop()
        await self._checkpointer.stop()


def copy_of(untouched: Untouched, target: Path) -> Untouched:
    """Return the same with folders of its own."""
    shutil.copytree(untouched.bodies, target / "bodies")
    shutil.copytree(untouched.archives, target / "archive")
    return Untouched(target / "bodies", target / "archive", untouched.exports, untouched.notes)
