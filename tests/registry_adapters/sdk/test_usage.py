"""What citizens are told of looks equals the access log, page by page, also while new looks come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from gateway.runtime.clock import FixedClock
from registry_adapters.sdk.access_log import ACCESS_LOG, Look, Outcome
from registry_adapters.sdk.fields import from_json
from registry_adapters.sdk.registry import build
from registry_adapters.sdk.usage import UsageAnswer
from registry_adapters.settings import RegistrySettings
from tests.registry_adapters.citizen.watched import (
    ANDRII,
    MARIANA,
    POLICE,
    SNAP,
    SOFIIA,
    Watched,
    an_entry,
    open_watched,
)
from tests.registry_adapters.shim import listening

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HEADERS = {"X-Road-Client": "UA-DEMO/GOV/10000007/CITIZEN", "X-Road-Id": "u-1", "X-Road-UserId": MARIANA}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    watched = open_watched("diary", tmp_path_factory.mktemp("usage"), FixedClock(NOON))
    yield watched
    watched.database.close()


@pytest.fixture
def watched(opened: Watched) -> Watched:
    """A registry nobody has looked into."""
    empty(opened)
    return opened


@pytest.fixture(scope="module")
def http(opened: Watched) -> Iterator[httpx.Client]:
    with listening(opened.app) as url, httpx.Client(base_url=url, headers=HEADERS, trust_env=False) as client:
        yield client


def empty(watched: Watched) -> None:
    with watched.database.transaction() as tx:
        tx.execute(delete(ACCESS_LOG))


def asked(http: httpx.Client, **query: Any) -> dict[str, Any]:
    answer = http.get("/usage/findUsage", params={"userCode": MARIANA, **query})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert from_json(UsageAnswer, found).total_usages == found["totalUsages"]  # what our client reads
    return found


def test_a_look_is_told_with_time_reason_and_receiver(watched: Watched, http: httpx.Client) -> None:
    watched.look(NOON, ground="Заява № 5", message_id="m-77")
    found = asked(http)
    assert found["usages"] == [
        {
            "logtime": "2026-03-02T12:00:00Z",
            "action": "Housing subsidy",
            "receiverCode": "10000001",
            "receiverSystem": "UA-DEMO/GOV/10000001/SNAP",
            "operation": "GetPerson",
            "purpose": "HOUSING-SUBSIDY",
            "purposeTitleEn": "Housing subsidy",
            "purposeTitleUk": "Житлова субсидія",
            "ground": "Заява № 5",
            "caseNumber": "SN12000007-1",
            "messageId": "m-77",
        }
    ]
    assert (found["totalUsages"], found["restrictedUsages"]) == (1, 0)


def test_the_ground_of_the_purpose_stands_in_where_the_request_named_none(watched: Watched, http: httpx.Client) -> None:
    watched.look(NOON)
    assert asked(http)["usages"][0]["ground"] == "Постанова КМУ № 848 від 21.10.1995"


def test_a_look_without_purpose_is_told_by_what_was_asked(watched: Watched, http: httpx.Client) -> None:
    watched.look(NOON, purposes=(), issue=None)
    usage = asked(http)["usages"][0]
    assert usage["action"] == "Find a person."
    assert not {"purpose", "ground", "caseNumber"} & usage.keys()


def test_a_purpose_that_is_not_declared_is_told_as_the_asker_named_it(watched: Watched, http: httpx.Client) -> None:
    watched.look(NOON, purposes=("HOUSING-SUBSIDY", "ANOTHER"))
    usage = asked(http)["usages"][0]
    assert (usage["purposeTitleUk"], usage["action"]) == ("Житлова субсидія; ANOTHER", "Housing subsidy; ANOTHER")


def test_a_real_request_is_told_once_and_asking_for_usages_is_not(watched: Watched, http: httpx.Client) -> None:
    sent = {"X-Road-Client": str(SNAP), "X-Road-Id": "r-9", "Uxp-Purpose-Ids": "HOUSING-SUBSIDY"}
    assert http.get("/persons", params={"code": MARIANA}, headers=sent).status_code == 200
    assert asked(http)["totalUsages"] == 1
    assert [usage["messageId"] for usage in asked(http)["usages"]] == ["r-9"]


def test_a_sealed_request_is_counted_and_nothing_of_it_is_shown(watched: Watched, http: httpx.Client) -> None:
    sent = {"X-Road-Client": str(POLICE), "X-Road-Id": "secret", "Uxp-Purpose-Ids": "INVESTIGATION"}
    assert http.get("/persons", params={"code": MARIANA}, headers=sent).status_code == 200
    answer = http.get("/usage/findUsage", params={"userCode": MARIANA})
    assert answer.json() == {"totalUsages": 0, "restrictedUsages": 1, "usages": []}


def test_neither_period_nor_mark_narrows_the_count_of_sealed_looks(watched: Watched, http: httpx.Client) -> None:
    for hours in range(3):
        watched.look(NOON + timedelta(hours=hours), sealed=True)
    watched.look(NOON)
    for query in ({}, {"periodStart": "2030-01-01T00:00:00Z"}, {"asOf": "0"}, {"offset": "5"}, {"limit": "1"}):
        assert asked(http, **query)["restrictedUsages"] == 3, query


def test_others_and_lookups_that_found_nobody_are_not_told(watched: Watched, http: httpx.Client) -> None:
    watched.look(NOON, ANDRII)
    nobody = an_entry(NOON)
    watched.looks(
        [type(nobody)(nobody.noted_at, nobody.operation, nobody.context, Look(Outcome.NOT_FOUND, "rnokpp", None))]
    )
    assert asked(http)["totalUsages"] == 0
    assert asked(http, userCode=ANDRII)["totalUsages"] == 1


def test_a_parent_asks_about_a_child_in_the_own_name(watched: Watched, http: httpx.Client) -> None:
    watched.look(NOON, SOFIIA)
    assert asked(http, userCode=SOFIIA)["totalUsages"] == 1


def test_the_period_holds_both_of_its_ends(watched: Watched, http: httpx.Client) -> None:
    for minutes in (0, 1, 2, 3):
        watched.look(NOON + timedelta(minutes=minutes), message_id=f"m-{minutes}")
    found = asked(http, periodStart="2026-03-02T14:01:00+02:00", periodEnd="2026-03-02T12:02:00Z")
    assert [usage["messageId"] for usage in found["usages"]] == ["m-2", "m-1"]
    assert found["totalUsages"] == 2


LOOKS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from((MARIANA, ANDRII)), st.booleans()), min_size=0, max_size=25
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=LOOKS, meanwhile=st.lists(LOOKS.filter(bool), max_size=4), size=st.integers(1, 7))
def test_all_pages_together_are_the_log_exactly_though_new_looks_come(
    opened: Watched, http: httpx.Client, before: list[Any], meanwhile: list[list[Any]], size: int
) -> None:
    empty(opened)
    number = 0

    def note(looks: list[Any]) -> None:
        nonlocal number
        entries = []
        for seconds, subject, sealed in looks:
            number += 1
            at = NOON + timedelta(seconds=seconds)
            entries.append(an_entry(at, subject, message_id=f"m-{number}", sealed=sealed))
        if entries:
            opened.looks(entries)

    note(before)
    with opened.database.reading() as tx:
        log = [
            row.message_id
            for row in tx.execute(
                select(ACCESS_LOG)
                .where(ACCESS_LOG.c.subject == MARIANA, ACCESS_LOG.c.sealed.is_(False))
                .order_by(ACCESS_LOG.c.noted_at.desc(), ACCESS_LOG.c.id.desc())
            )
        ]
    sealed = sum(one[1] == MARIANA and one[2] for one in before)
    first = asked(http, limit=size)
    assert (first["totalUsages"], first["restrictedUsages"]) == (len(log), sealed)
    told = [usage["messageId"] for usage in first["usages"]]
    coming = iter(meanwhile)
    while len(told) < first["totalUsages"]:
        note(next(coming, []))
        page = asked(http, limit=size, offset=len(told), asOf=first["asOf"])
        assert page["totalUsages"] == len(log)
        told += [usage["messageId"] for usage in page["usages"]]
    assert told == log


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"}, {"limit": "1001"}, {"offset": "-1"}, {"offset": "x"}, {"userCode": ""}, {"userCode": "123"},
        {"userCode": "334730002x"}, {"periodStart": "2026-03-02"}, {"periodEnd": "yesterday"}, {"asOf": "1.5"},
        {"asof": "1"}, {"user_code": MARIANA},
    ],
)  # fmt: skip
def test_a_question_that_is_not_of_the_protocol_is_refused(
    watched: Watched, http: httpx.Client, query: dict[str, str]
) -> None:
    answer = http.get("/usage/findUsage", params={"userCode": MARIANA, **query})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


def test_somebody_must_be_asking(watched: Watched, http: httpx.Client) -> None:
    sent = {name: value for name, value in HEADERS.items() if name != "X-Road-UserId"}
    with httpx.Client(base_url=http.base_url, headers=sent, trust_env=False) as nobody:
        answer = nobody.get("/usage/findUsage", params={"userCode": MARIANA})
    assert answer.status_code == 400
    assert "X-Road-UserId" in answer.json()["detail"]


def test_at_most_a_thousand_are_told_at_once(watched: Watched, http: httpx.Client) -> None:
    watched.looks([an_entry(NOON + timedelta(seconds=n), message_id=f"m-{n}") for n in range(1002)])
    found = asked(http)
    assert (len(found["usages"]), found["totalUsages"]) == (1000, 1002)
    rest = asked(http, offset=1000, asOf=found["asOf"])
    assert [usage["messageId"] for usage in rest["usages"]] == ["m-1", "m-0"]


def test_the_usage_period_begins_with_the_oldest_look(watched: Watched, http: httpx.Client) -> None:
    assert http.get("/usage/usagePeriod").json() == {"periodStart": "2026-03-02T12:00:00Z"}
    watched.look(NOON - timedelta(days=9), ANDRII)
    assert http.get("/usage/usagePeriod").json() == {"periodStart": "2026-02-21T12:00:00Z"}


def test_the_heartbeat_says_that_it_works(http: httpx.Client) -> None:
    assert http.get("/usage/heartbeat").json()["status"] == "OK"


def test_the_description_names_the_fields_as_the_protocol_does(http: httpx.Client) -> None:
    document = http.get("/usage/openapi.json").json()
    assert document["servers"] == [{"url": f"{str(http.base_url).rstrip('/')}/usage"}]
    parameters = {one["name"] for one in document["paths"]["/findUsage"]["get"]["parameters"]}
    assert parameters == {"userCode", "periodStart", "periodEnd", "offset", "limit", "asOf"}
    usage = document["components"]["schemas"]["Usage"]
    assert {"logtime", "action", "receiverCode", "receiverSystem"} == set(usage["required"])
    assert "/findUsage" not in http.get("/openapi.json").json()["paths"]


def test_a_registry_that_knows_no_persons_has_no_usage_service(tmp_path: Path) -> None:
    watched = open_watched("mute", tmp_path)
    try:
        watched.registry.subjects_of = None
        mute = build(watched.registry, watched.database, RegistrySettings())
        with listening(mute) as url:
            answer = httpx.get(f"{url}/usage/findUsage", params={"userCode": MARIANA}, headers=HEADERS, trust_env=False)
        assert answer.status_code == 404
    finally:
        watched.database.close()


@pytest.mark.parametrize("client", [str(SNAP), str(POLICE), "UA-DEMO/GOV/10000007", "UA-DEMO/GOV/10000007/CITIZEN2"])
def test_a_right_to_the_registry_is_none_to_be_told_of_looks(watched: Watched, http: httpx.Client, client: str) -> None:
    watched.look(NOON)
    sent = {"X-Road-Client": client, "X-Road-Service": "UA-DEMO/GOV/10000004/TAX/usage"}
    answer = http.get("/usage/findUsage", params={"userCode": MARIANA}, headers=sent)
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:surma:registry:usage_client")
    assert "m-1" not in answer.text
