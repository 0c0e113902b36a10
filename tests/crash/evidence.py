"""One round of evidence over one log: records and refusals, time-stamps, archive, removal; and what must hold after it.

The archiver runs in a thread here and not in its process: it is the same code with the same commands, and a
kill meets writer, time-stamper and archiver in one go.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

from gateway.messagelog import store
from gateway.messagelog.archive.archiver import Archiver
from gateway.messagelog.archive.entries import EntrySource
from gateway.messagelog.archive.journal import Command, change_of
from gateway.messagelog.archive.model import ArchivedRecord, ArchiveSettings
from gateway.messagelog.archive.places import FolderPlace
from gateway.messagelog.archive.reader import ArchiveReader
from gateway.messagelog.archive.retention import remove_archived
from gateway.messagelog.chain import refusal_hash
from gateway.messagelog.integrity import verify_log
from gateway.messagelog.model import NewRefusal, RefusalContent, Side
from gateway.messagelog.reader import MessageReader
from gateway.runtime.clock import FixedClock, epoch_ms
from gateway.runtime.database import open_database
from gateway.xroad.asic.verify import examine_container
from gateway.xroad.digests import DigestAlgorithm
from gateway.xroad.ledger import entry_leaf
from tests.factories.messagelog import Logbook, Tsa, a_demo_globalconf, a_logbook, a_message, sealed, serving
from tests.factories.messages import a_rest_request
from tests.factories.pki import NOON, a_hierarchy

Say = Callable[[str], None]
CALLERS: Final = 4
LATER: Final = NOON + timedelta(days=2)

a_hierarchy()  # the same keys in every child


def round_of(say: Say, *, act: str, folder: str, number: int = 0) -> None:
    """Make a round: `work`, `finish` what is open, or `check` what is there, `prove` it once nothing is open."""
    acts = {"work": _work, "finish": _finish, "check": _check, "prove": _prove}
    asyncio.run(acts[act](say, Path(folder), number))


async def _work(say: Say, folder: Path, number: int) -> None:
    async with serving(Tsa(FixedClock(NOON))) as tsa:
        database = open_database(f"sqlite:///{folder}/messagelog.db")
        async with a_logbook(database, folder, tsa) as book:

            async def caller(name: int) -> None:
                query_id = f"{number}-{name}"
                body = f"body of {query_id}".encode()
                message = a_rest_request("POST", body=body, message_id=query_id) if name % 2 else a_message(query_id)
                await book.log.record(sealed(message), "consumer", query_id)
                say(query_id)

            await asyncio.gather(*(caller(name) for name in range(CALLERS)))
            await book.log.submit(_refusal(f"{number}-refused"))
            say(f"{number}-refused")
            await _keep_house(book, folder)
        database.close()


async def _finish(say: Say, folder: Path, number: int) -> None:
    async with serving(Tsa(FixedClock(NOON))) as tsa:
        database = open_database(f"sqlite:///{folder}/messagelog.db")
        async with a_logbook(database, folder, tsa) as book:
            await _keep_house(book, folder)
        database.close()


async def _keep_house(book: Logbook, folder: Path) -> None:
    await book.timestamper().stamp_waiting()
    loop = asyncio.get_running_loop()

    def carry_out(command: Command) -> None:
        asyncio.run_coroutine_threadsafe(book.log.submit(change_of(command)), loop).result()

    settings = ArchiveSettings(keep_records_for_days=0)
    messages = MessageReader(book.log.bodies, None)
    configuration = a_demo_globalconf()
    entries = EntrySource(book.database, messages, lambda _: configuration, settings.digest_algorithm, folder)
    archiver = Archiver(
        database=book.database,
        entries=entries,
        place=FolderPlace(folder / "archive"),
        staging=folder / "staging",
        settings=settings,
        journal=carry_out,
        clock=book.clock,
    )
    await asyncio.to_thread(archiver.run)
    await remove_archived(book.log, LATER, 0)


async def _check(say: Say, folder: Path, number: int) -> None:
    await _look(say, folder, is_settled=False)


async def _prove(say: Say, folder: Path, number: int) -> None:
    await _look(say, folder, is_settled=True)


async def _look(say: Say, folder: Path, *, is_settled: bool) -> None:
    """Say what is in the log or in the archive, by query id.

    Until the next run has put in order what a crash left, facts may lie there without their containers.
    """
    database = open_database(f"sqlite:///{folder}/messagelog.db")
    verdict = verify_log(database)
    assert verdict.holds, verdict.broken
    found: Counter[str] = Counter()
    sequences = set[int]()
    with database.reading() as connection:
        for entry in store.walk_entries(connection):
            sequences.add(entry.sequence)
            found[_name_of(entry)] += 1
    with ArchiveReader(FolderPlace(folder / "archive")) as reader:
        archived = _check_archive(reader, is_settled=is_settled)
    for sequence, name in archived.items():
        if sequence not in sequences:
            found[name] += 1
    assert set(found.values()) <= {1}, [name for name, times in found.items() if times > 1]
    for name in found:
        say(name)
    say(f"archived {len(archived)} of {len(found)}")
    database.close()


def _check_archive(reader: ArchiveReader, *, is_settled: bool) -> dict[int, str]:
    configuration = a_demo_globalconf()
    archived: dict[int, str] = {}
    assert len(reader.chains) <= 1, "the chain of files is broken"
    for file in reader.files:
        has_records = any(isinstance(fact, ArchivedRecord) for fact in file.facts())
        if has_records and not file.has_containers and not is_settled:
            continue
        containers = dict(file.containers()) if file.has_containers else {}
        for fact in file.facts():
            assert fact.sequence not in archived, f"{fact.sequence} was archived twice"
            if isinstance(fact, ArchivedRecord):
                archived[fact.sequence] = fact.content.query_id
                container = containers.pop(fact.container)
                assert fact.unverified is None
                assert DigestAlgorithm.SHA512.digest(container) == fact.container_digest
                assert examine_container(container, configuration).fault is None
            else:
                archived[fact.sequence] = fact.content.query_id or ""
        assert not containers, "a container without facts"
    assert sorted(archived) == list(range(1, len(archived) + 1)), "the archive has a gap"
    _check_leaves(reader)
    return archived


def _check_leaves(reader: ArchiveReader) -> None:
    facts = {fact.sequence: fact for file in reader.files for fact in file.facts()}
    next_one = 1
    for first, last, name in reader.leaves_names:
        assert first == next_one, "ranges of the ledger have a gap"
        leaves = reader.read_leaves(name)
        for sequence in range(first, last + 1):
            assert leaves.of(sequence) == entry_leaf(sequence, facts[sequence].content_hash)
        next_one = last + 1


def _name_of(entry: object) -> str:
    content = getattr(entry, "content", entry)
    return str(content.query_id)  # type: ignore[attr-defined]


def _refusal(name: str) -> NewRefusal:
    content = RefusalContent(
        time_ms=epoch_ms(NOON),
        until_ms=epoch_ms(NOON),
        times=1,
        side=Side.CONSUMER,
        is_failure=False,
        fault_code="access_denied",
        text_id="access.denied",
        facts="{}",
        address=None,
        x_request_id=name,
        query_id=name,
        client=None,
        provider=None,
        service_code=None,
        service_version=None,
        message_digest=None,
    )
    return NewRefusal(content, refusal_hash(content))
