from __future__ import annotations

import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.messagelog.archive.leaves import parse_leaves
from gateway.messagelog.archive.model import ArchivedRecord, ArchivedRefusal
from gateway.messagelog.archive.names import leaves_name
from gateway.messagelog.archive.places import FolderPlace
from gateway.messagelog.archive.reader import ArchiveReader
from gateway.runtime.database import Database
from gateway.xroad.faults import LoggingUnavailable, MalformedMessage, XRoadFault
from tests.factories.archives import a_stamped_logbook, archive, refuse, stamp
from tests.factories.messagelog import Logbook, a_message
from tests.factories.messages import a_member, a_subsystem

ONE, TWO = a_subsystem("ONE", member=a_member("10000001")), a_subsystem("TWO", member=a_member("20000002"))


@pytest.fixture
async def book(sqlite_database: Database, tmp_path: Path) -> AsyncIterator[Logbook]:
    async with a_stamped_logbook(sqlite_database, tmp_path) as opened:
        yield opened


async def fill(book: Logbook, folder: Path, runs: int) -> None:
    """Archive two members in several runs, so that each has a chain of as many files."""
    for number in range(runs):
        for client in (ONE, TWO):
            await book.record(a_message(f"q-{number}", client=client))
        await stamp(book)
        await archive(book, folder, grouping="member")


class Counted(FolderPlace):
    """A folder that is read in ranges, as a bucket is."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.bytes_read = 0

    def read(self, name: str, start: int, stop: int) -> bytes:
        data = super().path(name).read_bytes()[start:stop]
        self.bytes_read += len(data)
        return data

    def path(self, name: str) -> None:  # type: ignore[override]
        return None

    def size(self, name: str) -> int | None:
        return super().path(name).stat().st_size


def reader(folder: Path) -> ArchiveReader:
    return ArchiveReader(FolderPlace(folder / "archive"))


async def test_files_come_in_the_order_in_which_they_are_linked(book: Logbook, tmp_path: Path) -> None:
    await fill(book, tmp_path, 3)
    with reader(tmp_path) as opened:
        assert [chain.is_complete for chain in opened.chains] == [True, True]
        for chain, first in zip(opened.chains, (1, 2), strict=True):
            assert [fact.sequence for file in chain.files for fact in file.facts()] == [first, first + 2, first + 4]


async def test_chain_with_a_file_missing_is_two_and_the_second_says_so(book: Logbook, tmp_path: Path) -> None:
    await fill(book, tmp_path, 3)
    with reader(tmp_path) as opened:
        middle = opened.chains[0].files[1]
    (tmp_path / "archive" / middle.containers_name).unlink()
    with reader(tmp_path) as opened:
        assert sorted(chain.is_complete for chain in opened.chains) == [False, True, True]


async def test_file_that_cannot_be_read_stands_alone(book: Logbook, tmp_path: Path) -> None:
    await fill(book, tmp_path, 2)
    with reader(tmp_path) as opened:
        damaged = tmp_path / "archive" / opened.chains[0].files[0].containers_name
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with reader(tmp_path) as opened:
        alone = [chain for chain in opened.chains if chain.files[0].containers_name == damaged.name]
        assert [(len(chain.files), chain.is_complete) for chain in alone] == [(1, False)]


async def test_entries_are_found_by_number_whatever_file_they_are_in(book: Logbook, tmp_path: Path) -> None:
    await fill(book, tmp_path, 2)
    await refuse(book)
    await archive(book, tmp_path)
    with reader(tmp_path) as opened:
        for sequence in range(1, 5):
            found = opened.find(sequence)
            assert found is not None
            assert isinstance(found.fact, ArchivedRecord)
            assert opened.container(sequence) == (found.fact.container, found.file.container(found.fact.container))
        refusal = opened.find(5)
        assert refusal is not None
        assert isinstance(refusal.fact, ArchivedRefusal)
        assert opened.container(5) is None
        assert opened.find(6) is None


async def test_a_container_is_read_without_the_rest_of_its_file(book: Logbook, tmp_path: Path) -> None:
    for number in range(30):
        await book.record(a_message(f"q-{number}"))
    await stamp(book)
    await archive(book, tmp_path)
    place = Counted(tmp_path / "archive")
    with ArchiveReader(place) as opened:
        (file,) = opened.files
        whole = file.entry(file.entry_names()[0]).size * 30
        place.bytes_read = 0
        file.container(file.entry_names()[17])
        assert place.bytes_read < whole / 20


async def test_an_empty_or_absent_place_holds_nothing(tmp_path: Path) -> None:
    with reader(tmp_path) as opened:
        assert (opened.files, opened.chains, opened.leaves_names, opened.find(1)) == ((), (), (), None)


async def test_file_that_went_away_is_told(book: Logbook, tmp_path: Path) -> None:
    await fill(book, tmp_path, 1)
    with reader(tmp_path) as opened:
        file = opened.files[0]
        (tmp_path / "archive" / file.containers_name).unlink()
        with pytest.raises(LoggingUnavailable) as refusal:
            list(file.containers())
    assert refusal.value.text_id == "archive.file_missing"


async def test_entry_that_nobody_linked_makes_the_file_unreadable_where_its_name_has_no_place(
    book: Logbook, tmp_path: Path
) -> None:
    await fill(book, tmp_path, 1)
    with reader(tmp_path) as opened:
        path = tmp_path / "archive" / opened.files[0].containers_name
    with zipfile.ZipFile(path, "a") as changed:
        changed.writestr("readme.txt", "hello")
    with reader(tmp_path) as opened, pytest.raises(MalformedMessage) as refusal:
        opened.files[0].entry_names()
    assert refusal.value.text_id == "asic.zip_entry_unknown"


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_ledger_hashes_that_do_not_fit_their_name_are_refused(size: int) -> None:
    with pytest.raises(MalformedMessage):
        parse_leaves(leaves_name(1, 1), bytes(size))


STEM = "mlog-20260101000000-20260101000000-0123456789abcdef"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=300), st.sampled_from([".gpg", ""]))
def test_any_bytes_in_the_files_are_read_or_refused(
    tmp_path: Path, containers: bytes, facts: bytes, encrypted: str
) -> None:
    (tmp_path / f"{STEM}.zip{encrypted}").write_bytes(containers)
    (tmp_path / f"{STEM}.records.jsonl{encrypted}").write_bytes(facts)
    with ArchiveReader(FolderPlace(tmp_path)) as opened:
        assert all(len(chain.files) == 1 for chain in opened.chains)
        for file in opened.files:
            for ask in (lambda f=file: list(f.facts()), lambda f=file: list(f.containers()), lambda f=file: f.linking):
                try:
                    ask()
                except XRoadFault:
                    continue
