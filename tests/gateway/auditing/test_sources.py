from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.auditing.archive_index import ArchiveIndex
from gateway.auditing.archive_source import ArchiveSource
from gateway.auditing.model import Outcome, Query, Scope
from gateway.messagelog import index_search
from gateway.messagelog.archive.places import FolderPlace
from gateway.messagelog.index_database import open_index
from gateway.runtime.database import Database
from gateway.xroad.asic.container import read_container
from gateway.xroad.asic.verify import verify_container
from gateway.xroad.faults import LoggingUnavailable
from gateway.xroad.identifiers import encode_path
from tests.factories.index import ALL, matches
from tests.factories.sources import BODY, KINDS, ONE, REGISTRY, TWO, Seen, a_source_over


@pytest.fixture(params=KINDS)
async def seen(request: pytest.FixtureRequest, sqlite_database: Database, tmp_path: Path) -> AsyncIterator[Seen]:
    async with a_source_over(request.param, sqlite_database, tmp_path, grouping="member") as found:
        yield found


@pytest.fixture(params=KINDS[1:])
async def archived(request: pytest.FixtureRequest, sqlite_database: Database, tmp_path: Path) -> AsyncIterator[Seen]:
    async with a_source_over(request.param, sqlite_database, tmp_path) as found:
        yield found


def scope_of(*names: str) -> Scope:
    return Scope(frozenset(names))


async def test_archives_alone_tell_the_same_as_the_rows_did(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_source_over("archives alone", sqlite_database, tmp_path, grouping="subsystem") as seen:
        index = open_index(f"sqlite:///{tmp_path}/index.db")
        told = list(index_search.walk(index, Query(), ALL))
        index.close()
        assert list(seen.source.walk(Query(), ALL)) == told
        assert len(told) == 19


async def test_exchanges_are_found_with_what_their_messages_say(seen: Seen) -> None:
    found = seen.source.search(Query(client=encode_path(ONE), issue="case-0"), ALL).exchanges
    assert len(found) == 4
    assert {one.outcome for one in found} == {Outcome.ANSWERED}
    assert {one.purpose for one in found} == {None, "P1,P2"}
    by_purpose = seen.source.search(Query(purpose="P2", client=encode_path(TWO)), ALL).exchanges
    assert [one.query_id for one in by_purpose] == ["r-1", "r-1"]


async def test_messages_are_shown_as_they_were_signed(seen: Seen) -> None:
    for number, message in seen.written.messages.items():
        entry = seen.source.find_entry(number, ALL)
        assert entry is not None
        assert (entry.message, entry.is_whole) == (message.raw, True)
        assert entry.stamped_at is not None
        assert seen.source.find_refusal(number, ALL) is None
    assert seen.source.find_entry(len(seen.written.parties) + 7, ALL) is None


async def test_refusals_are_shown_as_they_were_written(seen: Seen) -> None:
    for number in seen.written.refusals:
        entry = seen.source.find_refusal(number, ALL)
        assert entry is not None
        assert entry.refusal.sequence == number
        assert seen.source.find_entry(number, ALL) is None


async def test_bodies_are_read_where_they_were_kept(seen: Seen) -> None:
    bodies = 0
    for number in seen.written.messages:
        entry = seen.source.find_entry(number, ALL)
        assert entry is not None
        assert seen.source.read_attachment(number, 2, ALL) is None
        for attachment, size in entry.attachments.items():
            assert seen.source.read_attachment(number, attachment, ALL) == BODY
            assert size == len(BODY)
            bodies += 1
    assert bodies == 12


async def test_containers_hold(seen: Seen) -> None:
    for number in seen.written.messages:
        document = seen.source.find_document(number, ALL)
        assert document is not None
        assert document.name.endswith(".asice")
        verify_container(read_container(document.container), seen.source.globalconf_at(None))


async def test_nothing_outside_the_scope_is_answered_by_any_method(seen: Seen) -> None:
    source, parties = seen.source, seen.written.parties
    everything = list(source.walk(Query(), ALL))
    names = sorted({*parties.values(), "UA-DEMO/GOV/10000001", "UA-DEMO/GOV/30000003", "UA-DEMO/GOV/1", "UA-DEMO/GOV"})
    chance = random.Random(11)
    for _ in range(12):
        scope = scope_of(*chance.sample([name for name in names if name], chance.randrange(4)))
        allowed = [one for one in everything if scope.covers(one.party)]
        one = chance.choice(everything)
        queries = (
            Query(), Query(client=one.client), Query(query_id=one.query_id), Query(x_request_id=one.x_request_id),
            Query(issue="case-*"), Query(service=one.provider), Query(outcome=one.outcome), Query(user_id="clerk-*"),
        )  # fmt: skip
        for query in queries:
            expected = [exchange for exchange in allowed if matches(exchange, query, scope)]
            assert list(source.search(query, scope, limit=1000).exchanges) == expected[::-1]
            assert list(source.walk(query, scope)) == expected
            assert source.count(query, scope).number == len(expected)
        for exchange in everything:
            assert source.find_exchange(exchange.id, scope) == (exchange if exchange in allowed else None)
            assert {other.party for other in source.find_related(exchange, scope)} <= {e.party for e in allowed}
        for number, party in parties.items():
            is_message, may_see = number in seen.written.messages, scope.covers(party)
            assert (source.find_entry(number, scope) is not None) == (is_message and may_see)
            assert (source.find_refusal(number, scope) is not None) == (not is_message and may_see)
            assert (source.find_document(number, scope) is not None) == (is_message and may_see)
            if not may_see:
                assert source.read_attachment(number, 1, scope) is None


async def test_member_sees_the_exchanges_of_its_own_side_only(seen: Seen) -> None:
    found = seen.source.search(Query(), scope_of(encode_path(REGISTRY.member)), limit=1000).exchanges
    assert {one.side.value for one in found} == {"provider"}
    own = seen.source.search(Query(), scope_of(encode_path(ONE.member)), limit=1000).exchanges
    assert {one.side.value for one in own} == {"consumer"}


async def test_other_messages_of_the_same_query_are_related(seen: Seen) -> None:
    (exchange, *_) = [one for one in seen.source.walk(Query(query_id="q-1"), ALL) if one.response]
    related = seen.source.find_related(exchange, ALL)
    assert {one.query_id for one in related} == {"q-1"}
    assert exchange not in related
    assert len(related) == 3


async def test_source_says_how_far_it_reaches(seen: Seen) -> None:
    status = seen.source.status()
    assert status.first_sequence == 1
    assert status.last_sequence >= len(seen.written.parties)
    assert status.indexed_through >= len(seen.written.parties)


@pytest.mark.parametrize("kind", KINDS[1:])
async def test_archive_that_is_gone_is_told_to_those_who_may_see_the_entry_and_to_nobody_else(
    sqlite_database: Database, tmp_path: Path, kind: str
) -> None:
    async with a_source_over(kind, sqlite_database, tmp_path) as seen:
        source = seen.source
        if kind == "archives alone":
            source = ArchiveSource(ArchiveIndex(FolderPlace(tmp_path / "archive"), tmp_path / "cache.db"))
        for path in (tmp_path / "archive").glob("mlog-*"):
            path.unlink()
        number = next(iter(seen.written.messages))
        for scope in (ALL, scope_of(seen.written.parties[number])):
            for method in (source.find_entry, source.find_document):
                with pytest.raises(LoggingUnavailable) as told:
                    method(number, scope)
                assert told.value.text_id in ("archive.file_missing", "index.entry_damaged")
        stranger = scope_of("UA-DEMO/GOV/20000002")
        assert source.find_entry(number, stranger) is None
        assert source.find_document(number, stranger) is None
        assert source.read_attachment(number, 1, stranger) is None


async def test_archive_that_was_damaged_is_told_to_nobody_else_either(archived: Seen) -> None:
    for path in (archived.folder / "archive").glob("mlog-*"):
        content = bytearray(path.read_bytes())
        content[: len(content) // 2] = bytes(len(content) // 2)
        path.write_bytes(content)
    for number, party in archived.written.parties.items():
        stranger = scope_of("UA-DEMO/GOV/99999999")
        assert archived.source.find_entry(number, stranger) is None
        assert archived.source.find_refusal(number, stranger) is None
        if number in archived.written.messages:
            for scope in (ALL, scope_of(party)):
                try:
                    archived.source.find_entry(number, scope)
                except LoggingUnavailable:
                    continue
