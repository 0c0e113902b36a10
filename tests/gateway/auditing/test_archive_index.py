from __future__ import annotations

import asyncio
import shutil
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.auditing.archive_index import ArchiveIndex
from gateway.auditing.model import Exchange, Query
from gateway.messagelog import index_search
from gateway.messagelog.archive.model import EncryptionSettings
from gateway.messagelog.archive.openpgp import OpenPgpKeys
from gateway.messagelog.archive.places import FolderPlace
from gateway.runtime.database import Database
from gateway.xroad.faults import LoggingUnavailable
from tests.factories.archives import a_stamped_logbook, archive, refuse, stamp
from tests.factories.index import ALL
from tests.factories.messagelog import Logbook, a_message
from tests.factories.messages import a_soap_response


@pytest.fixture
async def book(sqlite_database: Database, tmp_path: Path) -> AsyncIterator[Logbook]:
    async with a_stamped_logbook(sqlite_database, tmp_path) as opened:
        yield opened


async def fill(book: Logbook, folder: Path, name: str, **settings: Any) -> set[Path]:
    """Record two exchanges and a refusal, archive them, and return the new files."""
    for number in range(2):
        request = a_message(f"{name}-{number}")
        await book.record(request, request_id=f"{name}-{number}")
        await book.record(a_soap_response(request), request_id=f"{name}-{number}")
    await refuse(book, query_id=f"{name}-refused", x_request_id=f"{name}-refused")
    book.clock.advance(seconds=1)
    await stamp(book)
    before = set((folder / "archive").glob("mlog-*"))
    await archive(book, folder, **settings)
    return set((folder / "archive").glob("mlog-*")) - before


class Cache:
    """A cache over `folder`/archive, opened for one look at a time."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.path = folder / "cache" / "archives.db"
        self.place = FolderPlace(folder / "archive")
        self.options = options
        self.read_bytes = 0

    def build(self, **progress: Any) -> list[Exchange]:
        index = ArchiveIndex(self.place, self.path, **self.options)
        self.read_bytes = 0
        try:
            index.build(**{"noted": self._note, **progress})
            self.troubles = index.troubles()
            return list(index_search.walk(index.database, Query(), ALL))
        finally:
            index.close()

    def _note(self, done: int, total: int) -> None:
        self.read_bytes = total


def ids_of(found: list[Exchange]) -> list[str | None]:
    return [exchange.query_id for exchange in found]


FIRST, SECOND = ["a-0", "a-1", "a-refused"], ["b-0", "b-1", "b-refused"]


async def test_new_archive_continues_the_index(book: Logbook, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    await fill(book, tmp_path, "a")
    assert ids_of(cache.build()) == FIRST
    files = await fill(book, tmp_path, "b")
    assert ids_of(cache.build()) == FIRST + SECOND
    assert cache.read_bytes == sum(path.stat().st_size for path in files if path.suffix == ".jsonl")
    assert ids_of(cache.build()) == FIRST + SECOND
    assert cache.read_bytes == 0


async def test_exchange_that_two_archives_share_is_joined_whichever_came_first(book: Logbook, tmp_path: Path) -> None:
    request = a_message("a-0")
    await book.record(request)
    await stamp(book)
    await archive(book, tmp_path)
    older = list((tmp_path / "archive").glob("mlog-*"))
    await book.record(a_soap_response(request))
    await stamp(book)
    await archive(book, tmp_path)
    cache, elsewhere = Cache(tmp_path), tmp_path / "elsewhere"
    elsewhere.mkdir()
    for path in older:
        shutil.move(path, elsewhere)
    assert [(one.request, one.response) for one in cache.build()] == [(None, 2)]
    for path in older:
        shutil.move(elsewhere / path.name, path)
    assert [(one.request, one.response) for one in cache.build()] == [(1, 2)]


async def test_what_is_gone_from_the_place_is_found_no_more(book: Logbook, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    await fill(book, tmp_path, "a")
    files = await fill(book, tmp_path, "b")
    cache.build()
    for path in files:
        path.unlink()
    assert ids_of(cache.build()) == FIRST


async def test_file_that_was_replaced_is_read_again(book: Logbook, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    (facts,) = [path for path in await fill(book, tmp_path, "a") if path.suffix == ".jsonl"]
    cache.build()
    facts.write_bytes(facts.read_bytes().replace(b"a-1", b"c-1"))
    assert ids_of(cache.build()) == ["a-0", "c-1", "a-refused"]


async def test_build_that_was_stopped_goes_on_where_it_was(book: Logbook, tmp_path: Path) -> None:
    class Stopped(Exception):  # noqa: N818
        pass

    def stop(done: int, total: int) -> None:
        if done < total:
            raise Stopped

    cache = Cache(tmp_path)
    sizes = []
    for name in ("a", "b"):
        sizes += [path.stat().st_size for path in await fill(book, tmp_path, name) if path.suffix == ".jsonl"]
    with pytest.raises(Stopped):
        cache.build(noted=stop)
    assert ids_of(cache.build()) == FIRST + SECOND
    assert cache.read_bytes in sizes


async def test_copy_of_an_archive_doubles_nothing(book: Logbook, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for path in await fill(book, tmp_path, "a"):
        shutil.copy(path, path.with_name(path.name.replace("mlog-", "mlog-copy-")))
    assert ids_of(cache.build()) == FIRST


async def test_line_that_cannot_be_read_ends_its_file_and_is_told(book: Logbook, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    (facts,) = [path for path in await fill(book, tmp_path, "a") if path.suffix == ".jsonl"]
    lines = facts.read_bytes().splitlines(keepends=True)
    facts.write_bytes(b"".join([*lines[:2], b"{}\n", *lines[3:]]))
    await fill(book, tmp_path, "b")
    assert ids_of(cache.build()) == ["a-0", *SECOND]
    assert cache.troubles == {facts.name: "archive.record_line"}
    assert ids_of(cache.build()) == ["a-0", *SECOND]


async def test_damaged_container_is_found_by_its_facts(book: Logbook, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    (containers,) = [path for path in await fill(book, tmp_path, "a") if path.suffix == ".zip"]
    content = bytearray(containers.read_bytes())
    content[200:400] = bytes(200)
    containers.write_bytes(content)
    assert ids_of(cache.build()) == FIRST


async def test_encrypted_archives_are_read_with_their_key_alone(book: Logbook, tmp_path: Path) -> None:
    from pysequoia import Tsk

    secret = Tsk.generate("Auditor <auditor@example.org>")
    key, certificate = tmp_path / "auditor.key", tmp_path / "auditor.pub"
    key.write_bytes(bytes(secret))
    certificate.write_bytes(bytes(secret.extract_certificate()))
    key.chmod(0o600)
    encryption = EncryptionSettings(recipients=(certificate,))
    await fill(book, tmp_path, "a", encryption=encryption)
    await fill(book, tmp_path, "b")
    assert ids_of(Cache(tmp_path).build()) == SECOND
    opened = Cache(tmp_path, decryptor=OpenPgpKeys([key]))
    assert ids_of(opened.build()) == FIRST + SECOND
    assert opened.troubles == {}


@pytest.mark.parametrize("content", [b"", b"no database" * 1000, b"SQLite format 3\0" + bytes(5000)])
async def test_cache_that_is_damaged_is_made_anew(book: Logbook, tmp_path: Path, content: bytes) -> None:
    cache = Cache(tmp_path)
    await fill(book, tmp_path, "a")
    cache.build()
    for path in cache.path.parent.iterdir():
        path.unlink()
    cache.path.write_bytes(content)
    assert ids_of(cache.build()) == FIRST


async def test_cache_of_another_place_is_not_believed(book: Logbook, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    await fill(book, tmp_path, "a")
    cache.build()
    cache.place = FolderPlace(tmp_path / "nothing here")
    assert cache.build() == []


async def test_cache_that_cannot_be_written_says_what_to_do(book: Logbook, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(LoggingUnavailable) as refused:
        Cache(tmp_path).build()
    assert refused.value.text_id == "index.cache_unusable"


async def test_cache_is_for_its_owner_alone(book: Logbook, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    await asyncio.to_thread(cache.build)
    assert {stat.S_IMODE(path.stat().st_mode) for path in cache.path.parent.iterdir()} == {0o600}
