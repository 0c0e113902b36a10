from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.auditing.model import Count, Exchange, Outcome, Query, Scope
from gateway.messagelog import index_plan, index_search
from gateway.messagelog.index import Indexer
from gateway.messagelog.index_database import asking, open_index, run
from gateway.messagelog.index_facts import EntryFacts, HeaderFacts
from gateway.messagelog.index_tables import INDEXED, ZONE_IDS, index_name
from gateway.messagelog.model import Side
from gateway.runtime.clock import epoch_ms
from gateway.runtime.database import Database
from gateway.xroad.faults import LoggingUnavailable
from tests.factories.index import ALL, ALPHA, BETA, REGISTRY, ListedEntries, an_entry, matches
from tests.factories.pki import NOON

MEMBER = "UA-DEMO/GOV/11111111"
CLIENTS = (ALPHA, f"{MEMBER}/FIELD", MEMBER, f"{MEMBER}1/DESK", BETA, "UA-DEMO/GOV/%E2%82%AC/X")
PROVIDERS = (REGISTRY, f"{REGISTRY}2", ALPHA)
LISTS = (index_plan.LISTS, (1, 3), (0, 0))  # as it is; with lists of everything; without any


@pytest.fixture
def index(database_url: str) -> Iterator[Database]:
    opened = open_index(database_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_index(tmp_path: Path) -> Iterator[Database]:
    opened = open_index(f"sqlite:///{tmp_path}/index.db")
    yield opened
    opened.close()


@pytest.fixture
def postgres_index(postgres_database: Database) -> Iterator[Database]:
    opened = open_index(postgres_database.engine.url.render_as_string(hide_password=False))
    yield opened
    opened.close()


def filled(index: Database, entries: Sequence[EntryFacts]) -> None:
    indexer = Indexer(index, ListedEntries(list(entries)))
    indexer.clear()
    indexer.catch_up()


texts = st.sampled_from(["a", "ab", "abc", "b", "ї", "їж", "\ud7ff", "\U0010ffff", "a*b"])
maybe = st.none() | texts


@st.composite
def entry_lists(draw: st.DrawFn) -> list[EntryFacts]:
    """Entries of every kind, with few values, so that most conditions find some of them."""
    entries = []
    for sequence in range(1, draw(st.integers(1, 14)) + 1):
        is_refusal = draw(st.booleans())
        is_known = not is_refusal or draw(st.booleans())
        provider = draw(st.sampled_from(PROVIDERS)) if is_known else None
        headers = HeaderFacts(draw(maybe), draw(maybe), draw(maybe), tuple(draw(st.lists(texts, max_size=2))))
        entries.append(
            EntryFacts(
                sequence=sequence,
                time_ms=epoch_ms(NOON) + draw(st.integers(0, 5)) * 1000,
                side=draw(st.sampled_from(Side)),
                is_response=not is_refusal and draw(st.booleans()),
                query_id=draw(texts) if is_known else None,
                x_request_id=draw(texts),
                client=draw(st.sampled_from(CLIENTS)) if is_known else None,
                provider=provider,
                service_code=draw(texts) if provider and (not is_refusal or draw(st.booleans())) else None,
                service_version=None,
                headers=headers,
                fault_code=draw(texts) if is_refusal else None,
                is_failure=draw(st.booleans()),
                times=draw(st.sampled_from([1, 1, 7])) if is_refusal else 1,
            )
        )
    return entries


wanted_texts = st.none() | texts | texts.map(lambda text: f"{text}*")
clients = st.sampled_from([*CLIENTS, f"{MEMBER}*", "UA-*", "UA-DEMO/GOV/1*"])
services = st.sampled_from([*PROVIDERS, "UA-DEMO/GOV/33333333", f"{REGISTRY}/a", f"{REGISTRY}/a*", "UA-DEMO/*"])
times = st.integers(-1, 6).map(lambda second: NOON + timedelta(seconds=second))
queries = st.builds(
    Query,
    since=st.none() | times,
    until=st.none() | times,
    client=st.none() | clients,
    service=st.none() | services,
    query_id=wanted_texts,
    x_request_id=wanted_texts,
    issue=wanted_texts,
    purpose=wanted_texts,
    user_id=wanted_texts,
    outcome=st.none() | st.sampled_from(Outcome),
    fault_code=wanted_texts,
    side=st.none() | st.sampled_from(Side),
    represented_party=wanted_texts,
)
# Of free combinations of all of them hardly any would find something.
few_conditions = st.builds(
    lambda query, kept: dataclasses.replace(
        query, **{field.name: None for field in dataclasses.fields(Query) if field.name not in kept}
    ),
    queries,
    st.sets(st.sampled_from([field.name for field in dataclasses.fields(Query)]), max_size=3),
)
scopes = st.sampled_from([ALL, ALL]) | st.sets(
    st.sampled_from([*CLIENTS, *PROVIDERS, "UA-DEMO/GOV/33333333", "UA-DEMO/GOV/99999999", "UA-DEMO/GOV/1111111"])
).map(lambda names: Scope(frozenset(names)))

unhurried = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
questions = st.lists(st.tuples(few_conditions, scopes), min_size=8, max_size=8)


@unhurried
@given(entry_lists(), questions)
def test_every_question_is_answered_with_what_matches_and_may_be_seen_and_nothing_else(
    sqlite_index: Database, entries: list[EntryFacts], asked: list[tuple[Query, Scope]]
) -> None:
    check_answers(sqlite_index, entries, asked)


@settings(unhurried, max_examples=4)
@given(entry_lists(), questions)
def test_postgresql_answers_alike(
    postgres_index: Database, entries: list[EntryFacts], asked: list[tuple[Query, Scope]]
) -> None:
    check_answers(postgres_index, entries, asked)


def check_answers(index: Database, entries: list[EntryFacts], asked: list[tuple[Query, Scope]]) -> None:
    filled(index, entries)
    everything = list(index_search.walk(index, Query(), ALL))
    for query, scope in asked:
        expected = [exchange for exchange in everything if matches(exchange, query, scope)]
        for lists in LISTS:
            assert pages(index, query, scope, lists) == expected[::-1]
            assert list(index_search.walk(index, query, scope, step=2, lists=lists)) == expected
            count = index_search.count(index, query, scope, at_most=3, lists=lists)
            assert count == Count(min(len(expected), 3), len(expected) <= 3)
    for _, scope in asked:
        seen = {exchange.id for exchange in everything if scope.covers(exchange.party)}
        for exchange in everything:
            found = index_search.find(index, exchange.id, scope)
            assert found == (exchange if exchange.id in seen else None)
            for entry in (exchange.request, exchange.response, exchange.refusal):
                if entry is not None:
                    assert index_search.find_of_entry(index, entry, scope) == found
            related = index_search.find_related(index, exchange, scope)
            assert {other.id for other in related} == {
                other.id
                for other in everything
                if other.id in seen and other.id != exchange.id and is_related(other, exchange)
            }


def pages(index: Database, query: Query, scope: Scope, lists: Sequence[int]) -> list[Exchange]:
    found: list[Exchange] = []
    before = None
    while True:
        page = index_search.search(index, query, scope, before=before, limit=2, lists=lists)
        found += page.exchanges
        if page.next_before is None:
            return found
        before = page.next_before


def is_related(one: Exchange, other: Exchange) -> bool:
    same_query = one.query_id is not None and one.query_id == other.query_id
    return same_query or (one.x_request_id is not None and one.x_request_id == other.x_request_id)


@pytest.mark.parametrize("column", INDEXED)
def test_each_field_has_an_index_that_gives_its_rows_in_order(sqlite_index: Database, column: str) -> None:
    filled(sqlite_index, ())
    with asking(sqlite_index) as connection:
        statement = f"SELECT id FROM exchanges WHERE {column} = ? AND id < ? ORDER BY id DESC LIMIT 51"
        plan = " ".join(row[3] for row in run(connection, f"EXPLAIN QUERY PLAN {statement}", (1, 10)))
    assert f"USING COVERING INDEX {index_name(column)} ({column}=? AND id<?)" in plan
    assert "TEMP B-TREE" not in plan


def test_page_is_never_longer_than_the_bound(sqlite_index: Database) -> None:
    log = ListedEntries()
    for number in range(index_search.MAX_PAGE + 2):
        log.add(query_id=f"q-{number}")
    Indexer(sqlite_index, log, batch=500).catch_up()
    page = index_search.search(sqlite_index, Query(), ALL, limit=10**9)
    assert len(page.exchanges) == index_search.MAX_PAGE
    assert page.next_before == 3


def test_clock_that_was_set_back_hides_nothing(sqlite_index: Database) -> None:
    log = ListedEntries()
    for number in range(20):
        log.add(query_id=f"q-{number}", time_ms=epoch_ms(NOON) + (20 - number) * 1000)
    Indexer(sqlite_index, log).catch_up()
    found = index_search.search(sqlite_index, Query(since=NOON + timedelta(seconds=19)), ALL).exchanges
    assert [exchange.query_id for exchange in found] == ["q-1", "q-0"]


@pytest.mark.parametrize("column", ["since", "until"])
def test_period_ends_where_it_says_wherever_the_index_is_cut(sqlite_index: Database, column: str) -> None:
    numbers = (1, ZONE_IDS - 1, ZONE_IDS, 2 * ZONE_IDS - 1, 2 * ZONE_IDS, 3 * ZONE_IDS)
    filled(sqlite_index, [an_entry(number, time_ms=epoch_ms(NOON) + number) for number in numbers])
    for edge in (*numbers, *(number + 1 for number in numbers)):
        at = NOON + timedelta(milliseconds=edge)
        found = index_search.search(sqlite_index, Query(**{column: at}), ALL).exchanges
        assert {one.id for one in found} == {n for n in numbers if (n >= edge if column == "since" else n < edge)}


@pytest.mark.parametrize("letter", ["a", "ї", "\ud7ff", "\uffff", "\U0010fffe", "\U0010ffff", "*"])
def test_beginning_may_end_in_any_letter(sqlite_index: Database, letter: str) -> None:
    filled(sqlite_index, [an_entry(1, query_id=f"{letter}b"), an_entry(2, query_id="b"), an_entry(3, query_id=letter)])
    found = index_search.search(sqlite_index, Query(query_id=f"{letter}*"), ALL).exchanges
    assert {one.id for one in found} == {1, 3}


@pytest.mark.parametrize("length", [511, 512, 513, 5000])
def test_what_is_too_long_to_be_indexed_is_found_all_the_same(index: Database, length: int) -> None:
    log = ListedEntries()
    long = {"query_id": "ї" * length, "client": f"{MEMBER}/{'S' * length}"}
    log.add(**long, headers=HeaderFacts(issue="i" * length, purposes=("p" * length, "q")))
    log.add(query_id="ї" * (length + 1))
    filled(index, log.listed)
    for conditions in (long, {"issue": "i" * length}, {"purpose": "p" * length}, {"purpose": "q"}, {"client": MEMBER}):
        found: Any = index_search.search(index, Query(**conditions), Scope(frozenset({MEMBER}))).exchanges
        assert [exchange.id for exchange in found][-1] == 1, conditions
    assert index_search.search(index, Query(query_id="ї" * length), Scope(frozenset({BETA}))).exchanges == ()


def test_index_that_is_not_there_says_what_to_do(sqlite_index: Database) -> None:
    with pytest.raises(LoggingUnavailable) as refused:
        index_search.search(sqlite_index, Query(), ALL)
    assert refused.value.text_id == "index.unusable"
