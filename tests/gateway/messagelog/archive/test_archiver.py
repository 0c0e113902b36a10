from __future__ import annotations

import asyncio
import io
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.messagelog import store
from gateway.messagelog.archive import journal
from gateway.messagelog.archive.journal import Command
from gateway.messagelog.archive.model import ArchivedRecord, ArchivedRefusal
from gateway.messagelog.archive.names import parse_archive_name
from gateway.messagelog.archive.places import FolderPlace
from gateway.messagelog.archive.reader import ArchiveReader
from gateway.messagelog.documents import document_name
from gateway.messagelog.model import Side
from gateway.runtime.database import Database
from gateway.xroad.asic.container import read_container
from gateway.xroad.asic.verify import verify_container
from gateway.xroad.faults import ConfigurationUnusable, LoggingUnavailable
from gateway.xroad.ledger import entry_leaf
from tests.factories.archives import a_stamped_logbook, an_archiver, archive, judge, judge_all, refuse, stamp
from tests.factories.messagelog import Logbook, a_demo_globalconf, a_message
from tests.factories.messages import a_member, a_rest_request, a_service, a_subsystem

ONE = a_subsystem("ONE", member=a_member("10000001"))
OTHER = a_subsystem("OTHER", member=a_member("10000001"))
TWO = a_subsystem("TWO", member=a_member("20000002"))


@pytest.fixture
async def book(sqlite_database: Database, tmp_path: Path) -> AsyncIterator[Logbook]:
    async with a_stamped_logbook(sqlite_database, tmp_path) as opened:
        yield opened


async def fill(book: Logbook, count: int) -> None:
    for number in range(count):
        await book.record(a_message(f"q-{number}"))
    await stamp(book)


def zips(folder: Path) -> list[Path]:
    return sorted((folder / "archive").glob("*.zip"))


def facts_in(folder: Path) -> list[ArchivedRecord | ArchivedRefusal]:
    with ArchiveReader(FolderPlace(folder / "archive")) as reader:
        return [fact for file in reader.files for fact in file.facts()]


def check_whole(book: Logbook, folder: Path, last: int) -> None:
    """Every entry up to `last` is in exactly one file, every container holds, and nothing else lies there."""
    with book.database.reading() as connection:
        hashes = dict(store.walk_hashes(connection))
        rows = connection.execute(text("SELECT sequence FROM archived_entries")).scalars().all()
        files = journal.read_files(connection)
        assert journal.read_archived_through(connection) == last
        assert journal.count_unverified(connection) == 0
    assert sorted(rows) == list(range(1, last + 1))
    assert Counter(fact.sequence for fact in facts_in(folder)) == Counter(range(1, last + 1))
    assert all(fact.content_hash == hashes[fact.sequence] for fact in facts_in(folder))
    conf = a_demo_globalconf()
    covered: list[int] = []
    known: set[str] = set()
    with ArchiveReader(FolderPlace(folder / "archive")) as reader:
        for file in reader.files:
            named = {fact.container for fact in file.facts() if isinstance(fact, ArchivedRecord)}
            held = dict(file.containers()) if file.has_containers else {}
            assert set(held) == named
            for container in held.values():
                verify_container(read_container(container), conf)
        for first, until, name in reader.leaves_names:
            leaves = reader.read_leaves(name)
            known.add(name)
            covered += range(first, until + 1)
            assert all(leaves.of(n) == entry_leaf(n, hashes[n]) for n in range(first, until + 1))
    assert covered == list(range(1, last + 1))
    for stored in files:
        assert stored.location == str(folder / "archive")
        parsed = parse_archive_name(stored.name)
        assert parsed is not None
        known |= {stored.name, parsed.records}
    assert {path.name for path in (folder / "archive").iterdir()} == known
    assert [path.name for path in (folder / "staging").iterdir()] == [".lock"]
    for group in {stored.group for stored in files}:
        judge_all([folder / "archive" / s.name for s in files if s.group == group and s.name.endswith(".zip")])


async def test_everything_stamped_is_archived_whole(book: Logbook, tmp_path: Path) -> None:
    await fill(book, 3)
    await book.record(a_rest_request("POST", body=b"a body", message_id="q-rest"), side="provider")
    await refuse(book)
    await stamp(book)
    tally = await archive(book, tmp_path)
    assert (tally.entries, tally.files, tally.archived_through) == (5, 1, 5)
    check_whole(book, tmp_path, 5)
    assert (await archive(book, tmp_path)).entries == 0


async def test_what_waits_for_its_time_stamp_waits_and_so_does_what_follows(book: Logbook, tmp_path: Path) -> None:
    await fill(book, 2)
    await refuse(book)
    await book.record(a_message("unstamped"))
    await refuse(book)
    assert (await archive(book, tmp_path)).archived_through == 3
    check_whole(book, tmp_path, 3)
    await stamp(book)
    assert (await archive(book, tmp_path)).archived_through == 5
    check_whole(book, tmp_path, 5)


async def test_bytes_are_laid_out_as_the_reference_lays_them_out(book: Logbook, tmp_path: Path) -> None:
    await fill(book, 2)
    await archive(book, tmp_path)
    (path,) = zips(tmp_path)
    data = path.read_bytes()
    with book.database.reading() as connection:
        records = list(store.walk_records(connection))
    expected: list[bytes] = []
    directory: list[bytes] = []
    with zipfile.ZipFile(path) as opened:
        names = opened.namelist()
        assert names == [*(document_name(record) for record in records), "linkinginfo"]
        contents = [opened.read(name) for name in names]
    seconds = int(records[0].time.timestamp())
    moment = records[0].time
    time, date = (
        moment.hour << 11 | moment.minute << 5 | moment.second // 2,
        ((moment.year - 1980) << 9 | moment.month << 5 | moment.day),
    )
    extra = b"UT\x05\x00\x01" + struct.pack("<L", seconds)
    for name, content in zip(names, contents, strict=True):
        offset = sum(map(len, expected))
        raw, crc, size = name.encode(), zlib.crc32(content), len(content)
        assert size <= 0xFFFF
        local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0x0808, 8, time, date, 0, 0, 0, len(raw), len(extra))
        block = struct.pack("<BHH", 1, size, size ^ 0xFFFF)  # deflate at level 0: a stored block, the last one
        expected.append(
            local + raw + extra + block + content + struct.pack("<4s3L", b"PK\x07\x08", crc, size + 5, size)
        )
        directory.append(
            struct.pack(
                "<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0x0808, 8, time, date, crc, size + 5, size,
                len(raw), len(extra), 0, 0, 0, 0, offset,
            ) + raw + extra
        )  # fmt: skip
    start, listing = sum(map(len, expected)), b"".join(directory)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 3, 3, len(listing), start, 0)
    assert data == b"".join(expected) + listing + end


async def test_containers_are_those_that_a_client_gets(book: Logbook, tmp_path: Path) -> None:
    await fill(book, 2)
    await archive(book, tmp_path)
    with book.database.reading() as connection:
        record = store.read_record(connection, 2)
    assert record is not None
    with zipfile.ZipFile(zips(tmp_path)[0]) as opened:
        container = opened.read(document_name(record))
    with zipfile.ZipFile(io.BytesIO(container)) as inner:
        assert inner.read("message.xml") == record.message


async def test_file_is_rotated_once_it_is_larger_than_the_limit(book: Logbook, tmp_path: Path) -> None:
    await fill(book, 5)
    tally = await archive(book, tmp_path, max_file_bytes=12_000)
    sizes = [sum(e.file_size for e in zipfile.ZipFile(path).infolist()[:-1]) for path in zips(tmp_path)]
    assert tally.files == len(sizes) > 1
    assert sum(size > 12_000 for size in sizes) >= len(sizes) - 1  # asked after adding, as the reference does
    check_whole(book, tmp_path, 5)


async def test_members_have_files_and_chains_of_their_own(book: Logbook, tmp_path: Path) -> None:
    for number, client in enumerate((ONE, TWO, OTHER, TWO, ONE)):
        await book.record(a_message(f"q-{number}", client=client))
    await refuse(book, side=Side.CONSUMER, client="UA-DEMO/GOV/20000002/TWO")
    await stamp(book)
    await archive(book, tmp_path, grouping="member", entries_per_run=4)
    check_whole(book, tmp_path, 6)
    with book.database.reading() as connection:
        files = journal.read_files(connection)
    assert [(file.group, file.entries) for file in files] == [
        (str(ONE.member), 2), (str(TWO.member), 2), (str(ONE.member), 1), (str(TWO.member), 1)
    ]  # fmt: skip
    assert all(str(file.group).replace("/", "_") in file.name for file in files)
    first, second = (tmp_path / "archive" / file.name for file in (files[0], files[2]))
    judge(second, judge(first))


async def test_subsystems_have_files_of_their_own_too(book: Logbook, tmp_path: Path) -> None:
    for number, client in enumerate((ONE, OTHER, ONE.member)):
        await book.record(a_message(f"q-{number}", client=client))
    await stamp(book)
    await archive(book, tmp_path, grouping="subsystem")
    check_whole(book, tmp_path, 3)
    with book.database.reading() as connection:
        groups = [file.group for file in journal.read_files(connection)]
    assert groups == [str(ONE.member), str(ONE), str(OTHER)]


async def test_provider_is_the_group_where_this_server_answered(book: Logbook, tmp_path: Path) -> None:
    await book.record(a_message("q", client=ONE, service=a_service(provider=TWO)), side="provider")
    await stamp(book)
    await archive(book, tmp_path, grouping="member")
    with book.database.reading() as connection:
        assert [file.group for file in journal.read_files(connection)] == [str(TWO.member)]


async def test_group_with_nothing_but_refusals_has_facts_and_no_containers(book: Logbook, tmp_path: Path) -> None:
    await refuse(book, side=Side.CONSUMER, client=None)
    await refuse(book, side=Side.CONSUMER, client="not a client")
    await book.record(a_message("q", client=ONE))
    await stamp(book)
    await archive(book, tmp_path, grouping="member")
    check_whole(book, tmp_path, 3)
    assert len(zips(tmp_path)) == 1
    with book.database.reading() as connection:
        nobody, _ = journal.read_files(connection)
    assert (nobody.group, nobody.name.endswith(".records.jsonl")) == ("", True)


async def test_record_that_was_changed_is_archived_reported_and_stays(
    book: Logbook, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(book, 3)
    with book.database.transaction() as connection:
        connection.execute(text("UPDATE message_records SET x_request_id = 'r-other' WHERE sequence = 2"))
    tally = await archive(book, tmp_path)
    assert (tally.entries, tally.unverified) == (3, 1)
    assert [fact.sequence for fact in facts_in(tmp_path) if getattr(fact, "unverified", None)] == [2]
    with book.database.reading() as connection:
        assert journal.read_unverified(connection, 9) == [(2, "the contents of the record were changed")]
    assert "stays in the log" in caplog.text
    judge(zips(tmp_path)[0])


async def test_container_that_does_not_hold_stops_nothing_else(book: Logbook, tmp_path: Path) -> None:
    await fill(book, 3)
    with book.database.transaction() as connection:
        connection.execute(text("UPDATE timestamps SET token = zeroblob(100)"))
    await book.record(a_message("later"))
    await stamp(book)
    tally = await archive(book, tmp_path)
    assert (tally.entries, tally.unverified, tally.archived_through) == (4, 3, 4)


async def test_container_that_holds_later_is_let_go_of(book: Logbook, tmp_path: Path) -> None:
    await fill(book, 2)

    def nothing(_: object) -> None:
        raise ConfigurationUnusable("global_conf_outdated", "configuration.absent")

    tally = await archive(book, tmp_path, globalconf=nothing)
    assert tally.unverified == 2
    await archive(book, tmp_path)
    with book.database.reading() as connection:
        assert journal.count_unverified(connection) == 0
    assert [fact.sequence for fact in facts_in(tmp_path)] == [1, 2]


async def test_container_in_the_archive_that_is_not_the_one_of_today_is_not_let_go_of(
    book: Logbook, tmp_path: Path
) -> None:
    await fill(book, 2)
    with book.database.transaction() as connection:
        kept = connection.execute(text("SELECT message FROM message_records WHERE sequence = 1")).scalar_one()
        connection.execute(text("UPDATE message_records SET message = x'41' WHERE sequence = 1"))
    await archive(book, tmp_path)
    with book.database.transaction() as connection:  # the row is put right, the archive is not
        connection.execute(text("UPDATE message_records SET message = :m WHERE sequence = 1"), {"m": kept})
    await archive(book, tmp_path)
    with book.database.reading() as connection:
        assert [sequence for sequence, _ in journal.read_unverified(connection, 9)] == [1]


async def test_record_whose_body_is_gone_waits_in_the_log_until_it_is_back(book: Logbook, tmp_path: Path) -> None:
    await book.record(a_rest_request("POST", body=b"a body", message_id="q-rest"))
    await fill(book, 1)
    (body,) = (path for path in (tmp_path / "bodies").rglob("*") if path.is_file())
    away = body.rename(tmp_path / "away")
    tally = await archive(book, tmp_path)
    assert (tally.entries, tally.left_out, tally.archived_through) == (1, 1, 2)
    with book.database.reading() as connection:
        ((sequence, reason),) = journal.read_unverified(connection, 9)
    assert sequence == 1
    assert "body_missing" in reason
    away.rename(body)
    await archive(book, tmp_path)
    assert sorted(fact.sequence for fact in facts_in(tmp_path)) == [1, 2]
    check_whole(book, tmp_path, 2)


async def test_row_that_is_missing_is_told_and_its_leaf_kept_empty(
    book: Logbook, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(book, 3)
    with book.database.transaction() as connection:
        connection.execute(text("DELETE FROM record_timestamps WHERE sequence = 2"))
        connection.execute(text("DELETE FROM message_records WHERE sequence = 2"))
    tally = await archive(book, tmp_path)
    assert (tally.entries, tally.missing, tally.archived_through) == (2, 1, 3)
    assert "missing" in caplog.text
    with ArchiveReader(FolderPlace(tmp_path / "archive")) as reader:
        leaves = reader.read_leaves(reader.leaves_names[0][2])
    assert leaves.of(2) == bytes(32)
    assert bytes(32) not in (leaves.of(1), leaves.of(3))


@pytest.mark.parametrize(
    "column", ["client", "side", "time_ms", "content_hash", "previous_hash", "skeleton_key", "message"]
)
async def test_row_of_nonsense_stops_nothing_else(book: Logbook, tmp_path: Path, column: str) -> None:
    await fill(book, 3)
    with book.database.transaction() as connection:
        connection.execute(text(f"UPDATE message_records SET {column} = 'nonsense' WHERE sequence = 2"))
    tally = await archive(book, tmp_path)
    assert tally.archived_through == 3
    assert tally.unverified + tally.left_out >= 1
    with book.database.reading() as connection:
        assert 2 in [sequence for sequence, _ in journal.read_unverified(connection, 9)]


async def test_postgres_is_archived_just_so(postgres_database: Database, tmp_path: Path) -> None:
    async with a_stamped_logbook(postgres_database, tmp_path) as book:
        await fill(book, 3)
        await refuse(book)
        await book.record(a_rest_request("POST", body=b"a body", message_id="q-rest"))
        await stamp(book)
        await archive(book, tmp_path, entries_per_run=2)
        check_whole(book, tmp_path, 5)


class Stopped(BaseException):
    """As if the process had been killed here."""


class Stopper:
    """Stops at a step: before or after a command, before or after a file is brought to its place."""

    def __init__(self, stop_at: int) -> None:
        self.steps = 0
        self._stop_at = stop_at

    def step(self) -> None:
        self.steps += 1
        if self.steps == self._stop_at:
            raise Stopped


class StoppedPlace(FolderPlace):
    """A folder that is reached step by step."""

    def __init__(self, folder: Path, stopper: Stopper) -> None:
        super().__init__(folder)
        self._stopper = stopper

    def put(self, name: str, source: Path) -> None:
        self._stopper.step()
        super().put(name, source)
        self._stopper.step()


async def archive_until(book: Logbook, folder: Path, stop_at: int) -> int:
    """Archive in several runs and groups until a step, and return how many steps there were."""
    stopper = Stopper(stop_at)
    archiver = an_archiver(
        book, folder, place=StoppedPlace(folder / "archive", stopper), grouping="member", max_file_bytes=12_000,
        entries_per_run=6,
    )  # fmt: skip
    carry_out = archiver.journal

    def step_by_step(command: Command) -> None:
        stopper.step()
        carry_out(command)
        stopper.step()

    object.__setattr__(archiver, "journal", step_by_step)
    try:
        await asyncio.to_thread(archiver.run)
    except Stopped:
        assert stopper.steps == stop_at
    return stopper.steps


async def test_stopped_at_any_step_the_next_run_leaves_no_gap_and_no_double(
    sqlite_database: Database, tmp_path: Path
) -> None:
    """One log is grown and stopped at each step in turn, so a stop also meets what earlier stops left."""
    async with a_stamped_logbook(sqlite_database, tmp_path) as book:
        last = 0

        async def grow() -> None:
            nonlocal last
            for number, client in enumerate((ONE, TWO, ONE)):
                await book.record(a_message(f"q-{last}-{number}", client=client))
            await refuse(book, client=None, side=Side.CONSUMER)
            await stamp(book)
            last += 4

        await grow()
        steps = await archive_until(book, tmp_path, -1)
        check_whole(book, tmp_path, last)
        for stop_at in range(1, steps + 1):
            await grow()
            await archive_until(book, tmp_path, stop_at)
            if stop_at % 3 == 0:
                await grow()  # more came before the next start
            await archive_until(book, tmp_path, -1)
        check_whole(book, tmp_path, last)


async def test_place_that_cannot_be_reached_keeps_the_file_and_the_run_for_later(book: Logbook, tmp_path: Path) -> None:
    await fill(book, 2)
    (tmp_path / "archive").write_text("a file where the folder should be")
    with pytest.raises(LoggingUnavailable) as refusal:
        await archive(book, tmp_path)
    assert refusal.value.text_id == "archive.place"
    with book.database.reading() as connection:
        (staged,) = journal.read_files(connection, is_delivered=False)
        assert journal.read_archived_through(connection) == 0
    (tmp_path / "archive").unlink()
    assert (await archive(book, tmp_path)).archived_through == 2
    check_whole(book, tmp_path, 2)
    assert [path.name for path in zips(tmp_path)] == [staged.name]


async def test_files_of_others_in_the_place_are_left_alone(book: Logbook, tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    other = tmp_path / "archive" / "mlog-20200101000000-20200101000000-0123456789abcdef.zip"
    other.write_bytes(b"of the server before this one")
    await fill(book, 1)
    await archive(book, tmp_path)
    assert other.read_bytes() == b"of the server before this one"


async def test_linking_goes_by_the_digest_that_was_chosen(book: Logbook, tmp_path: Path) -> None:
    await fill(book, 1)
    await archive(book, tmp_path, digest="SHA-512")
    await fill(book, 1)
    await archive(book, tmp_path, digest="SHA-256")
    with book.database.reading() as connection:
        first, second = (tmp_path / "archive" / file.name for file in journal.read_files(connection))
    assert len(judge(second, judge(first))) == 64


async def test_large_bodies_are_archived_without_being_held_in_memory(
    sqlite_database: Database, tmp_path: Path
) -> None:
    body = bytes(range(256)) * 40_000
    async with a_stamped_logbook(sqlite_database, tmp_path, max_body_bytes=len(body)) as book:
        await book.record(a_rest_request("POST", body=body, message_id="q-rest"))
        await stamp(book)
        await archive(book, tmp_path)
        check_whole(book, tmp_path, 1)
    with ArchiveReader(FolderPlace(tmp_path / "archive")) as reader:
        found = reader.container(1)
        assert found is not None
        assert b"".join(read_container(found[1]).attachments[1].chunks()) == body
