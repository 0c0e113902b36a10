from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.messagelog.archive.places import FolderPlace
from gateway.messagelog.archive.reader import ArchiveReader
from gateway.messagelog.bodies import BodyStore
from gateway.messagelog.checkpoints import Checkpointer, export_checkpoint
from gateway.messagelog.completeness.check import check_archives, check_completeness
from gateway.messagelog.completeness.model import Completeness
from gateway.messagelog.encryption import LogKeys, add_key
from gateway.messagelog.reader import MessageReader
from gateway.runtime.database import Database, open_database
from gateway.xroad.checkpoint import Export, parse_export
from gateway.xroad.faults import ConfigurationUnusable, MalformedMessage, SignatureRefused
from gateway.xroad.globalconf.lookup import GlobalConf
from tests.factories.ledger import a_checkpoint, a_checkpointer, a_head, refuse
from tests.factories.messagelog import Logbook, a_logbook, a_message
from tests.factories.messages import a_rest_request, a_server
from tests.factories.pki import NOON
from tests.factories.signatures import a_world
from tests.tampering.deeds import make_original
from tests.tampering.superuser import Superuser
from tests.tampering.untouched import TAKEN, Untouched

SIZE = 1000  # entries: three full blocks and a part of one


def trust(_: object) -> GlobalConf:
    return a_world().globalconf


def found_in(result: Completeness) -> list[tuple[str, str]]:
    return [(one.kind.value, one.place) for one in result.findings]


@dataclass
class Log:
    """A log of refusals with its checkpoints: one of 600 entries, one of 1000 that was taken away, ten more entries."""

    database: Database
    folder: Path
    exports: dict[int, Export]
    notes: dict[int, Export]

    @property
    def superuser(self) -> Superuser:
        return Superuser(self.database, Untouched(self.folder / "bodies", self.folder / "archive", {}, {}))

    def check(self, *exports: Export, **options: Any) -> Completeness:
        options = {"reader": MessageReader(BodyStore(self.folder / "bodies")), "trust": trust, **options}
        return check_completeness(self.database, exports, **options)


async def make(book: Logbook, checkpointer: Checkpointer, count: int) -> None:
    await refuse(book, count)
    await checkpointer.make_checkpoint()
    book.clock.advance(seconds=60)


async def build(database: Database, folder: Path) -> Log:
    async with a_logbook(database, folder) as book:
        checkpointer = a_checkpointer(book)
        await make(book, checkpointer, 600)
        await make(book, checkpointer, SIZE - 600)
        await refuse(book, 10)
        await checkpointer.stop()
    exports, notes = (
        {
            size: parse_export(b"".join(export_checkpoint(database, size, with_leaves=leaves)).splitlines(True))
            for size in (600, SIZE)
        }
        for leaves in (True, False)
    )
    return Log(database, folder, exports, notes)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Log:
    folder = tmp_path_factory.mktemp("log")
    database = open_database(f"sqlite:///{folder}/log.db")
    try:
        return asyncio.run(build(database, folder))
    finally:
        database.close()


@pytest.fixture
def log(original: Log, tmp_path: Path) -> Iterator[Log]:
    """A copy of the log for each test."""
    shutil.copy(original.folder / "log.db", tmp_path / "log.db")
    database = open_database(f"sqlite:///{tmp_path}/log.db")
    yield replace(original, database=database, folder=tmp_path)
    database.close()


def put_another(log: Log, sequence: int) -> Superuser:
    """Put another entry in the place of one, whole and linked."""
    superuser = log.superuser
    superuser.set(sequence, times=77)
    superuser.rehash(sequence)
    return superuser


def test_untouched_log_of_many_blocks_holds(log: Log) -> None:
    told: list[tuple[int, int]] = []
    result = log.check(log.notes[SIZE], progress=lambda done, total: told.append((done, total)))
    assert result.holds
    assert result.is_told
    assert (result.last, result.counts.entries, result.counts.refusals) == (SIZE + 10,) * 3
    assert told[-1] == (1000, SIZE + 10)


def test_replaced_entry_is_named_by_leaves_and_by_tiles(log: Log) -> None:
    put_another(log, 700)
    for kept in (log.exports[SIZE], log.notes[SIZE]):
        assert ("replaced", "700") in found_in(log.check(kept))


def test_upper_tiles_narrow_a_difference_to_their_block(log: Log) -> None:
    superuser = put_another(log, 700)
    upper = superuser.value("SELECT hashes FROM ledger_tiles WHERE level = 1")
    superuser.rechain()
    superuser.retile()
    superuser.sql("UPDATE ledger_tiles SET hashes = :h WHERE level = 1", h=upper)
    superuser.sql("DELETE FROM checkpoints WHERE size = 600")
    result = log.check(log.notes[SIZE])
    assert found_in(result) == [("somewhere", "513–768")]
    assert result.untold == ((513, 768),)


def test_checkpoints_narrow_a_difference_to_what_lies_between_them(log: Log) -> None:
    superuser = put_another(log, 700)
    superuser.rechain()
    superuser.retile()
    assert found_in(log.check(log.notes[SIZE])) == [("somewhere", "601–1000")]
    superuser.sql("DELETE FROM checkpoints")
    assert ("somewhere", "1–1000") in found_in(log.check(log.notes[SIZE]))
    assert ("somewhere", "601–1000") in found_in(log.check(log.notes[SIZE], log.notes[600]))
    assert ("replaced", "700") in found_in(log.check(log.exports[SIZE]))


def test_leaves_of_a_smaller_checkpoint_name_what_lies_before_it(log: Log) -> None:
    superuser = put_another(log, 300)
    superuser.rechain()
    superuser.retile()
    superuser.sql("DELETE FROM checkpoints")
    result = log.check(log.exports[600], log.notes[SIZE])
    assert ("replaced", "300") in found_in(result)
    assert ("somewhere", "1–600") in found_in(log.check(log.notes[600], log.notes[SIZE]))


def test_checkpoints_that_exclude_each_other_prove_a_change_between_them(log: Log) -> None:
    forked = a_checkpoint(a_head(origin=a_server(), size=300, root=bytes(32)))
    result = log.check(Export(forked, None), log.notes[SIZE])
    assert found_in(result) == [("checkpoint", "300")]
    assert result.findings[0].text_id == "ledger.checkpoints_contradict"


def test_whole_block_that_is_gone_is_one_range(log: Log) -> None:
    log.superuser.delete(257, 512)
    assert found_in(log.check(log.notes[SIZE])) == [("missing", "257–512")]


def test_own_checkpoints_alone_guard_what_came_after(log: Log) -> None:
    assert log.check().holds
    put_another(log, 700)
    assert ("replaced", "700") in found_in(log.check())


def test_checkpoint_of_another_server_is_refused(log: Log) -> None:
    other = Export(a_checkpoint(a_head(origin=a_server("SS2"))), None)
    for kept in ((other,), (other, log.notes[SIZE])):
        with pytest.raises(MalformedMessage) as refused:
            log.check(*kept)
        assert refused.value.text_id == "ledger.other_server"


def test_altered_checkpoint_is_refused(log: Log) -> None:
    checkpoint = log.notes[SIZE].checkpoint
    altered = replace(checkpoint, head=replace(checkpoint.head, size=SIZE - 1))
    with pytest.raises(SignatureRefused):
        log.check(Export(altered, None))


def test_altered_leaves_of_an_export_are_refused(log: Log) -> None:
    export = log.exports[600]
    altered = replace(export, leaves=bytes(32) + (export.leaves or b"")[32:])
    with pytest.raises(SignatureRefused) as refused:
        log.check(altered)
    assert refused.value.text_id == "ledger.export_leaves"


def test_without_configuration_nothing_is_decided_that_asks_for_one(log: Log) -> None:
    def nobody(_: object) -> GlobalConf:
        raise ConfigurationUnusable("global_conf_outdated", "configuration.history_begins_later", time="-", begins="-")

    with pytest.raises(ConfigurationUnusable):
        log.check(log.notes[SIZE], trust=nobody)
    result = log.check(log.notes[SIZE], trust=None)
    assert result.holds
    assert [one.proven_at for one in result.against] == [None]


def test_values_of_other_types_are_damage_and_no_crash(log: Log) -> None:
    superuser = log.superuser
    superuser.set(700, times="soon")
    superuser.set(701, content_hash="text")
    superuser.set(702, side="nowhere")
    superuser.sql("UPDATE refusals SET text_id = CAST(:v AS TEXT) WHERE sequence = 703", v=b"\xff\xfe")
    assert found_in(log.check(log.notes[SIZE])) == [("altered", "700"), ("altered", "701"), ("altered", "702–703")]


# Encrypted records


@pytest.fixture
async def encrypted(sqlite_database: Database, tmp_path: Path) -> Log:
    add_key(tmp_path / "keys", NOON)
    async with a_logbook(sqlite_database, tmp_path, encryption_key_file=tmp_path / "keys") as book:
        checkpointer = a_checkpointer(book)
        await book.record(a_message("q-1"))
        await book.record(a_rest_request("POST", body=b"a body"))
        await checkpointer.make_checkpoint()
        await checkpointer.stop()
    note = parse_export(b"".join(export_checkpoint(sqlite_database)).splitlines(True))
    return Log(sqlite_database, tmp_path, {2: note}, {})


def with_keys(log: Log) -> MessageReader:
    keys = LogKeys(log.folder / "keys")
    keys.follow()
    return MessageReader(BodyStore(log.folder / "bodies"), keys)


def test_encrypted_messages_and_bodies_are_opened_and_checked(encrypted: Log) -> None:
    assert encrypted.check(encrypted.exports[2], reader=with_keys(encrypted)).holds
    message = bytearray(encrypted.superuser.get(1, "message"))
    message[40] ^= 1
    encrypted.superuser.set(1, message=bytes(message))
    path = encrypted.superuser.body_of(2)
    path.write_bytes(path.read_bytes()[:-1])
    result = encrypted.check(encrypted.exports[2], reader=with_keys(encrypted))
    assert [(one.kind.value, one.place, one.text_id) for one in result.findings] == [
        ("altered", "1", "ledger.altered_message"),
        ("altered", "2", "ledger.altered_body"),
    ]


def test_without_the_key_they_are_counted_or_named(encrypted: Log) -> None:
    counted = encrypted.check(encrypted.exports[2], opens=False)
    assert (counted.holds, counted.counts.closed) == (True, 2)
    assert found_in(encrypted.check(encrypted.exports[2])) == [("altered", "1–2")]


# Archives alone


def test_archives_alone_are_compared_with_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    original = make_original(tmp_path / "made")
    here = original.untouched
    exports = [parse_export(here.exports[TAKEN].splitlines(keepends=True))]

    def check(folder: Path) -> Completeness:
        with ArchiveReader(FolderPlace(folder)) as archives:
            return check_archives(archives, exports, trust=trust, deep=True)

    whole = check(here.archives)
    assert (whole.holds, whole.counts.archived, whole.counts.elsewhere) == (True, 18, TAKEN - 18)
    with original.copied(tmp_path / "copy") as superuser:
        superuser.edit_facts(2, lambda lines: [line for line in lines if line["sequence"] != 9])
        superuser.edit_facts(
            1, lambda lines: [line | {"query_id": "x"} if line["sequence"] == 3 else line for line in lines]
        )
        result = check(superuser.here.archives)
    assert {place for place in found_in(result) if place[1] != "-"} == {("archive", "3"), ("missing", "9")}


async def test_log_without_checkpoint_is_compared_with_itself(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        await book.record(a_message())
    result = check_completeness(sqlite_database, [], reader=MessageReader(BodyStore(tmp_path / "bodies")))
    assert (result.holds, result.last, result.against) == (True, 1, ())
