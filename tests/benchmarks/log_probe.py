"""Durable rows per second of the message log at 1, 16 and 64 callers, beside the fdatasync of the same disk.

    python tests/benchmarks/log_probe.py [--url sqlite:////path/log.db] [--seconds 3] [--json FILE]

The records look like a P-256 signed SOAP request of 1.5 KB with a signature of 6.5 KB. Compare ratios
within one run: the disk's mood changes every absolute figure.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import resource
import secrets
import tempfile
import time
from base64 import b64encode
from contextlib import suppress
from pathlib import Path

from gateway.messagelog.chain import content_hash, sha512
from gateway.messagelog.integrity import verify_log
from gateway.messagelog.model import NewRecord, RecordContent, Side
from gateway.messagelog.writer import Append, LogWriter
from gateway.runtime.database import migrate, open_database
from gateway.runtime.group_commit import GroupCommit

CALLERS = (1, 16, 64)
CONSTANT = b64encode(secrets.token_bytes(4400))


def a_record(number: int) -> NewRecord:
    message = b"<Envelope>" + b"%08d" % number + b"x" * 1490 + b"</Envelope>"
    digest = sha512(message)
    signature = (
        b"<asic:XAdESSignatures><ds:Signature><ds:DigestValue>%s</ds:DigestValue><ds:DigestValue>%s</ds:DigestValue>"
        b'<ds:SignatureValue Id="signature-value">%s</ds:SignatureValue><ds:X509Certificate>%s</ds:X509Certificate>'
        b"<xades:SigningTime>2026-01-01T00:00:00.000Z</xades:SigningTime></ds:Signature></asic:XAdESSignatures>"
    ) % (b64encode(digest), b64encode(digest[::-1]), b64encode(digest), CONSTANT)
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
    return NewRecord(content, content_hash(content), message, signature)


def fdatasync_us(folder: Path, count: int = 200) -> float:
    path = folder / "probe"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    times = []
    for _ in range(count):
        os.write(descriptor, b"x" * 4096)
        started = time.perf_counter()
        os.fdatasync(descriptor)
        times.append(time.perf_counter() - started)
    os.close(descriptor)
    path.unlink()
    return sorted(times)[count // 2] * 1e6


async def rows_per_second(commit: GroupCommit, callers: int, seconds: float) -> dict[str, float]:
    waits: list[float] = []
    stop_at = time.perf_counter() + seconds

    async def call() -> None:
        while (started := time.perf_counter()) < stop_at:
            await commit.submit(Append(a_record(len(waits))))
            waits.append(time.perf_counter() - started)

    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    await asyncio.gather(*(call() for _ in range(callers)))
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    waits.sort()
    return {
        "callers": callers,
        "rows_per_s": len(waits) / took,
        "cpu_us_per_row": cpu / len(waits) * 1e6,
        "p50_ms": waits[len(waits) // 2] * 1e3,
        "p99_ms": waits[len(waits) * 99 // 100] * 1e3,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with suppress(ImportError):
        import uvloop

        uvloop.install()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        folder = Path(name)
        database = open_database(options.url or f"sqlite:///{folder}/log.db")
        migrate(database, "gateway.migrations.messagelog")
        commit = GroupCommit("probe", lambda: LogWriter(database))
        commit.start()
        gc.freeze()
        sync = fdatasync_us(folder)
        print(f"fdatasync of 4 KB: {sync:.0f} us (median)")
        results = [asyncio.run(rows_per_second(commit, callers, options.seconds)) for callers in CALLERS]
        commit.stop()
        for result in results:
            print("{callers:3d} callers: {rows_per_s:8.0f} rows/s  {cpu_us_per_row:5.0f} us CPU/row  "
                  "p50 {p50_ms:6.2f} ms  p99 {p99_ms:6.2f} ms".format(**result))  # fmt: skip
        verdict = verify_log(database)
        print(f"chain of {verdict.records} records: {'unbroken' if verdict.holds else verdict.broken}")
        if options.json is not None:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps({"fdatasync_us": sync, "log": results}, indent=2))
        database.close()


if __name__ == "__main__":
    main()
