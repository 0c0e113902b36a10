"""Power and disks fail: programs of their own record as fast as they can and are hurt in earnest."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from gateway.messagelog import store
from gateway.messagelog.integrity import verify_log
from gateway.runtime.database import open_database
from tests.factories.messagelog import a_logbook, a_message

ROOT = Path(__file__).parents[3]

RECORDER = """
import asyncio, os, sys
from pathlib import Path
from gateway.runtime.database import open_database
from tests.factories.messagelog import a_logbook, sealed
from tests.factories.messages import a_rest_request

async def main(url, folder, round):
    async with a_logbook(open_database(url), Path(folder)) as book:
        async def caller(number):
            for n in range(10**6):
                query_id = f"{round}-{number}-{n}"
                body = b"body of " + query_id.encode() if number % 2 else None
                await book.log.record(sealed(a_rest_request("POST", body=body, message_id=query_id)), "consumer", "r")
                os.write(1, query_id.encode() + b"\\n")
        await asyncio.gather(*(caller(n) for n in range(8)))

asyncio.run(main(*sys.argv[1:]))
"""


def start(program: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )


def acknowledged_until_killed(url: str, folder: Path, round_number: int, after_s: float) -> list[str]:
    """Run a recorder, kill it `after_s` after its first acknowledgement, and return what it acknowledged."""
    with start(RECORDER, url, str(folder), str(round_number)) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)
        lines = (first + process.stdout.read()).split(b"\n")
        process.wait()
    return [line.decode() for line in lines[:-1]]  # the last one may be cut


async def test_log_opens_unbroken_after_kill_9_and_holds_every_acknowledged_record(
    database_url: str, tmp_path: Path
) -> None:
    chance = random.Random(7)
    acknowledged: list[str] = []
    for round_number in range(2):
        acknowledged += acknowledged_until_killed(database_url, tmp_path, round_number, chance.uniform(0.05, 0.4))
    database = open_database(database_url)
    async with a_logbook(database, tmp_path) as book:
        await book.record(a_message("after"))
        verdict = verify_log(database)
        assert verdict.holds, verdict.broken
        with database.reading() as connection:
            records = list(store.walk_records(connection))
        assert set(acknowledged) <= {record.query_id for record in records}
        kept = {body.location for record in records for body in record.bodies}
        on_disk = {f"{path.parent.name}/{path.name}" for path in (tmp_path / "bodies").rglob("*") if path.is_file()}
        assert on_disk == kept - {None}
    assert len(acknowledged) > 10
    database.close()


FULL_DISK = """
import asyncio, resource, signal, sys
from pathlib import Path
from gateway.messagelog.integrity import verify_log
from gateway.runtime.database import open_database
from gateway.xroad.faults import LoggingUnavailable
from tests.factories.messagelog import a_logbook, a_message
from tests.factories.messages import a_rest_request

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

async def outcome(recording):
    try:
        await recording
    except LoggingUnavailable as fault:
        return fault.code, fault.text_id
    return "recorded"

async def main(url, folder):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    database = open_database(url)
    async with a_logbook(database, Path(folder)) as book:
        print(await outcome(book.record()))
        limit(4096)
        print(await outcome(book.record()))
        print(await outcome(book.record(a_rest_request("POST", body=b"x" * 100_000))))
        print(await asyncio.gather(*(outcome(book.record()) for _ in range(8))))
        limit(resource.RLIM_INFINITY)
        print(await outcome(book.record()))
        print(await outcome(book.record(a_rest_request("POST", body=b"x" * 100_000))))
    verdict = verify_log(database)
    print(verdict.holds, verdict.records, len([p for p in Path(folder, "bodies").rglob("*") if p.is_file()]))

asyncio.run(main(*sys.argv[1:]))
"""


def test_full_disk_refuses_and_the_log_recovers_by_itself(tmp_path: Path) -> None:
    with start(FULL_DISK, f"sqlite:///{tmp_path}/log.db", str(tmp_path)) as process:
        out, _ = process.communicate(timeout=60)
    refused = "('logging_failed', 'messagelog.cannot_write')"
    assert out.decode().splitlines() == [
        "recorded",
        refused,
        refused,
        f"[{', '.join([refused] * 8)}]",
        "recorded",
        "recorded",
        "True 3 1",
    ]


FORBIDDEN = """
import asyncio, os, sys
from pathlib import Path
from gateway.messagelog.integrity import verify_log
from gateway.runtime.database import open_database
from gateway.xroad.faults import LoggingUnavailable
from tests.factories.messagelog import a_logbook, sealed

async def main(warm, url, folder):
    signed = sealed()
    async with a_logbook(open_database(warm), Path(folder)) as book:
        await book.log.record(signed, "consumer", "r")
    database = open_database(url)
    async with a_logbook(database, Path(folder)) as book:
        os.seteuid(65534)
        try:
            await book.log.record(signed, "consumer", "r")
        except LoggingUnavailable as fault:
            print(fault.code)
        os.seteuid(0)
        await book.log.record(signed, "consumer", "r")
    print(verify_log(database).records)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not write")
def test_files_that_may_not_be_written_refuse_until_they_may(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir(mode=0o700)
    urls = [f"sqlite:///{tmp_path}/warm.db", f"sqlite:///{tmp_path}/log/log.db"]
    with start(FORBIDDEN, *urls, str(tmp_path)) as process:
        out, _ = process.communicate(timeout=60)
    assert out.decode().split() == ["logging_failed", "1"]
