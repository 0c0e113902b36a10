from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.runtime.accounts import api_keys
from gateway.runtime.accounts.store import migrate_accounts
from gateway.runtime.clock import SystemClock
from gateway.runtime.database import open_database
from registry_adapters.snap.api import COMPOSER, composer_api
from registry_adapters.snap.settings import ApiBounds
from tests.registry_adapters.shim import Shim, listening
from tests.registry_adapters.snap.world import CENTRE, TYPED, Counter, counter

TRADER = TYPED["sole-trader"]
TAX = "GOV/10000004/TAX"
BOUNDS = ApiBounds(requests_per_second=0, requests_per_minute=0, max_request_bytes=2000, max_wait_s=8)


@dataclass(frozen=True)
class Served:
    """A composer that answers, and the keys of those who may ask."""

    http: httpx.Client
    desk: Counter
    keys: dict[str, str]

    def ask(self, method: str, path: str, key: str = "everywhere", **rest: Any) -> httpx.Response:
        headers = {"Authorization": f"X-Road-ApiKey token={self.keys[key]}"}
        return self.http.request(method, f"/api/v1{path}", headers=headers, **rest)

    def open(self, fields: dict[str, str], key: str = "here", **rest: Any) -> httpx.Response:
        return self.ask("POST", "/life-events/sole-trader", key, json={"fields": fields, **rest})


@pytest.fixture(scope="module")
def served(running: Shim, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("composer")
    accounts = open_database(f"sqlite:///{folder}/accounts.db")
    migrate_accounts(accounts)
    with accounts.transaction() as tx:
        now = SystemClock().now()
        keys = {
            name: api_keys.create(tx, roles, now, scope=scope)[1]
            for name, roles, scope in (
                ("everywhere", [COMPOSER], "*"),
                ("here", [COMPOSER], CENTRE),
                ("elsewhere", [COMPOSER], "SN00000001"),
                ("other", ["AUDITOR"], "*"),
            )
        }
    with (
        counter(running, folder / "snap.db") as desk,
        listening(composer_api(desk.cases, accounts, BOUNDS)) as url,
        httpx.Client(base_url=url, timeout=20, trust_env=False) as http,
    ):
        yield Served(http, desk, keys | {"wrong": "no-such-key"})
    accounts.close()


@pytest.fixture(autouse=True)
def healthy(shim: Shim) -> None:
    """Every test begins with registries that are well."""


def test_one_request_gives_answers_of_five_registries_and_one_receipt(served: Served, shim: Shim) -> None:
    answer = served.open(dict(TRADER), wait_s=8, user_id="olena@cnap")
    told = answer.json()
    assert (answer.status_code, told["status"], told["complete"]) == (201, "ready", True)
    assert {one["leg"]: one["state"] for one in told["answers"]} == dict.fromkeys(
        ("applicant", "taxpayer", "sole_trader", "subjects", "arrears"), "answered"
    )
    assert told["answers"][0]["values"]["surname"] == "Лисенко"
    assert {one["message_id"] for one in told["receipt"]["exchanges"]} == {one.message_id for one in shim.exchanges}
    assert {one["user_id"] for one in told["receipt"]["exchanges"]} == {"olena@cnap"}
    assert told["receipt"]["client"] == "UA-DEMO/GOV/10000001/SNAP"
    (line,) = [line for line in told["application"] if line["name"] == "has_arrears"]
    assert (line["value"], line["source"]) == (False, "registry")


def test_what_is_not_answered_in_time_has_a_reason_and_comes_later(served: Served, shim: Shim) -> None:
    shim.down(TAX)
    told = served.open(dict(TRADER), wait_s=0.4).json()
    taxpayer = next(one for one in told["answers"] if one["leg"] == "taxpayer")
    while taxpayer["state"] in ("waiting", "asking", "slow"):  # a machine that does much else
        told = served.ask("GET", f"/cases/{told['number']}").json()
        taxpayer = next(one for one in told["answers"] if one["leg"] == "taxpayer")
    assert (told["complete"], taxpayer["state"], taxpayer["blocks"]) == (False, "parked", True)
    assert (taxpayer["reason"]["kind"], taxpayer["reason"]["code"]) == (
        "unreachable",
        "server.serverproxy.network_error",
    )
    assert next(one for one in told["answers"] if one["leg"] == "subjects")["state"] == "answered"
    shim.heal()
    later = served.ask("GET", f"/cases/{told['number']}", params={"wait_s": 8}).json()
    assert later["complete"] is True


def test_answer_comes_as_soon_as_it_is_there(served: Served) -> None:
    begun = time.monotonic()
    assert served.open(dict(TRADER), wait_s=8).json()["complete"] is True
    assert time.monotonic() - begun < 6


def test_nothing_is_waited_for_unless_asked(served: Served, shim: Shim) -> None:
    shim.slow(TAX, 1)
    begun = time.monotonic()
    told = served.open(dict(TRADER)).json()
    assert told["status"] == "gathering"
    assert time.monotonic() - begun < 1
    assert served.ask("GET", f"/cases/{told['number']}", params={"wait_s": 5}).json()["status"] == "ready"


def test_life_events_say_what_is_asked_of_whom_and_why(served: Served) -> None:
    told = {one["id"]: one for one in served.ask("GET", "/life-events").json()}
    assert set(told) == set(TYPED)
    assert told["sole-trader"]["legs"][4]["service"] == "GOV/10000004/TAX/tax"
    assert told["sole-trader"]["legs"][4]["purpose"] == "SOLE-TRADER"
    assert [field["name"] for field in told["sole-trader"]["fields"]] == ["applicant", "activity"]


def test_one_leg_is_asked_again(served: Served) -> None:
    number = served.open(dict(TRADER), wait_s=8).json()["number"]
    told = served.ask("POST", f"/cases/{number}/legs/arrears/retry", params={"wait_s": 8}).json()
    assert next(one for one in told["answers"] if one["leg"] == "arrears")["attempt"] == 2
    assert len(served.ask("GET", f"/cases/{number}/receipt").json()["exchanges"]) == 6


@pytest.mark.parametrize(("key", "status"), [("wrong", 401), ("other", 403)])
def test_only_keys_of_composers_are_let_in(served: Served, key: str, status: int) -> None:
    for method, path in (("GET", "/life-events"), ("POST", "/life-events/sole-trader"), ("GET", "/cases/x")):
        assert served.ask(method, path, key, json={"fields": {}}).status_code == status


def test_case_of_another_centre_is_not_there(served: Served) -> None:
    number = served.open(dict(TRADER), wait_s=8).json()["number"]
    for method, path in (
        ("GET", f"/cases/{number}"),
        ("GET", f"/cases/{number}/receipt"),
        ("POST", f"/cases/{number}/legs/arrears/retry"),
    ):
        assert served.ask(method, path, "elsewhere").status_code == 404
        assert served.ask(method, path, "here").status_code == 200


def test_key_for_one_centre_opens_cases_of_that_centre_only(served: Served) -> None:
    assert served.open(dict(TRADER), centre="SN00000001").status_code == 403
    assert served.open(dict(TRADER), "everywhere").json()["error"]["code"] == "centre_missing"
    assert served.open(dict(TRADER), "everywhere", centre="SN00000009").json()["centre"] == "SN00000009"


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"fields": {"applicant": "x", "activity": "62.01"}}, {"fields.applicant": ["field_person"]}),
        ({"fields": {"activity": "62"}}, {"fields.applicant": ["field_missing"], "fields.activity": ["field_text"]}),
        ({"fields": dict(TRADER), "wait_s": -1}, {"wait_s": ["greater_than_equal"]}),
        ({"fields": "x"}, {"fields": ["dict_type"]}),
        ({}, {"fields": ["missing"]}),
    ],
)
def test_ill_formed_request_is_told_field_by_field(served: Served, body: Any, wrong: dict[str, list[str]]) -> None:
    answer = served.ask("POST", "/life-events/sole-trader", "here", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["validation_errors"] == wrong


def test_unknown_life_event_case_and_leg_are_404(served: Served) -> None:
    number = served.open(dict(TRADER)).json()["number"]
    for method, path in (
        ("POST", "/life-events/nothing"),
        ("GET", "/cases/nothing"),
        ("POST", f"/cases/{number}/legs/nothing/retry"),
    ):
        assert served.ask(method, path, "here", json={"fields": {}}).status_code == 404


def test_body_beyond_the_bound_is_not_read(served: Served) -> None:
    assert served.open({"applicant": "x" * 3000}).status_code == 413


def test_api_is_described_to_anybody(served: Served) -> None:
    described = served.http.get("/api/v1/openapi.json").json()
    assert described["openapi"].startswith("3.")
    operations = {(method, path) for path, item in described["paths"].items() for method in item}
    assert ("post", "/api/v1/life-events/{recipe}") in operations
    assert ("get", "/api/v1/cases/{number}") in operations
    answer = described["paths"]["/api/v1/cases/{number}"]["get"]["responses"]["200"]["content"]["application/json"]
    assert answer["schema"] == {"$ref": "#/components/schemas/CaseShape"}


@pytest.mark.parametrize(
    "odd", [{"user_id": "olena\nX-Road-Client: x"}, {"user_id": "olena "}, {"centre": "a/b"}, {"centre": "SN1200000٧"}]
)
def test_user_and_centre_that_could_not_go_along_are_refused(served: Served, odd: dict[str, str]) -> None:
    assert served.open(dict(TRADER), "everywhere", **{"centre": CENTRE, **odd}).status_code == 400
