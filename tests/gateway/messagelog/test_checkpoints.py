from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gateway.messagelog.checkpoints import Checkpointer, export_checkpoint, read_checkpoint, walk_checkpoints
from gateway.messagelog.ledger import LedgerTiles
from gateway.runtime.control_server import ControlServer, Listener
from gateway.runtime.database import Database
from gateway.xroad.checkpoint import parse_checkpoint, parse_export, verify_checkpoint
from gateway.xroad.faults import LoggingUnavailable, SigningUnavailable
from gateway.xroad.identifiers import MemberId
from gateway.xroad.ledger import root_of
from gateway.xroad.signature.signed_message import SigningIdentity
from tests.factories.ledger import OwnersKey, a_checkpointer, refuse
from tests.factories.messagelog import Logbook, a_logbook
from tests.factories.pki import NOON
from tests.factories.signatures import a_world


def sizes(database: Database) -> list[int]:
    with database.reading() as connection:
        return [stored.size for stored in walk_checkpoints(connection)]


class LoggedOut(OwnersKey):
    """A signer whose token waits for its PIN."""

    def identity_of(self, member: MemberId) -> SigningIdentity:
        raise SigningUnavailable("token_not_active", "signer.token_not_active")


class Receiver:
    """Somebody elsewhere who keeps checkpoints, or answers with a status of 500."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.is_down = False

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = (await receive()).get("body", b"")
        if not self.is_down:
            self.kept.append(body)
        await send({"type": "http.response.start", "status": 500 if self.is_down else 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def test_checkpoint_is_signed_stamped_and_kept(database: Database, tmp_path: Path) -> None:
    async with a_logbook(database, tmp_path) as book:
        await refuse(book, 5)
        checkpointer = a_checkpointer(book)
        made = await checkpointer.make_checkpoint()
        await checkpointer.stop()
    verdict = verify_checkpoint(parse_checkpoint(made.note), a_world().globalconf)
    assert (verdict.checkpoint.head.size, verdict.time) == (5, NOON)
    with database.reading() as connection:
        assert read_checkpoint(connection) == made == read_checkpoint(connection, 5)
        assert read_checkpoint(connection, 4) is None
        assert verdict.checkpoint.head.root == LedgerTiles(connection).root(5)


async def test_nothing_new_gives_the_checkpoint_that_is_there(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        checkpointer = a_checkpointer(book)
        await refuse(book, 2)
        first = await checkpointer.make_checkpoint()
        book.clock.advance(hours=1)
        assert await checkpointer.make_checkpoint() == first
        await checkpointer.stop()


async def test_empty_log_has_no_checkpoint(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        checkpointer = a_checkpointer(book)
        with pytest.raises(LoggingUnavailable) as refused:
            await checkpointer.make_checkpoint()
        await checkpointer.run()
        await checkpointer.stop()
    assert refused.value.text_id == "ledger.no_checkpoint"
    assert sizes(sqlite_database) == []


async def test_checkpoints_are_made_at_the_interval_and_only_of_something_new(
    sqlite_database: Database, tmp_path: Path
) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        checkpointer = a_checkpointer(book, interval_s=600)
        made = []
        for new in (2, 1, 0, 0, 3):
            await refuse(book, new)
            await checkpointer.run()
            made.append(sizes(sqlite_database))
            book.clock.advance(seconds=400)
        await checkpointer.stop()
    assert made == [[2], [2], [2, 3], [2, 3], [2, 3, 6]]


async def test_ledger_grows_between_checkpoints(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        checkpointer = a_checkpointer(book, interval_s=0)
        await refuse(book, 4)
        await checkpointer.run()
        status = await checkpointer.status()
        await checkpointer.stop()
    assert (status.ledger_size, status.newest) == (4, None)


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE ledger_tiles SET hashes = CAST(zeroblob(32) || substr(hashes, 33) AS BLOB)",
        "DELETE FROM ledger_tiles",
    ],
)
async def test_ledger_that_does_not_continue_the_last_checkpoint_is_not_signed(
    sqlite_database: Database, tmp_path: Path, tampering: str
) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        checkpointer = a_checkpointer(book)
        await refuse(book, 4)
        await checkpointer.make_checkpoint()
        with sqlite_database.transaction() as connection:
            connection.execute(text(tampering))
            connection.execute(text("UPDATE refusals SET content_hash = zeroblob(64) WHERE sequence = 2"))
        await refuse(book, 1)
        with pytest.raises(LoggingUnavailable) as refused:
            await checkpointer.make_checkpoint()
        await checkpointer.stop()
    assert refused.value.text_id == "ledger.does_not_continue"
    assert refused.value.facts == {"size": 5, "known": 4}


async def test_ledger_is_made_anew_and_held_against_the_last_checkpoint(
    sqlite_database: Database, tmp_path: Path
) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        checkpointer = a_checkpointer(book)
        await refuse(book, 4)
        await checkpointer.make_checkpoint()
        with sqlite_database.transaction() as connection:
            connection.execute(text("UPDATE ledger_tiles SET hashes = zeroblob(64)"))
        assert await checkpointer.rebuild_ledger() == 4
        await refuse(book, 1)
        assert (await checkpointer.make_checkpoint()).size == 5
        with sqlite_database.transaction() as connection:
            connection.execute(text("UPDATE refusals SET content_hash = zeroblob(64) WHERE sequence = 2"))
        with pytest.raises(LoggingUnavailable) as refused:
            await checkpointer.rebuild_ledger()
        await checkpointer.stop()
    assert refused.value.text_id == "ledger.does_not_continue"


async def test_cut_log_is_not_signed(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        checkpointer = a_checkpointer(book)
        await refuse(book, 4)
        await checkpointer.make_checkpoint()
        with sqlite_database.transaction() as connection:
            connection.execute(text("DELETE FROM refusals WHERE sequence > 2"))
            connection.execute(text("DELETE FROM ledger_tiles"))
        with pytest.raises(LoggingUnavailable) as refused:
            await checkpointer.make_checkpoint()
        await checkpointer.stop()
    assert refused.value.facts == {"size": 2, "known": 4}


async def test_server_that_cannot_sign_says_so_and_the_ledger_grows_on(
    sqlite_database: Database, tmp_path: Path
) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        checkpointer = a_checkpointer(book, signer=LoggedOut())
        await refuse(book, 4)
        checkpointer.start()
        await checkpointer.run_now()
        status = await checkpointer.status()
        await checkpointer.stop()
    assert (status.ledger_size, status.newest) == (4, None)
    assert status.failure is not None
    assert status.failure.code == "token_not_active"


async def test_export_has_the_leaves_of_its_root(database: Database, tmp_path: Path) -> None:
    async with a_logbook(database, tmp_path) as book:
        checkpointer = a_checkpointer(book)
        await refuse(book, 300)
        made = await checkpointer.make_checkpoint()
        await refuse(book, 3)
        await checkpointer.make_checkpoint()
        await checkpointer.stop()
    export = parse_export(b"".join(export_checkpoint(database, 300)).splitlines(keepends=True))
    assert export.leaves is not None
    assert root_of([export.leaf(number) for number in range(300)]) == made.root
    newest = parse_export(b"".join(export_checkpoint(database, with_leaves=False)).splitlines(keepends=True))
    assert (newest.checkpoint.head.size, newest.leaves) == (303, None)
    with pytest.raises(LoggingUnavailable):
        list(export_checkpoint(database, 299))


# Delivery


async def deliver(book: Logbook, checkpointer: Checkpointer, new: int = 1) -> None:
    await refuse(book, new)
    await checkpointer.make_checkpoint()
    await checkpointer.run()


async def test_checkpoints_go_to_folder_address_and_command(sqlite_database: Database, tmp_path: Path) -> None:
    receiver = Receiver()
    script = tmp_path / "keep"
    script.write_text(f"#!/bin/sh\ncat > {tmp_path}/by-command\n")
    script.chmod(0o700)
    async with ControlServer(Listener(receiver)) as server, a_logbook(sqlite_database, tmp_path) as book:
        url = f"{server.url}/checkpoints"
        checkpointer = a_checkpointer(book, folder=tmp_path / "out", urls=(url,), command=(str(script),))
        await deliver(book, checkpointer, 3)
        made = await checkpointer.make_checkpoint()
        status = await checkpointer.status()
        await checkpointer.run()
        await checkpointer.stop()
    assert [(path.name, path.read_bytes()) for path in (tmp_path / "out").iterdir()] == [
        ("checkpoint-000000000003.note", made.note)
    ]
    assert receiver.kept == [made.note]
    assert (tmp_path / "by-command").read_bytes() == made.note
    assert [(d.delivered, d.failing_since) for d in status.deliveries] == [(3, None)] * 3


async def test_failed_delivery_is_shown_and_repeated(sqlite_database: Database, tmp_path: Path) -> None:
    receiver = Receiver()
    receiver.is_down = True
    async with ControlServer(Listener(receiver)) as server, a_logbook(sqlite_database, tmp_path) as book:
        checkpointer = a_checkpointer(book, urls=(server.url,))
        await deliver(book, checkpointer)
        book.clock.advance(seconds=60)
        await deliver(book, checkpointer)
        (failing,) = (await checkpointer.status()).deliveries
        receiver.is_down = False
        await checkpointer.run()
        (well,) = (await checkpointer.status()).deliveries
        await checkpointer.stop()
    assert (failing.delivered, failing.failing_since, failing.reason) == (None, NOON, "answered with status 500")
    assert (well.delivered, well.failing_since) == (2, None)
    assert [parse_checkpoint(note).head.size for note in receiver.kept] == [2]


async def test_restart_neither_forgets_nor_repeats_a_delivery(sqlite_database: Database, tmp_path: Path) -> None:
    receiver = Receiver()
    async with ControlServer(Listener(receiver)) as server, a_logbook(sqlite_database, tmp_path) as book:
        for _ in range(2):
            checkpointer = a_checkpointer(book, urls=(server.url,))
            if not receiver.kept:
                await deliver(book, checkpointer)
            await checkpointer.run()
            await checkpointer.stop()
        checkpointer = a_checkpointer(book, urls=(server.url,))
        assert [d.delivered for d in (await checkpointer.status()).deliveries] == [1]
        await checkpointer.stop()
    assert len(receiver.kept) == 1


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("/bin/false",), "ended with status 1"),
        (("/nowhere/at-all",), "No such file or directory"),
        (("/bin/sleep", "60"), "no answer within 0.3 s"),
    ],
)
async def test_command_that_fails_stands_in_nobodys_way(
    sqlite_database: Database, tmp_path: Path, command: tuple[str, ...], reason: str
) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        checkpointer = a_checkpointer(book, command=command, folder=tmp_path / "out", delivery_timeout_s=0.3)
        await deliver(book, checkpointer)
        found = {d.destination: (d.delivered, d.reason) for d in (await checkpointer.status()).deliveries}
        await checkpointer.stop()
    assert found == {str(tmp_path / "out"): (1, None), command[0]: (None, reason)}


async def test_two_requests_at_once_make_one_checkpoint(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        checkpointer = a_checkpointer(book)
        await refuse(book, 3)
        one, other = await asyncio.gather(checkpointer.make_checkpoint(), checkpointer.make_checkpoint())
        await checkpointer.stop()
    assert one == other
    assert sizes(sqlite_database) == [3]
