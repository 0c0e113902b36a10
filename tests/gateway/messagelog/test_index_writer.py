from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.auditing.model import Exchange, Outcome, Query
from gateway.messagelog import index_search
from gateway.messagelog.index import Indexer
from gateway.messagelog.index_database import open_index
from gateway.messagelog.index_facts import HeaderFacts
from gateway.messagelog.model import Side
from gateway.runtime.database import Database
from tests.factories.index import ALL, BETA, ListedEntries


@pytest.fixture
def index(database_url: str) -> Iterator[Database]:
    opened = open_index(database_url)
    yield opened
    opened.close()


def exchanges(index: Database, log: ListedEntries, *, batch: int = 100) -> list[Exchange]:
    """What the index makes of a log, oldest first."""
    indexer = Indexer(index, log, batch=batch)
    indexer.clear()
    indexer.catch_up()
    return list(index_search.walk(index, Query(), ALL))


def entries_of(found: list[Exchange]) -> list[tuple[int | None, int | None, int | None]]:
    return [(exchange.request, exchange.response, exchange.refusal) for exchange in found]


@pytest.mark.parametrize("batch", [1, 100])
def test_answer_joins_its_request(index: Database, batch: int) -> None:
    log = ListedEntries()
    log.add(headers=HeaderFacts(issue="case 7"))
    log.add(response=True)
    (exchange,) = exchanges(index, log, batch=batch)
    assert (exchange.id, exchange.request, exchange.response) == (1, 1, 2)
    assert (exchange.outcome, exchange.issue) == (Outcome.ANSWERED, "case 7")


@pytest.mark.parametrize(
    "change",
    [
        {"x_request_id": "x-2"}, {"query_id": "q-2"}, {"client": BETA}, {"side": Side.PROVIDER},
        {"service_code": "other"}, {"service_version": None}, {"provider": BETA},
    ],
)  # fmt: skip
def test_answer_that_differs_in_anything_is_not_glued_to_a_foreign_request(
    index: Database, change: dict[str, Any]
) -> None:
    log = ListedEntries()
    log.add()
    log.add(**change)
    log.add(response=True, **change)
    assert entries_of(exchanges(index, log)) == [(1, None, None), (2, 3, None)]


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_repeated_request_id_reaches_the_newest_open_request(index: Database, batch: int) -> None:
    log = ListedEntries()
    log.add()  # never answered
    log.add()
    log.add(response=True)
    log.add()
    log.add(response=True)
    assert entries_of(exchanges(index, log, batch=batch)) == [(1, None, None), (2, 3, None), (4, 5, None)]


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_of_requests_that_look_alike_the_hash_in_the_answer_chooses(index: Database, batch: int) -> None:
    log = ListedEntries(answered={4: 1, 5: 3, 6: 2})
    for _ in range(3):
        log.add()
    for _ in range(3):
        log.add(response=True)
    assert entries_of(exchanges(index, log, batch=batch)) == [(1, 4, None), (2, 6, None), (3, 5, None)]


def test_answer_without_a_request_stands_alone_with_what_its_own_headers_say(index: Database) -> None:
    log = ListedEntries(headers={1: HeaderFacts(user_id="EE123")})
    log.add(response=True)
    (exchange,) = exchanges(index, log)
    assert (exchange.request, exchange.response, exchange.outcome) == (None, 1, Outcome.ANSWERED)
    assert exchange.user_id == "EE123"


@pytest.mark.parametrize("batch", [1, 100])
@pytest.mark.parametrize(("is_failure", "outcome"), [(False, Outcome.REFUSED), (True, Outcome.FAILED)])
def test_refusal_joins_the_request_with_the_digest_it_names(
    index: Database, is_failure: bool, outcome: Outcome, batch: int
) -> None:
    log = ListedEntries(digests={1: b"digest"})
    log.add(side=Side.PROVIDER)
    log.add(side=Side.PROVIDER, fault_code="access_denied", is_failure=is_failure, digest=b"digest")
    (exchange,) = exchanges(index, log, batch=batch)
    assert (exchange.request, exchange.refusal, exchange.response) == (1, 2, None)
    assert (exchange.outcome, exchange.fault_code) == (outcome, "access_denied")


@pytest.mark.parametrize("digest", [b"another", None])
def test_caller_who_claims_the_ids_of_another_cannot_mark_its_request_as_refused(
    index: Database, digest: bytes | None
) -> None:
    log = ListedEntries(digests={1: b"digest"})
    log.add(side=Side.PROVIDER)
    log.add(side=Side.PROVIDER, fault_code="signature_verification", digest=digest)
    log.add(side=Side.PROVIDER, response=True)
    assert entries_of(exchanges(index, log)) == [(1, 3, None), (None, None, 2)]


def test_refusals_counted_together_are_one_exchange_with_their_number(index: Database) -> None:
    log = ListedEntries()
    log.add(fault_code="access_denied", times=250, digest=None)
    (exchange,) = exchanges(index, log)
    assert (exchange.count, exchange.outcome, exchange.refusal) == (250, Outcome.REFUSED, 1)


def test_refusal_of_nobody_known_belongs_to_nobody(index: Database) -> None:
    log = ListedEntries()
    log.add(fault_code="invalid_soap", client=None, provider=None, service_code=None, query_id=None)
    (exchange,) = exchanges(index, log)
    assert (exchange.party, exchange.client, exchange.provider, exchange.service) == ("", None, None, None)


def test_service_that_a_refusal_does_not_name_is_not_made_up(index: Database) -> None:
    log = ListedEntries()
    log.add(fault_code="unknown_service", provider=BETA, service_code=None, service_version=None)
    (exchange,) = exchanges(index, log)
    assert (exchange.provider, exchange.service) == (BETA, None)
    assert index_search.search(index, Query(service=BETA), ALL).exchanges == (exchange,)


kinds = st.sampled_from(["request", "response", "refusal"])


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(st.tuples(kinds, st.sampled_from("ab")), max_size=12), st.integers(1, 5))
def test_entries_join_alike_however_they_are_cut_into_batches(
    index: Database, listed: list[tuple[str, str]], batch: int
) -> None:
    log = ListedEntries()
    for kind, query_id in listed:
        fault = "access_denied" if kind == "refusal" else None
        log.add(query_id=query_id, response=kind == "response", fault_code=fault)
    assert exchanges(index, log, batch=batch) == exchanges(index, log)
