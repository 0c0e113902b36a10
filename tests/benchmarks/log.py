"""`log`: durable rows per second of the message log at 1, 16 and 64 callers, beside the fdatasync of the same disk.

The records look like a P-256 signed SOAP request of 1.5 KB with a signature of 6.5 KB. Compare ratios
within one run: the disk's mood changes every absolute figure.
"""

from __future__ import annotations

import asyncio
import itertools
import resource
import secrets
import tempfile
import time
from base64 import b64encode
from pathlib import Path
from typing import Final

import uvloop

from gateway.messagelog.chain import content_hash, sha512
from gateway.messagelog.integrity import verify_log
from gateway.messagelog.model import NewRecord, RecordContent, Side
from gateway.messagelog.skeletons import split
from gateway.messagelog.writer import Item, LogWriter
from gateway.runtime.database import migrate, open_database
from gateway.runtime.group_commit import GroupCommit
from tests.benchmarks.disk import fdatasync_us
from tests.benchmarks.report import Report, Row, Section

CALLERS: Final = (1, 16, 64)
SECONDS: Final = 3.0
_CONSTANT: Final = b64encode(secrets.token_bytes(4400))


def run(*, url: str | None = None, tiny: bool = False) -> Report:
    """Measure a fresh log: SQLite in a temporary directory, or the empty database at `url`."""
    with tempfile.TemporaryDirectory(prefix="surma-bench-") as name:
        folder = Path(name)
        database = open_database(url or f"sqlite:///{folder}/log.db")
        migrate(database, "gateway.migrations.messagelog")
        commit: GroupCommit[Item, int] = GroupCommit("benchmark", lambda: LogWriter(database))
        commit.start()
        sync_us = fdatasync_us(folder, 5 if tiny else 200)
        numbers = itertools.count()
        rows = [uvloop.run(_measure(commit, callers, 0.1 if tiny else SECONDS, numbers)) for callers in CALLERS]
        commit.stop()
        verdict = verify_log(database)
        database.close()
    for row in rows:
        row["rows_per_fdatasync"] = round(row["rows_per_s"] * sync_us / 1e6, 2)
    notes = [
        f"fdatasync of 4 KB on this disk: {sync_us:.0f} µs; rows per fdatasync: rows written in that time",
        f"chain of {verdict.records} records: {'unbroken' if verdict.holds else verdict.broken}",
    ]
    facts = {"fdatasync_us": round(sync_us, 1), "results": rows, "unbroken": verdict.holds}
    return Report(facts, [Section("log: durable rows", rows, notes)])


async def _measure(commit: GroupCommit[Item, int], callers: int, seconds: float, numbers: itertools.count[int]) -> Row:
    waits: list[float] = []
    stop_at = time.perf_counter() + seconds

    async def call() -> None:
        while (started := time.perf_counter()) < stop_at:
            await commit.submit(_record(next(numbers)))
            waits.append(time.perf_counter() - started)

    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    await asyncio.gather(*(call() for _ in range(callers)))
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    waits.sort()
    return {
        "callers": callers,
        "rows_per_s": round(len(waits) / took, 1),
        "cpu_us_per_row": round(cpu_s / len(waits) * 1e6, 1),
        "p50_ms": round(waits[len(waits) // 2] * 1e3, 3),
        "p99_ms": round(waits[len(waits) * 99 // 100] * 1e3, 3),
    }


def _record(number: int) -> NewRecord:
    message = b"<Envelope>" + b"%08d" % number + b"x" * 1490 + b"</Envelope>"
    digest = sha512(message)
    signature = (
        b"<asic:XAdESSignatures><ds:Signature><ds:DigestValue>%s</ds:DigestValue><ds:DigestValue>%s</ds:DigestValue>"
        b'<ds:SignatureValue Id="signature-value">%s</ds:SignatureValue><ds:X509Certificate>%s</ds:X509Certificate>'
        b"<xades:SigningTime>2026-01-01T00:00:00.000Z</xades:SigningTime></ds:Signature></asic:XAdESSignatures>"
    ) % (b64encode(digest), b64encode(digest[::-1]), b64encode(digest), _CONSTANT)
    content = RecordContent(
        time_ms=1_700_000_000_000 + number,
        side=Side.CONSUMER,
        is_response=False,
        query_id=f"query-{number}",
        x_request_id=f"request-{number}",
        client="UA-DEMO/GOV/10000001/SNAP",
        provider="UA-DEMO/GOV/10000002/DEMOGRAPHIC",
        service_code="GetPerson",
        service_version="v1",
        message_digest=digest,
        signature_digest=sha512(signature),
        hash_chain_result=None,
        hash_chain=None,
        bodies=(),
    )
    return NewRecord(content, content_hash(content), message, *split(signature))
