"""Questions handed in for a ticket, and answers fetched with it once."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import MetaData, func, select

from gateway.runtime.clock import FixedClock
from gateway.runtime.database import Database, open_database
from gateway.xroad.identifiers import ClientId, SubsystemId
from registry_adapters.sdk.context import Dialect, RequestContext
from registry_adapters.sdk.errors import RefusedError, RequestError, UnavailableError
from registry_adapters.sdk.operations import Call
from registry_adapters.sdk.tickets import (
    GRACE,
    KEPT,
    LIFETIME,
    NoSuchTicketError,
    Tickets,
    TicketState,
    ticket_table,
)
from tests.factories.registry import SNAP

DELAY = timedelta(seconds=60)
OTHER = replace(SNAP, subsystem_code="OTHER")


@dataclass(frozen=True, slots=True)
class Asked:
    whom: str
    since: date


@dataclass(frozen=True, slots=True)
class Told:
    amount: Decimal
    of: tuple[str, ...] = ()


QUESTION = Asked("Мар'яна", date(2025, 7, 1))
metadata = MetaData()
tickets: Tickets[Asked, Told] = Tickets(ticket_table(metadata), Asked, Told, DELAY)


def tell(asked: Asked) -> Told:
    return Told(Decimal("1200.50"), (asked.whom, asked.since.isoformat()))


ANSWER = tell(QUESTION)


def never(asked: Asked) -> Told:
    raise AssertionError("nothing was to be made")


@dataclass
class Desk:
    """One database, one clock; calls of any client."""

    database: Database
    clock: FixedClock

    def submit(self, client: ClientId = SNAP, kind: Tickets[Asked, Told] = tickets, purpose: str = "P") -> str:
        return kind.submit(self._call(client, "handing-in", purpose), QUESTION).id

    def fetch(
        self,
        ticket: str,
        message_id: str = "m-1",
        client: ClientId = SNAP,
        make: Callable[[Asked], Told] = tell,
        kind: Tickets[Asked, Told] = tickets,
        purpose: str = "P",
    ) -> tuple[TicketState, Told | None]:
        with self.database.reading() as connection:
            call = replace(self._call(client, message_id, purpose), connection=connection)
            fetched = kind.fetch(call, ticket, make)
        return fetched.state, fetched.answer

    def ready(self) -> str:
        ticket = self.submit()
        self.clock.advance(minutes=1)
        return ticket

    def count(self) -> int:
        with self.database.reading() as connection:
            return connection.execute(select(func.count()).select_from(tickets.table)).scalar_one()

    def _call(self, client: ClientId, message_id: str, purpose: str = "P") -> Call:
        context = RequestContext(Dialect.REST, client, message_id, purposes=(purpose,))
        return Call(context, None, self.database, self.clock)  # type: ignore[arg-type]


def a_desk(database: Database) -> Desk:
    metadata.create_all(database.engine)
    return Desk(database, FixedClock(datetime(2026, 2, 10, 9, tzinfo=UTC)))


@pytest.fixture
def desk(sqlite_database: Database) -> Desk:
    return a_desk(sqlite_database)


def test_ticket_says_when_it_is_ready_and_how_long_it_waits(desk: Desk) -> None:
    now = desk.clock.now()
    ticket = tickets.submit(desk._call(SNAP, "m-1"), QUESTION)
    assert (ticket.submitted_at, ticket.ready_at, ticket.expires_at) == (now, now + DELAY, now + DELAY + LIFETIME)
    assert str(uuid.UUID(ticket.id)) == ticket.id


def test_answer_is_pending_until_the_clock_says_otherwise(desk: Desk) -> None:
    ticket = desk.submit()
    desk.clock.advance(seconds=59)
    assert desk.fetch(ticket, make=never) == (TicketState.PENDING, None)
    desk.clock.advance(seconds=1)
    assert desk.fetch(ticket) == (TicketState.READY, ANSWER)


def test_answer_is_given_once(database: Database) -> None:
    desk = a_desk(database)
    ticket = desk.ready()
    assert desk.fetch(ticket, "m-1") == (TicketState.READY, ANSWER)
    assert desk.fetch(ticket, "m-2", make=never) == (TicketState.GIVEN, None)


def test_answer_lost_on_its_way_is_the_same_for_the_same_message(desk: Desk) -> None:
    ticket = desk.ready()
    first = desk.fetch(ticket, "m-1")
    desk.clock.advance(minutes=14)
    assert desk.fetch(ticket, "m-1", make=never) == first


def test_time_of_grace_ends(desk: Desk) -> None:
    ticket = desk.ready()
    desk.fetch(ticket, "m-1")
    desk.clock.advance(seconds=GRACE.total_seconds())
    assert desk.fetch(ticket, "m-1", make=never) == (TicketState.GIVEN, None)


def test_request_without_a_message_id_cannot_be_repeated(desk: Desk) -> None:
    ticket = desk.ready()
    assert desk.fetch(ticket, "") == (TicketState.READY, ANSWER)
    assert desk.fetch(ticket, "", make=never) == (TicketState.GIVEN, None)


@pytest.mark.parametrize("client", [OTHER, SNAP.member, SubsystemId(SNAP.member, "snap")])
def test_another_client_has_no_such_ticket(desk: Desk, client: ClientId) -> None:
    ticket = desk.ready()
    with pytest.raises(NoSuchTicketError):
        desk.fetch(ticket, client=client, make=never)
    assert desk.fetch(ticket) == (TicketState.READY, ANSWER)


def test_answer_goes_out_for_the_purpose_it_was_asked_for(desk: Desk) -> None:
    ticket = desk.ready()
    with pytest.raises(RefusedError) as caught:
        desk.fetch(ticket, purpose="OTHER", make=never)
    assert caught.value.facts == {"purpose": "P"}
    assert desk.fetch(ticket) == (TicketState.READY, ANSWER)


@pytest.mark.parametrize("identifier", ["", "x", "' OR 1=1 --", str(uuid.UUID(int=0)), "\u0130" * 36])
def test_nobody_has_a_ticket_that_was_never_handed_out(desk: Desk, identifier: str) -> None:
    desk.ready()
    with pytest.raises(NoSuchTicketError) as caught:
        desk.fetch(identifier, make=never)
    assert caught.value.status == 404


def test_ticket_survives_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    before = a_desk(open_database(url))
    ticket, given = before.submit(), before.submit()
    before.clock.advance(minutes=2)
    first = before.fetch(given, "m-1")
    before.database.close()
    after = Desk(open_database(url), before.clock)
    assert after.fetch(ticket, "m-2") == (TicketState.READY, ANSWER)
    assert after.fetch(given, "m-1", make=never) == first
    after.database.close()


def test_of_many_who_fetch_at_once_one_gets_the_answer(database: Database) -> None:
    desk = a_desk(database)
    ticket = desk.ready()
    together, states = threading.Barrier(6), []

    def make(asked: Asked) -> Told:
        together.wait(20)  # all have seen the ticket ready before anybody takes it
        return tell(asked)

    def fetch(number: int) -> None:
        states.append(desk.fetch(ticket, f"m-{number}", make=make))

    threads = [threading.Thread(target=fetch, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(states, key=str) == sorted([(TicketState.READY, ANSWER)] + [(TicketState.GIVEN, None)] * 5, key=str)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.integers(0, 1000), st.sampled_from(["a", "b", "c", ""])), max_size=12))
def test_no_order_of_fetches_gives_an_answer_to_two_messages(desk: Desk, steps: list[tuple[int, str]]) -> None:
    ticket = desk.submit()
    got = []
    for seconds, message_id in steps:
        desk.clock.advance(seconds=seconds)
        state, answer = desk.fetch(ticket, message_id)
        assert (answer is not None) == (state is TicketState.READY)
        got += [message_id] if answer else []
    assert len(set(got)) <= 1
    assert got.count("") <= 1
    waited = sum(seconds for seconds, _ in steps)
    assert bool(got) == (waited >= 60 and bool(steps))


def test_ticket_nobody_fetches_expires(desk: Desk) -> None:
    ticket = desk.ready()
    desk.clock.advance(seconds=LIFETIME.total_seconds())
    assert desk.fetch(ticket, make=never) == (TicketState.EXPIRED, None)


def test_what_became_of_a_ticket_is_told_for_a_while_and_then_forgotten(desk: Desk) -> None:
    given, lapsed = desk.submit(), desk.submit()
    desk.clock.advance(minutes=1)
    desk.fetch(given)
    desk.clock.advance(seconds=(LIFETIME + KEPT).total_seconds())
    assert desk.fetch(given, "m-2", make=never)[0] is TicketState.GIVEN
    assert desk.fetch(lapsed, make=never)[0] is TicketState.EXPIRED
    desk.clock.advance(seconds=1)
    for ticket in (given, lapsed):
        with pytest.raises(NoSuchTicketError):
            desk.fetch(ticket, make=never)
    assert desk.count() == 2
    desk.submit()
    assert desk.count() == 1


def test_given_answer_does_not_stay_in_the_database(desk: Desk) -> None:
    desk.fetch(desk.ready(), "m-1")
    held = select(func.count()).where(tickets.table.c.answer.is_not(None))
    with desk.database.reading() as connection:
        assert connection.execute(held).scalar_one() == 1
    desk.clock.advance(seconds=GRACE.total_seconds() + 1)
    desk.submit()
    with desk.database.reading() as connection:
        assert connection.execute(held).scalar_one() == 0


def test_client_can_have_so_many_open_tickets_and_no_more(desk: Desk) -> None:
    few = replace(tickets, max_open=2)
    first, _ = desk.submit(kind=few), desk.submit(kind=few)
    with pytest.raises(UnavailableError) as caught:
        desk.submit(kind=few)
    assert caught.value.facts == {"limit": 2}
    desk.submit(OTHER, few)  # another client's do not count
    desk.clock.advance(minutes=1)
    desk.fetch(first)
    desk.submit(kind=few)
    with pytest.raises(UnavailableError):
        desk.submit(kind=few)
    desk.clock.advance(days=4)
    desk.submit(kind=few)  # the others have expired


def test_question_that_is_refused_has_failed_for_good(desk: Desk) -> None:
    ticket = desk.ready()

    def refuse(asked: Asked) -> Told:
        raise RequestError("registry.rnokpp_invalid")

    assert desk.fetch(ticket, make=refuse) == (TicketState.FAILED, None)
    with desk.database.reading() as connection:
        call = replace(desk._call(SNAP, "m-2"), connection=connection)
        fetched = tickets.fetch(call, ticket, never)
    assert (fetched.state, fetched.failure) == (TicketState.FAILED, "rnokpp_invalid")


def test_what_may_succeed_later_leaves_the_ticket_ready(desk: Desk) -> None:
    ticket = desk.ready()

    def too_busy(asked: Asked) -> Told:
        raise UnavailableError("registry.database_unavailable")

    with pytest.raises(UnavailableError):
        desk.fetch(ticket, make=too_busy)
    assert desk.fetch(ticket) == (TicketState.READY, ANSWER)


def test_ticket_is_found_in_capital_letters_too(desk: Desk) -> None:
    assert desk.fetch(desk.ready().upper()) == (TicketState.READY, ANSWER)
