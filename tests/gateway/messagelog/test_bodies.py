from __future__ import annotations

import os
from datetime import date
from functools import partial
from pathlib import Path

import pytest

from gateway.messagelog.bodies import BodyStore
from gateway.runtime.spool import SpoolDirectory
from gateway.xroad.bodies import BytesBody
from gateway.xroad.digests import Digest, DigestAlgorithm

DAY = date(2026, 11, 21)


@pytest.fixture
def store(tmp_path: Path) -> BodyStore:
    return BodyStore(tmp_path / "bodies")


def test_kept_body_is_read_back(store: BodyStore) -> None:
    body = BytesBody(b"x" * 600_000)
    stored = store.open(store.keep(body, DAY), body.size, body.digest.value)
    assert b"".join(stored.chunks()) == body.data
    assert (stored.size, stored.digest) == (body.size, body.digest)
    assert stored.path.parent.name == "2026-11-21"
    assert stored.path.stat().st_mode & 0o777 == 0o600


def test_spooled_body_is_linked_not_copied(store: BodyStore, tmp_path: Path) -> None:
    spool = SpoolDirectory(tmp_path / "spool", partial(Digest, DigestAlgorithm.SHA512), memory_threshold_bytes=1)
    sink = spool.open_sink()
    sink.write(b"spooled")
    body = sink.finish()
    assert body.path is not None
    assert os.path.samefile(body.path, store.root / store.keep(body, DAY))
    spool.close()


def test_spooled_body_of_another_file_system_is_copied(store: BodyStore, tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    spool = SpoolDirectory(elsewhere / f"surma-{os.getpid()}", bytes, memory_threshold_bytes=1)
    sink = spool.open_sink()
    sink.write(b"spooled")
    location = store.keep(sink.finish(), DAY)  # type: ignore[arg-type]
    spool.close()
    spool.directory.parent.rmdir()
    assert (store.root / location).read_bytes() == b"spooled"


def test_sweep_removes_what_nobody_knows_of_the_last_days(store: BodyStore) -> None:
    known = store.keep(BytesBody(b"known"), DAY)
    store.keep(BytesBody(b"unknown"), DAY)
    store.keep(BytesBody(b"late yesterday"), date(2026, 11, 20))
    store.keep(BytesBody(b"swept by an earlier start"), date(2026, 11, 19))
    assert store.sweep(lambda locations: {known} & set(locations), DAY) == 2
    assert sorted(path.read_bytes() for path in store.root.rglob("*") if path.is_file()) == [
        b"known",
        b"swept by an earlier start",
    ]


def test_sweep_of_an_empty_log_removes_everything(store: BodyStore) -> None:
    store.keep(BytesBody(b"unknown"), DAY)
    assert store.sweep(lambda _: set(), None) == 1


def test_nothing_to_sweep_before_the_first_body(store: BodyStore) -> None:
    assert store.sweep(lambda _: set(), None) == 0
