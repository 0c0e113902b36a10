"""The desk: nothing outside of the scope, nothing unrecorded, nothing personal without a reason."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.auditing.deeds import Missing, ReasonRequired, TrailUnavailable
from gateway.auditing.desk import Desk, desk_of
from gateway.auditing.model import Entry, Growth, Query, Scope
from gateway.runtime.accounts.model import EVERYTHING, Principal
from gateway.xroad.faults import LoggingUnavailable
from tests.factories.audit import ALPHA, MemorySource, a_source
from tests.factories.auditors import a_desk, audit_deps, deeds

Ask = Callable[[Desk], Awaitable[object]]

# Every question about one thing, asked about something of BETA's.
QUESTIONS: dict[str, Ask] = {
    "open": lambda desk: desk.open(10),
    "related": lambda desk: desk.related(10),
    "read": lambda desk: desk.read(10),
    "read_parts": lambda desk: desk.read_parts(10),
    "refusal": lambda desk: desk.refusal(15),
    "verify": lambda desk: desk.verify(10),
    "container": lambda desk: desk.container(10, reason="r"),
    "attachment": lambda desk: desk.attachment(12, 1, reason="r"),
}


@pytest.mark.parametrize("name", sorted(QUESTIONS))
async def test_what_is_outside_of_the_scope_is_missing_as_what_is_not_there(name: str, tmp_path: Path) -> None:
    deps = audit_deps(a_source(), tmp_path)
    assert await QUESTIONS[name](a_desk(deps)) is not None
    with pytest.raises(Missing):
        await QUESTIONS[name](a_desk(deps, str(ALPHA)))
    event = deeds(tmp_path)[-1]
    assert event["event"].endswith(" failed")
    assert event["reason"] == "not found"


@pytest.mark.parametrize("name", sorted(QUESTIONS))
async def test_nothing_is_answered_when_the_trail_cannot_be_written(name: str, tmp_path: Path) -> None:
    deps = audit_deps(a_source(), tmp_path / "gone")
    for desk in (a_desk(deps), a_desk(deps, str(ALPHA))):
        with pytest.raises(TrailUnavailable):
            await QUESTIONS[name](desk)


@pytest.mark.parametrize("name", sorted(QUESTIONS))
async def test_every_look_is_recorded_with_who_and_what(name: str, tmp_path: Path) -> None:
    await QUESTIONS[name](a_desk(audit_deps(a_source(), tmp_path)))
    event = deeds(tmp_path)[0]
    assert (event["user"], event["auth"], event["url"]) == ("auditor", "Session", "/test")
    assert {10, 12, 15} & {event["data"].get("exchange"), event["data"].get("entry")}


async def test_search_and_count_stay_within_the_scope(tmp_path: Path) -> None:
    desk = a_desk(audit_deps(a_source(), tmp_path), str(ALPHA))
    page = await desk.search(Query())
    assert {exchange.party.split("/")[2] for exchange in page.exchanges} == {"11111111"}
    assert (await desk.count(Query())).number == 6
    assert (await desk.sample(Query(), 100, "s")).population == 6
    assert [event["event"] for event in deeds(tmp_path)] == ["Search messages", "Count messages", "Sample messages"]


async def test_search_is_recorded_with_its_conditions_and_what_it_found(tmp_path: Path) -> None:
    await a_desk(audit_deps(a_source(), tmp_path)).search(Query(issue="alpha-case-1"))
    assert deeds(tmp_path)[0]["data"] == {"query": {"issue": "alpha-case-1"}, "found": [1]}


@pytest.mark.parametrize("reason", [None, "", " \n "])
async def test_nothing_is_taken_away_without_a_reason(reason: str | None, tmp_path: Path) -> None:
    desk = a_desk(audit_deps(a_source(), tmp_path))
    with pytest.raises(ReasonRequired):
        await desk.container(1, reason=reason)
    with pytest.raises(ReasonRequired):
        await desk.attachment(3, 1, reason=reason)
    with pytest.raises(ReasonRequired):
        await desk.export(Query(), reason=reason)


async def test_values_are_masked_until_a_reason_is_given_which_is_recorded(tmp_path: Path) -> None:
    desk = a_desk(audit_deps(a_source(), tmp_path))
    assert "alpha-unzr" not in (await desk.read_parts(1))[0].text
    assert "alpha-unzr" in (await desk.read_parts(1, reason="complaint 7"))[0].text
    first, second = deeds(tmp_path)
    assert (first["event"], "grounds" in first["data"]) == ("View exchange", False)
    assert (second["event"], second["data"]["grounds"]) == ("Reveal personal data", "complaint 7")


async def test_growth_is_told_to_those_who_see_everything(tmp_path: Path) -> None:
    source = a_source()
    source.growth = Growth(1, 2, 3.0, 4.0, 5.0)
    deps = audit_deps(source, tmp_path)
    assert (await a_desk(deps).status()).growth == source.growth
    assert (await a_desk(deps, str(ALPHA)).status()).growth is None


def test_caller_without_the_role_has_no_desk(tmp_path: Path) -> None:
    deps = audit_deps(a_source(), tmp_path)
    assert desk_of(deps, Principal("x", frozenset({"XROAD_SYSTEM_ADMINISTRATOR"})), url="/") is None
    key = Principal("api-key-1", frozenset({"AUDITOR"}), EVERYTHING, 1)
    desk = desk_of(deps, key, url="/")
    assert desk is not None
    assert (desk.scope.is_everything, desk.auth) == (True, "ApiKey")


async def test_desk_without_exports_and_ledger_says_that_there_are_none(tmp_path: Path) -> None:
    desk = a_desk(audit_deps(a_source(), tmp_path))
    for asked in (desk.exports(), desk.checkpoint(), desk.make_checkpoint(), desk.prove(1), desk.completeness(b"")):
        with pytest.raises(Missing):
            await asyncio.wait_for(asked, 5)


class UnreadableSource(MemorySource):
    """A source whose archives are gone."""

    def find_entry(self, sequence: int, scope: Scope) -> Entry | None:
        raise LoggingUnavailable("internal_error", "messagelog.record_not_found", sequence=sequence)


async def test_look_that_fails_is_recorded_with_its_reason(tmp_path: Path) -> None:
    source = UnreadableSource(**vars(a_source()))
    desk = a_desk(audit_deps(source, tmp_path))
    with pytest.raises(LoggingUnavailable):
        await desk.read(1)
    event = deeds(tmp_path)[0]
    assert (event["event"], event["reason"]) == ("View exchange failed", "internal_error")
    dossier = await desk.open(1)
    assert dossier.request is not None
    assert (dossier.request.entry, dossier.request.fault is not None) == (None, True)
