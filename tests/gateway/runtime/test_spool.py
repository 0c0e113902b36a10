from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.runtime.spool import FileBody, MemoryBody, SpoolDirectory

ROOT = Path(__file__).parents[3]


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[SpoolDirectory[bytes]]:
    directory = SpoolDirectory(tmp_path, bytes, memory_threshold_bytes=100)
    yield directory
    directory.close()


def spooled(spool: SpoolDirectory[bytes], *chunks: bytes) -> MemoryBody[bytes] | FileBody[bytes]:
    sink = spool.open_sink()
    for chunk in chunks:
        sink.write(chunk)
    return sink.finish()


@pytest.mark.parametrize("chunks", [[], [b""], [b"a" * 100], [b"a" * 50, b"b" * 50]])
def test_small_body_stays_in_memory(spool: SpoolDirectory[bytes], chunks: list[bytes]) -> None:
    body = spooled(spool, *chunks)
    assert body.path is None
    assert b"".join(body.chunks()) == b"".join(chunks)
    assert list(spool.directory.iterdir()) == []


@pytest.mark.parametrize("chunks", [[b"a" * 101], [b"a" * 60, b"b" * 60], [b"x"] * 1000, [b"y" * 1_000_000]])
def test_large_body_goes_to_a_file(spool: SpoolDirectory[bytes], chunks: list[bytes]) -> None:
    body, whole = spooled(spool, *chunks), b"".join(chunks)
    assert body.path is not None
    assert body.path.read_bytes() == whole
    assert (body.size, body.digest) == (len(whole), hashlib.sha512(whole).digest())
    assert [b"".join(body.chunks()) for _ in range(2)] == [whole, whole]


def test_digest_of_a_small_body_is_taken(spool: SpoolDirectory[bytes]) -> None:
    assert spooled(spool, b"abc").digest == hashlib.sha512(b"abc").digest()


def test_released_body_leaves_no_file(spool: SpoolDirectory[bytes]) -> None:
    body = spooled(spool, b"a" * 200)
    body.release()
    body.release()
    assert list(spool.directory.iterdir()) == []


def test_forgotten_body_leaves_no_file(spool: SpoolDirectory[bytes]) -> None:
    body = spooled(spool, b"a" * 200)
    del body
    assert list(spool.directory.iterdir()) == []


def test_body_that_never_became_whole_leaves_no_file(spool: SpoolDirectory[bytes]) -> None:
    sink = spool.open_sink()
    sink.write(b"a" * 200)
    sink.discard()
    other = spool.open_sink()
    other.write(b"a" * 200)
    del other
    assert list(spool.directory.iterdir()) == []


def test_closing_removes_everything(tmp_path: Path) -> None:
    spool = SpoolDirectory(tmp_path, bytes, memory_threshold_bytes=1)
    spooled(spool, b"abc")
    spool.close()
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_spool_of_a_living_process_is_left_alone(spool: SpoolDirectory[bytes], tmp_path: Path) -> None:
    body = spooled(spool, b"a" * 200)
    other = SpoolDirectory(tmp_path, bytes)
    assert b"".join(body.chunks()) == b"a" * 200
    other.close()


def test_spool_of_a_killed_process_is_swept_at_the_next_start(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from gateway.runtime.spool import SpoolDirectory\n"
        "sink = SpoolDirectory(Path(sys.argv[1]), bytes, memory_threshold_bytes=1).open_sink()\n"
        "sink.write(b'secret'); print('ready', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        assert [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and p.stat().st_size] == [b"secret"]
        process.send_signal(signal.SIGKILL)
        process.wait()
    spool = SpoolDirectory(tmp_path, bytes)
    left = {path.name for path in tmp_path.iterdir()}
    spool.close()
    assert left == {spool.directory.name, f"{spool.directory.name}.lock"}
