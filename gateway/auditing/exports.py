"""Exports as jobs: one after the other, surviving restarts, found by their owner alone, removed when old.

    <root>/<id>/job.json      what was asked for and how far it is
    <root>/<id>/export.zip    the finished export; while it grows, *.part

An export is asked for and fetched with the same rights: once a scope was taken from its owner, the
export is not there any more. One export is written at a time, so that auditors never crowd out exchanges.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import shutil
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

from gateway.auditing.deps import Ledger, TrustFiles
from gateway.auditing.export_job import ZIP_FILE, ExportJob, Reached, State, read_job, write_job
from gateway.auditing.export_writer import DiskFull, ExportWriter, Stopped
from gateway.auditing.model import ExportSettings as ExportSettings
from gateway.auditing.model import Query, Scope
from gateway.auditing.ports import EvidenceSource
from gateway.runtime.clock import Clock
from gateway.runtime.durable_files import sync_directory
from gateway.runtime.periodic import Periodic

log = logging.getLogger(__name__)

SWEEP_INTERVAL_S: Final = 3600.0
_FOLDER_MODE: Final = 0o700


class TooManyExports(Exception):  # noqa: N818
    """The auditor has as many exports as one may have; delete one first."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class Exports:
    """The exports of one server below `root`."""

    def __init__(
        self,
        root: Path,
        source: EvidenceSource,
        clock: Clock,
        *,
        server_name: Callable[[], str],
        ledger: Ledger | None = None,
        trust: TrustFiles = tuple,
        settings: ExportSettings | None = None,
    ) -> None:
        self.root = root
        self.settings = settings or ExportSettings()
        self._source = source
        self._clock = clock
        self._server_name = server_name
        self._ledger = ledger
        self._trust = trust
        self._jobs: dict[str, ExportJob] = {}
        self._stops: dict[str, threading.Event] = {}
        self._wake = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._sweep = Periodic("old exports", SWEEP_INTERVAL_S, self.remove_old, expected=OSError)

    # life

    async def start(self) -> None:
        """Take up the exports that were not finished."""
        await asyncio.to_thread(self._load)
        self._wake.set()
        self._worker = asyncio.get_running_loop().create_task(self._work(), name="exports")
        self._sweep.start()

    async def stop(self) -> None:
        """Stop where it is; the next start goes on from there."""
        await self._sweep.stop()
        worker, self._worker = self._worker, None
        for stop in self._stops.values():
            stop.set()
        if worker is not None:
            worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await worker

    def _load(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
        for folder in sorted(self.root.iterdir()):
            job = read_job(folder)
            if job is None or job.id != folder.name:
                shutil.rmtree(folder, ignore_errors=True)
            else:
                self._jobs[job.id] = job

    # asking

    async def create(self, owner: str, scope: Scope, query: Query, grounds: str) -> ExportJob:
        """Ask for an export. Raises TooManyExports, and OSError when it cannot be put on the disk."""
        if sum(job.owner == owner for job in self._jobs.values()) >= self.settings.per_user:
            raise TooManyExports(self.settings.per_user)
        note = await self._checkpoint()
        status = await asyncio.to_thread(self._source.status)
        job = ExportJob(
            id=secrets.token_hex(8),
            owner=owner,
            scope=scope,
            query=query,
            grounds=grounds,
            created_at=self._clock.now(),
            through=status.last_sequence,
            indexed_through=status.indexed_through,
            checkpoint=None if note is None else note.decode(),
        )
        await asyncio.to_thread(self._put, job)
        self._jobs[job.id] = job
        self._wake.set()
        return job

    def of(self, owner: str, scope: Scope) -> tuple[ExportJob, ...]:
        """Return the exports of an owner that the scope still allows, newest first."""
        mine = [job for job in self._jobs.values() if _may_see(job, owner, scope)]
        return tuple(sorted(mine, key=lambda job: (job.created_at, job.id), reverse=True))

    def find(self, export_id: str, owner: str, scope: Scope) -> ExportJob | None:
        """Return one of them."""
        job = self._jobs.get(export_id)
        return job if job is not None and _may_see(job, owner, scope) else None

    def file_of(self, job: ExportJob) -> Path:
        """Return where a finished export lies."""
        return self.root / job.id / ZIP_FILE

    async def delete(self, job: ExportJob) -> None:
        """Stop an export if it runs, and remove it."""
        self._jobs.pop(job.id, None)
        stop = self._stops.get(job.id)
        if stop is None:
            await asyncio.to_thread(shutil.rmtree, self.root / job.id, ignore_errors=True)
        else:
            stop.set()  # the worker removes the folder when it has left it

    async def remove_old(self) -> None:
        """Remove what was finished too long ago, and what never will be."""
        oldest = self._clock.now() - timedelta(seconds=self.settings.keep_s)
        for job in list(self._jobs.values()):
            if job.is_over and (job.finished_at or job.created_at) < oldest:
                await self.delete(job)

    # working

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while (job := self._next()) is not None:
                await self._run(job)

    def _next(self) -> ExportJob | None:
        waiting = [job for job in self._jobs.values() if not job.is_over]
        return min(waiting, key=lambda job: (job.created_at, job.id), default=None)

    async def _run(self, job: ExportJob) -> None:
        stop = self._stops[job.id] = threading.Event()
        try:
            # Shielded: a thread cannot be cancelled, so whoever stops waits until it has put its place on the disk.
            running = asyncio.create_task(asyncio.to_thread(self._write, job, stop))
            try:
                done = await asyncio.shield(running)
            except asyncio.CancelledError:
                stop.set()
                await running
                raise
            if job.id in self._jobs and done is not None:
                self._jobs[job.id] = done
        finally:
            del self._stops[job.id]
            if job.id not in self._jobs:
                await asyncio.to_thread(shutil.rmtree, self.root / job.id, ignore_errors=True)

    def _write(self, job: ExportJob, stop: threading.Event) -> ExportJob | None:
        folder = self.root / job.id
        try:
            return self._written(job, folder, stop)
        except Stopped:
            return None
        except DiskFull as full:
            facts = {"free": str(full.free_bytes), "reserve": str(full.reserve_bytes)}
            log.error("export stopped: the disk is full", extra={"export": job.id, **facts})
            return self._failed(job, folder, "auditing.export.disk_full", facts)
        except Exception:
            correlation = str(uuid.uuid4())
            log.exception("export failed", extra={"export": job.id, "detail": correlation})
            return self._failed(job, folder, "auditing.export.failed", {"id": correlation})

    def _written(self, job: ExportJob, folder: Path, stop: threading.Event) -> ExportJob:
        try:
            return self._writer(job, folder, stop).run()
        except ValueError as cause:  # what lies there is less than the job says: begin again
            log.warning("export begins again: %s", cause, extra={"export": job.id})
            _empty(folder)
            return self._writer(replace(job, total=None, reached=Reached()), folder, stop).run()

    def _writer(self, job: ExportJob, folder: Path, stop: threading.Event) -> ExportWriter:
        return ExportWriter(
            job,
            folder,
            self._source,
            server=self._server_name(),
            ledger=self._ledger,
            trust=self._trust,
            clock=self._clock,
            reserve_bytes=self.settings.reserve_bytes,
            stop=stop,
            progress=self._notice,
        )

    def _notice(self, job: ExportJob) -> None:
        if job.id in self._jobs:
            self._jobs[job.id] = job

    def _failed(self, job: ExportJob, folder: Path, text_id: str, facts: dict[str, str]) -> ExportJob:
        _empty(folder)
        failed = replace(
            self._jobs.get(job.id, job),
            state=State.FAILED,
            failure=text_id,
            facts=facts,
            finished_at=self._clock.now(),
        )
        with contextlib.suppress(OSError):  # a full disk: what failed is tried again at the next start
            write_job(folder, failed)
        return failed

    async def _checkpoint(self) -> bytes | None:
        """Return a checkpoint over all there is now; where none can be made, the newest one."""
        if self._ledger is None:
            return None
        try:
            return await self._ledger.make()
        except Exception as cause:
            newest = await asyncio.to_thread(self._ledger.newest)
            if newest is not None:
                log.warning("an export gets an older checkpoint: %s", cause)
            return newest

    def _put(self, job: ExportJob) -> None:
        folder = self.root / job.id
        folder.mkdir(parents=True, mode=_FOLDER_MODE)
        sync_directory(self.root)
        write_job(folder, job)


def _may_see(job: ExportJob, owner: str, scope: Scope) -> bool:
    return job.owner == owner and (scope.is_everything or all(scope.covers(name) for name in job.scope.names))


def _empty(folder: Path) -> None:
    for path in (*folder.glob("*.part"), folder / ZIP_FILE):
        path.unlink(missing_ok=True)
