"""One export, written from beginning to end or from where it stopped; memory does not grow with it.

    verificationconf/…, history/…, anchor.xml    what `surma verify` needs
    containers/<name>.asice                      the signed messages, as they are
    exchanges.jsonl exchanges.<language>.csv     a line for each exchange, for programs and for people
    refusals.jsonl                               what was refused or failed
    records.jsonl                                what the log says of each entry, by which its leaf is worked out
    proofs.jsonl checkpoint.txt                  that each entry is in the ledger
    missing.jsonl                                entries that could not be read, and why
    summary.en.txt summary.uk.txt                counts, and how to verify
    manifest.json                                who asked for what; every file with its SHA-256

Lists grow in files beside the zip and go into it at the end. What lies in a zip is stored, not packed.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from gateway.auditing import export_texts as texts
from gateway.auditing.deps import Ledger, TrustFiles
from gateway.auditing.entries import fact_of_refusal
from gateway.auditing.export_job import ZIP_FILE, Counts, ExportJob, Reached, State, write_job
from gateway.auditing.export_parts import Part
from gateway.auditing.model import Exchange
from gateway.auditing.ports import EvidenceSource
from gateway.auditing.query_facts import facts_of
from gateway.auditing.zip_stream import ZipStream
from gateway.messagelog.archive.model import ArchivedFact
from gateway.messagelog.archive.records import build_line
from gateway.runtime.clock import Clock
from gateway.runtime.texts import LANGUAGES
from gateway.xroad.faults import XRoadFault

FORMAT: Final = "surma export 1"
COMMIT_EVERY: Final = 200  # exchanges; what a crash makes us write again
_CHUNK_BYTES: Final = 1024 * 1024
_EXCHANGES: Final = "exchanges.jsonl"
_TABLES: Final = {language: f"exchanges.{language}.csv" for language in LANGUAGES}
_PARTS: Final = (
    _EXCHANGES, *_TABLES.values(), "refusals.jsonl", "proofs.jsonl", "records.jsonl", "missing.jsonl",
)  # fmt: skip
_FILES: Final = "files"
_MANIFEST: Final = "manifest.json"
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Stopped(Exception):  # noqa: N818
    """The export was told to stop; it goes on from its job record."""


class DiskFull(Exception):  # noqa: N818
    """There is too little room left, or none."""

    def __init__(self, free_bytes: int, reserve_bytes: int) -> None:
        super().__init__(free_bytes, reserve_bytes)
        self.free_bytes = free_bytes
        self.reserve_bytes = reserve_bytes


class ExportWriter:
    """Writes one job into its folder. `progress` hears of the job whenever it has changed."""

    def __init__(
        self,
        job: ExportJob,
        folder: Path,
        source: EvidenceSource,
        *,
        server: str,
        ledger: Ledger | None,
        trust: TrustFiles,
        clock: Clock,
        reserve_bytes: int,
        stop: threading.Event,
        progress: Callable[[ExportJob], None],
    ) -> None:
        self.job = job
        self._folder = folder
        self._source = source
        self._server = server
        self._ledger = ledger
        self._trust = trust
        self._clock = clock
        self._reserve_bytes = reserve_bytes
        self._stop = stop
        self._progress = progress
        self._unproven: list[int] = []
        self._room = 0  # bytes that may be written before the disk is asked again

    def run(self) -> ExportJob:
        """Write until the end. Raises Stopped, DiskFull, OSError, and what the source raises."""
        try:
            return self._run()
        except OSError as cause:
            if cause.errno in _FULL:
                raise DiskFull(self._free(), self._reserve_bytes) from cause
            raise

    def _run(self) -> ExportJob:
        reached = self.job.reached
        self._zip = ZipStream(self._folder / f"{ZIP_FILE}.part", self._folder / "directory.part", reached.zip)
        self._parts = {
            name: Part(self._folder / f"{name}.part", reached.parts.get(name, 0)) for name in (*_PARTS, _FILES)
        }
        try:
            self._proven = 0 if self.job.checkpoint is None else self._proven_through(self.job.checkpoint)
            if self.job.total is None:
                self._begin()
            self._write_exchanges()
            size = self._end()
        finally:
            self._zip.close()
            for part in self._parts.values():
                part.close()
        return self._finish(size)

    # the three stages

    def _begin(self) -> None:
        for name, content in self._trust():
            self._add(name, [content], len(content))
        for language, name in _TABLES.items():
            self._parts[name].write(texts.csv_header(language))
        total = self._source.count(self.job.query, self.job.scope, at_most=2**62).number
        self.job = replace(self.job, state=State.RUNNING, total=total)
        self._commit(Reached())

    def _write_exchanges(self) -> None:
        reached = self.job.reached
        for exchange in self._source.walk(self.job.query, self.job.scope):
            if exchange.id <= reached.last_id or exchange.id > self.job.through:
                continue
            if self._stop.is_set():
                self._commit(reached)
                raise Stopped
            reached = replace(reached, last_id=exchange.id, counts=self._write_exchange(exchange, reached.counts))
            if reached.counts.exchanges % COMMIT_EVERY == 0:
                reached = self._commit(reached)
        self._commit(reached)

    def _end(self) -> int:
        now = self._clock.now()
        for name in _PARTS:
            part = self._parts[name]
            part.sync()
            if part.size:
                self._add(name, part.chunks(), part.size)
        if self.job.checkpoint is not None:
            self._add_text("checkpoint.txt", self.job.checkpoint)
        tally = texts.tally_of(self._parts[_EXCHANGES].path)
        size = None if self.job.checkpoint is None else self._proven
        for language in LANGUAGES:
            self._add_text(f"summary.{language}.txt", texts.summary(self.job, self._server, tally, size, language))
        manifest = Part(self._folder / f"{_MANIFEST}.part", 0)
        try:
            for chunk in self._within_room(self._manifest(now)):
                manifest.write(chunk)
            manifest.sync()
        finally:
            manifest.close()
        self._write(_MANIFEST, manifest.chunks(), manifest.size, now)
        self._zip.sync()
        return self._zip.finish()

    def _finish(self, size: int) -> ExportJob:
        path = self._folder / f"{ZIP_FILE}.part"
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        path.replace(self._folder / ZIP_FILE)
        job = replace(self.job, state=State.DONE, size=size, sha256=digest, finished_at=self._clock.now())
        write_job(self._folder, job)
        for left in self._folder.glob("*.part"):
            left.unlink()
        return job

    # one exchange

    def _write_exchange(self, exchange: Exchange, counts: Counts) -> Counts:
        self._line(_EXCHANGES, texts.exchange_facts(exchange))
        for language, name in _TABLES.items():
            self._parts[name].write(texts.csv_line(exchange, language))
        counts = replace(counts, exchanges=counts.exchanges + 1)
        for sequence in (exchange.request, exchange.response):
            if sequence is not None:
                counts = self._write_container(sequence, counts)
        if exchange.refusal is not None:
            counts = self._write_refusal(exchange.refusal, counts)
        return counts

    def _write_container(self, sequence: int, counts: Counts) -> Counts:
        try:
            document = self._source.find_document(sequence, self.job.scope)
        except XRoadFault as fault:
            return self._miss(sequence, fault, counts)
        if document is None:
            return self._miss(sequence, None, counts)
        self._add(f"containers/{document.name}", [document.container], len(document.container), entry=sequence)
        self._tell(sequence, document.fact)
        return replace(counts, containers=counts.containers + 1)

    def _write_refusal(self, sequence: int, counts: Counts) -> Counts:
        try:
            found = self._source.find_refusal(sequence, self.job.scope)
        except XRoadFault as fault:
            return self._miss(sequence, fault, counts)
        if found is None:
            return self._miss(sequence, None, counts)
        self._line("refusals.jsonl", texts.refusal_facts(found))
        self._tell(sequence, fact_of_refusal(found))
        return replace(counts, refusals=counts.refusals + 1)

    def _tell(self, sequence: int, fact: ArchivedFact | None) -> None:
        """Write down what the log says of an entry; that it is in the ledger is proven with the next commit."""
        if fact is not None:
            self._parts["records.jsonl"].write(build_line(fact))
        self._unproven.append(sequence)

    def _prove(self, counts: Counts) -> Counts:
        """Prove the entries since the last commit, all at once: neighbours share most hashes."""
        sequences, self._unproven = self._unproven, []
        proofs = {} if self._ledger is None else self._ledger.prove_all(sequences, self._proven)
        for inclusion in proofs.values():
            hashes = [_base64(one) for one in inclusion.hashes]
            facts = {"entry": inclusion.sequence, "leaf": _base64(inclusion.leaf), "hashes": hashes}
            self._line("proofs.jsonl", facts)
        return replace(counts, unproven=counts.unproven + len(sequences) - len(proofs))

    def _miss(self, sequence: int, fault: XRoadFault | None, counts: Counts) -> Counts:
        self._line("missing.jsonl", {"entry": sequence, **texts.reason_facts(fault)})
        return replace(counts, missing=counts.missing + 1)

    # bytes

    def _add(self, name: str, chunks: Iterable[bytes], size: int, **facts: object) -> None:
        digest = hashlib.sha256()
        self._write(name, _hashed(chunks, digest), size, self.job.created_at)
        self._line(_FILES, {"name": name, "size": size, "sha256": digest.hexdigest(), **facts})

    def _add_text(self, name: str, text: str) -> None:
        content = text.encode()
        self._add(name, [content], len(content))

    def _write(self, name: str, chunks: Iterable[bytes], size: int, at: datetime) -> None:
        self._zip.add(name, self._within_room(chunks), size, at)

    def _line(self, name: str, facts: dict[str, Any]) -> None:
        self._parts[name].write(json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

    def _within_room(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Leave room on the disk: the message log may be on the same one, and comes first."""
        for chunk in chunks:
            self._room -= len(chunk)
            if self._room < 0:
                free = self._free()
                if free - len(chunk) < self._reserve_bytes:
                    raise DiskFull(free, self._reserve_bytes)
                self._room = min((free - self._reserve_bytes) // 2, 64 * _CHUNK_BYTES)
            yield chunk

    def _free(self) -> int:
        return shutil.disk_usage(self._folder).free

    def _commit(self, reached: Reached) -> Reached:
        reached = replace(reached, counts=self._prove(reached.counts))
        position = self._zip.sync()
        sizes = {name: part.sync() for name, part in self._parts.items()}
        self.job = replace(self.job, reached=replace(reached, zip=position, parts=sizes))
        write_job(self._folder, self.job)
        self._progress(self.job)
        return self.job.reached

    def _proven_through(self, note: str) -> int:
        return 0 if self._ledger is None else self._ledger.size_of(note.encode())

    def _manifest(self, now: datetime) -> Iterator[bytes]:
        """Yield the manifest; its list of files is as long as the export."""
        job = self.job
        facts = {
            "format": FORMAT,
            "export": job.id,
            "server": self._server,
            "made_for": job.owner,
            "grounds": job.grounds,
            "asked_at": job.created_at.isoformat(),
            "made_at": now.isoformat(),
            "query": facts_of(job.query),
            "scope": sorted(job.scope.names),
            "log": {"through": job.through, "searchable_through": job.indexed_through},
            "counts": texts.count_facts(job.reached.counts),
            "checkpoint": None if job.checkpoint is None else {"file": "checkpoint.txt", "size": self._proven},
        }
        head = json.dumps(facts, ensure_ascii=False, indent=1).encode()
        yield head.removesuffix(b"\n}") + b',\n "files": ['
        part = self._parts[_FILES]
        part.sync()
        between = b"\n  "
        with part.path.open("rb") as lines:
            for line in lines:
                yield between + line.rstrip(b"\n")
                between = b",\n  "
        yield b"\n ]\n}\n"


def _hashed(chunks: Iterable[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
