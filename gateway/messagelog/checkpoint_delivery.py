"""Checkpoints leave the house: into a folder, to addresses, through a command; repeated until each has it.

Only the newest goes out: it covers all before it. What was delivered is remembered in the log's state,
so a restart neither forgets nor repeats. A destination that fails stands in nobody's way but its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from gateway.messagelog import store
from gateway.messagelog.model import CheckpointSettings
from gateway.messagelog.recorder import MessageLog
from gateway.messagelog.writer import SetState
from gateway.runtime.clock import Clock
from gateway.runtime.durable_files import write_durably
from gateway.runtime.fetch import Fetcher, FetchError
from gateway.runtime.group_commit import CommitUnavailable
from gateway.xroad.checkpoint import CONTENT_TYPE

log = logging.getLogger(__name__)

STATE_PREFIX: Final = "checkpoint_sent:"
_MAX_ANSWER_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Delivery:
    """How delivery to one destination goes: the size it has, and since when and why it does not get a newer one."""

    destination: str
    delivered: int | None
    failing_since: datetime | None = None
    reason: str | None = None


class _Undeliverable(Exception):  # noqa: N818
    """A destination did not take the checkpoint; the text says why."""


@dataclass(frozen=True, slots=True)
class _Destination:
    name: str
    send: Callable[[int, bytes], Awaitable[None]]

    @property
    def state(self) -> str:
        """The name under which the delivered size is remembered."""
        return STATE_PREFIX + hashlib.sha256(self.name.encode()).hexdigest()[:24]


class Outbox:
    """Where checkpoints of one log go, and how far each destination is."""

    def __init__(self, message_log: MessageLog, settings: CheckpointSettings, clock: Clock, fetch: Fetcher) -> None:
        self._log = message_log
        self._clock = clock
        self._fetch = fetch
        self._timeout_s = settings.delivery_timeout_s
        self._destinations = _destinations_of(self, settings)
        self._known: dict[str, Delivery] = {}

    async def deliver(self, size: int, note: bytes) -> None:
        """Send a checkpoint to everybody who does not have it; failures are remembered and shown."""
        await self._load()
        waiting = [d for d in self._destinations if self._known[d.name].delivered != size]
        await asyncio.gather(*(self._send(destination, size, note) for destination in waiting))

    async def status(self) -> tuple[Delivery, ...]:
        """Return how delivery goes, for each destination."""
        await self._load()
        return tuple(self._known[destination.name] for destination in self._destinations)

    async def _load(self) -> None:
        if len(self._known) < len(self._destinations):
            delivered = await asyncio.to_thread(self._read_delivered)
            self._known = {name: Delivery(name, size) for name, size in delivered.items()} | self._known

    def _read_delivered(self) -> dict[str, int | None]:
        with self._log.database.reading() as connection:
            return {d.name: store.read_state(connection, d.state) for d in self._destinations}

    async def _send(self, destination: _Destination, size: int, note: bytes) -> None:
        before = self._known[destination.name]
        try:
            async with asyncio.timeout(self._timeout_s):
                await destination.send(size, note)
        except (_Undeliverable, OSError, TimeoutError) as cause:
            since = before.failing_since or self._clock.now()
            reason = _reason(cause, self._timeout_s)
            self._known[destination.name] = replace(before, failing_since=since, reason=reason)
            log.error("a checkpoint could not be delivered to %s: %s", destination.name, reason, extra={"size": size})
            return
        self._known[destination.name] = Delivery(destination.name, size)
        try:
            await self._log.submit(SetState(destination.state, size))
        except CommitUnavailable as cause:  # memory knows it; a restart would send it once more
            log.warning("the delivery of a checkpoint could not be noted: %s", cause)

    async def write(self, folder: Path, size: int, note: bytes) -> None:
        """Put a checkpoint into a folder, under the number of its entries."""
        await asyncio.to_thread(_write, folder / f"checkpoint-{size:012d}.note", note)

    async def post(self, url: str, size: int, note: bytes) -> None:
        """POST a checkpoint."""
        try:
            answer = await self._fetch.post(url, note, content_type=CONTENT_TYPE, max_bytes=_MAX_ANSWER_BYTES)
        except FetchError as cause:
            raise _Undeliverable(cause.reason) from cause
        if not 200 <= answer.status < 300:
            raise _Undeliverable(f"answered with status {answer.status}")

    async def run(self, command: tuple[str, ...], size: int, note: bytes) -> None:
        """Hand a checkpoint to a command on its standard input; the exit status says whether it took it."""
        pipe, devnull = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=devnull, stderr=devnull, start_new_session=True
        )
        try:
            await process.communicate(note)
        finally:
            if process.returncode is None:  # what it started goes with it
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode:
            raise _Undeliverable(f"ended with status {process.returncode}")


def _destinations_of(outbox: Outbox, settings: CheckpointSettings) -> tuple[_Destination, ...]:
    found: list[_Destination] = []
    if settings.folder is not None:
        found.append(_Destination(str(settings.folder), partial(outbox.write, settings.folder)))
    found += [_Destination(url, partial(outbox.post, url)) for url in settings.urls]
    if settings.command:
        found.append(_Destination(settings.command[0], partial(outbox.run, settings.command)))
    return tuple(found)


def _write(path: Path, note: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, note)


def _reason(cause: BaseException, timeout_s: float) -> str:
    if isinstance(cause, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause)[:200] or type(cause).__name__
