"""What was asked about me: the page equals the registries' logs, says who is silent, and takes no person's number."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from starlette.responses import PlainTextResponse

from registry_adapters.sdk.access_log import ACCESS_LOG
from tests.registry_adapters.citizen.site import LAND, NOW, PETRO_NUMBER, TAX, Site, Visit, tree_of, words_of
from tests.registry_adapters.citizen.watched import ANDRII, MARIANA, SOFIIA


@pytest.fixture(autouse=True)
def _nobody_looked(site: Site) -> Iterator[None]:
    """Each test begins with empty logs and healthy registries."""
    for watched in (site.tax, site.land):
        with watched.database.transaction() as tx:
            tx.execute(delete(ACCESS_LOG))
    yield
    site.shim.heal()


@pytest.fixture
def mariana(site: Site) -> Visit:
    """Signed in, with a child by the provider's word."""
    return site.citizen()


def numbers_on(page: Any) -> list[str]:
    """The exchange numbers a page shows, in its order."""
    return [one.text_content() for one in tree_of(page).xpath("//td//*[contains(@class, 'code')]")]


def test_nobody_is_shown_anything_before_signing_in(site: Site) -> None:
    site.tax.look(NOW)
    visit = site.visitor()
    for path in ("/", "/mine", "/mine/looks.csv", "/mine/looks.json", "/corrections", "/account"):
        answer = visit.get(path)
        assert answer.url.path == "/login", path
        assert "Housing subsidy" not in answer.text


def test_looks_of_all_registries_stand_in_one_list_newest_first(site: Site, mariana: Visit) -> None:
    site.tax.look(NOW - timedelta(hours=3), message_id="m-3")
    site.land.look(NOW - timedelta(hours=2), message_id="m-2")
    site.tax.look(NOW - timedelta(hours=1), message_id="m-1")
    site.tax.look(NOW, ANDRII, message_id="not-mine")
    page = mariana.get("/mine")
    assert numbers_on(page) == ["m-1", "m-2", "m-3"]
    for said in ("Housing subsidy", "Data of a person", "Administrative services centre (10000001)",
                 "UA-DEMO/GOV/10000001/SNAP", "Case SN12000007-1", "Постанова КМУ № 848"):  # fmt: skip
        assert said in words_of(page), said


def test_a_reader_of_ukrainian_reads_ukrainian(site: Site) -> None:
    site.tax.look(NOW)
    words = words_of(site.citizen(language="uk").get("/mine"))
    assert "Житлова субсидія" in words
    assert "Housing" not in words


def test_registries_are_asked_in_the_name_of_who_is_signed_in(site: Site, mariana: Visit) -> None:
    before = len(site.shim.exchanges)
    mariana.get("/mine", who="1")
    for exchange in site.shim.exchanges[before:]:
        assert exchange.headers["x-road-userid"] == MARIANA
        assert parse_qs(exchange.query)["userCode"] == [SOFIIA]
        assert exchange.client == "UA-DEMO/GOV/10000007/CITIZEN"


def test_looks_at_a_child_are_shown_to_the_parent_and_only_apart(site: Site, mariana: Visit) -> None:
    site.land.look(NOW, SOFIIA, message_id="child")
    assert numbers_on(mariana.get("/mine", who="1")) == ["child"]
    assert numbers_on(mariana.get("/mine")) == []


@pytest.mark.parametrize("who", ["2", "99999", "-1", "x", SOFIIA, ANDRII, "1e0", "٣"])
def test_nobody_else_can_be_chosen(site: Site, mariana: Visit, who: str) -> None:
    before = len(site.shim.exchanges)
    answer = mariana.get("/mine", who=who)
    assert answer.status_code == 404
    assert len(site.shim.exchanges) == before


NAMES = ("who", "userCode", "user_code", "code", "rnokpp", "unzr", "subject", "person", "sub", "X-Road-UserId",
         "registry", "mark", "offset", "since", "until")  # fmt: skip
VALUES = st.one_of(
    st.sampled_from((ANDRII, SOFIIA, "19910824-00026", "0", "1", "2", "tax", "tax~7", "5", "2026-03-01")),
    st.text(max_size=12),
)


@settings(max_examples=60, deadline=None)
@given(
    path=st.sampled_from(("/mine", "/mine/looks.csv", "/mine/looks.json", "/corrections/new", "/account")),
    query=st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=5),
    header=st.sampled_from((None, "X-Road-UserId", "X-User-Code", "Uxp-Subject-Id")),
)
def test_no_request_makes_the_site_ask_about_anybody_but_those_of_the_session(
    site: Site, path: str, query: list[tuple[str, str]], header: str | None
) -> None:
    signed_in = [one for one in site.visits if one.base == site.url and one.http.cookies.get("surma-session")]
    visit = signed_in[-1] if signed_in else site.citizen()
    before = len(site.shim.exchanges)
    sent = {header: ANDRII} if header else {}
    answer = visit.http.get(site.url + path, params=urlencode(query, errors="replace"), headers=sent)
    assert answer.status_code in (200, 400, 404)
    for exchange in site.shim.exchanges[before:]:
        assert exchange.headers["x-road-userid"] == MARIANA
        assert parse_qs(exchange.query)["userCode"][0] in (MARIANA, SOFIIA)


def test_the_period_is_days_where_the_people_live(site: Site, mariana: Visit) -> None:
    late = NOW.replace(day=1, hour=21, minute=59)  # 23:59 in Kyiv, in winter
    site.tax.look(late, message_id="first-of-march")
    site.tax.look(late + timedelta(minutes=1), message_id="second-of-march")
    assert numbers_on(mariana.get("/mine", since="2026-03-01", until="2026-03-01")) == ["first-of-march"]
    assert numbers_on(mariana.get("/mine", since="2026-03-02", until="2026-03-02")) == ["second-of-march"]


@pytest.mark.parametrize(
    ("query", "field"),
    [({"since": "x"}, "since"), ({"until": "2026-13-01"}, "until"),
     ({"since": "2026-03-02", "until": "2026-03-01"}, "until")],
)  # fmt: skip
def test_a_period_that_is_none_is_refused_beside_its_field(
    site: Site, mariana: Visit, query: dict[str, str], field: str
) -> None:
    answer = mariana.get("/mine", **query)
    assert answer.status_code == 400
    assert tree_of(answer).get_element_by_id(f"{field}-error").text_content()


def test_one_registry_alone_can_be_asked(site: Site, mariana: Visit) -> None:
    site.tax.look(NOW, message_id="tax")
    site.land.look(NOW, message_id="land")
    before = len(site.shim.asked(LAND))
    assert numbers_on(mariana.get("/mine", registry="tax")) == ["tax"]
    assert len(site.shim.asked(LAND)) == before
    assert mariana.get("/mine", registry="police").status_code == 404


def pages_from(visit: Visit, path: str) -> Iterator[Any]:
    """Every page, by the link to the next."""
    while path:
        page = visit.get(path)
        yield page
        links = tree_of(page).xpath("//a[@rel='next']")
        path = links[0].get("href") if links else ""


def test_pages_neither_lose_nor_double_though_new_looks_come(site: Site, mariana: Visit) -> None:
    for number in range(7):
        site.tax.look(NOW - timedelta(minutes=number), message_id=f"t-{number}")
        site.land.look(NOW - timedelta(minutes=number), message_id=f"l-{number}")
    shown = []
    for page in pages_from(mariana, "/mine"):
        shown += numbers_on(page)
        site.tax.look(NOW + timedelta(minutes=1), message_id="new")
    assert shown == [f"{registry}-{number}" for number in range(7) for registry in ("t", "l")]
    assert numbers_on(mariana.get("/mine"))[0] == "new"


def test_a_registry_that_was_silent_is_left_out_of_further_pages_and_named(site: Site, mariana: Visit) -> None:
    for number in range(8):
        site.tax.look(NOW - timedelta(minutes=number), message_id=f"t-{number}")
    site.land.look(NOW, message_id="land")
    site.shim.down(LAND)
    first = mariana.get("/mine")
    site.shim.heal()
    link = tree_of(first).xpath("//a[@rel='next']")[0].get("href")
    second = mariana.get(link)
    assert numbers_on(first) + numbers_on(second) == [f"t-{number}" for number in range(8)]
    assert "is not in it: Land cadastre" in words_of(second)


@pytest.mark.parametrize("how", ["down", "slow"])
def test_a_silent_registry_is_shown_as_such_with_a_way_to_ask_again(site: Site, mariana: Visit, how: str) -> None:
    site.tax.look(NOW, message_id="tax")
    if how == "down":
        site.shim.down(LAND)
    else:
        site.shim.slow(LAND, 2.3)
    page = mariana.get("/mine", since="2026-01-01")
    assert page.status_code == 200
    assert numbers_on(page) == ["tax"]
    assert "1 registry does not answer" in words_of(page)
    again = tree_of(page).xpath("//*[@role='alert']//a")[0].get("href")
    site.shim.heal()
    assert "does not answer" not in words_of(mariana.get(again))
    assert "since=2026-01-01" in again


def test_an_answer_that_is_none_counts_as_silence(site: Site, mariana: Visit) -> None:
    site.tax.look(NOW)
    site.shim.contradict(TAX, lambda _answer: {"usages": "many"})
    assert "1 registry does not answer" in words_of(mariana.get("/mine"))


def test_all_registries_silent_is_not_the_same_as_nobody_looked(site: Site, mariana: Visit) -> None:
    nobody = "Nobody looked at these data"
    assert nobody in words_of(mariana.get("/mine"))
    site.shim.down(TAX)
    site.shim.down(LAND)
    page = mariana.get("/mine")
    assert nobody not in words_of(page)
    assert "2 registries do not answer" in words_of(page)


def test_sealed_looks_are_counted_by_registry_without_time_or_name(site: Site, mariana: Visit) -> None:
    for hours in range(3):
        site.land.look(NOW - timedelta(hours=hours), message_id="sealed", purposes=("INVESTIGATION",), sealed=True)
    for query in ({}, {"since": "2026-03-03"}, {"until": "2020-01-01"}):
        page = mariana.get("/mine", **query)
        rows = {
            row[0].text_content().strip(): row[2].text_content().strip() for row in tree_of(page).xpath("//tbody/tr")
        }
        assert rows == {"Registry of taxpayers": "0", "Land cadastre": "3"}
        assert "nvestigation (" not in page.text
        assert "sealed" not in numbers_on(page)


def test_the_csv_file_holds_every_look_and_says_who_is_silent(site: Site, mariana: Visit) -> None:
    for number in range(12):
        site.tax.look(NOW - timedelta(minutes=number), message_id=f"t-{number}")
    site.tax.look(NOW, sealed=True)
    site.shim.down(LAND)
    answer = mariana.get("/mine/looks.csv")
    assert answer.headers["content-disposition"].startswith('attachment; filename="looks-2026-03-02.csv"')
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row[8] for row in rows[1:13]] == [f"t-{number}" for number in range(12)]
    assert [(row[0], row[9]) for row in rows[13:]] == [
        ("Registry of taxpayers", "Looks sealed by law: 1"), ("Land cadastre", "does not answer")]  # fmt: skip


@pytest.mark.parametrize("issue", ["=1+1", "+1", "-1", "@x", "\u200b=1"])
def test_what_others_wrote_never_becomes_a_formula(site: Site, mariana: Visit, issue: str) -> None:
    site.tax.look(NOW, issue=issue)
    rows = list(csv.reader(io.StringIO(mariana.get("/mine/looks.csv").content.decode("utf-8-sig"))))
    assert not rows[1][7].startswith(("=", "+", "-", "@"))
    assert rows[1][7].endswith(issue)


def test_what_others_wrote_never_becomes_markup(site: Site, mariana: Visit) -> None:
    site.tax.look(NOW, issue="<script>alert(1)</script>", ground='"><img src=x>')
    page = mariana.get("/mine")
    assert "<script" not in page.text
    assert not tree_of(page).xpath("//main//img")


def test_the_json_file_is_what_the_registries_told(site: Site, mariana: Visit) -> None:
    site.tax.look(NOW, message_id="m-1")
    site.shim.down(LAND)
    document = json.loads(mariana.get("/mine/looks.json", since="2026-03-01").content)
    assert document["person"]["code"] == MARIANA
    assert document["periodStart"] == "2026-02-28T22:00:00.000Z"
    tax, land = document["registries"]
    assert [usage["messageId"] for usage in tax["usages"]] == ["m-1"]
    assert (land["silent"], "usages" in land) == (True, False)


def test_a_session_ends_when_it_was_idle_and_after_an_hour(site: Site) -> None:
    visit = site.citizen()
    try:
        site.clock.advance(minutes=10)
        assert visit.get("/mine").url.path == "/mine"
        site.clock.advance(minutes=17)
        assert visit.get("/mine").url.path == "/login"
        visit.sign_in(1)
        for _ in range(6):
            assert visit.get("/mine").url.path == "/mine"
            site.clock.advance(minutes=12)
        assert visit.get("/mine").url.path == "/login"
    finally:
        site.clock.set(NOW)


def test_signing_out_ends_the_session_here_and_leads_to_the_provider(site: Site) -> None:
    visit = site.citizen()
    token = visit.http.cookies["surma-session"]
    answer = visit.send("/account", "/logout")
    assert answer.url.path == "/signed-out"
    link = tree_of(answer).xpath("//main//a[contains(@class, 'button')]")[0].get("href")
    there = visit.http.get(link)
    assert tree_of(there).xpath("//main//a")[0].get("href") == f"{site.url}/signed-out"
    visit.http.cookies.set("surma-session", token)
    assert visit.get("/mine").url.path == "/login"


def test_who_has_no_number_cannot_be_signed_in(site: Site) -> None:
    visit = site.visitor()
    answer = visit.sign_in(PETRO_NUMBER)
    assert answer.status_code == 403
    assert "did not tell your RNOKPP or UNZR" in words_of(answer)


@pytest.mark.parametrize("offset", ["9" * 5000, "9" * 18, "١٢", "-1", "x"])
def test_any_offset_is_answered_with_a_page(mariana: Visit, offset: str) -> None:
    assert mariana.get("/mine", offset=offset).status_code in (200, 404)


def test_registry_whose_answer_is_too_deep_to_read_is_silent(site: Site, mariana: Visit) -> None:
    site.land.look(NOW, message_id="m-1")
    healthy = site.shim.apps[TAX]
    site.shim.apps[TAX] = PlainTextResponse("[" * 100_000)
    try:
        assert numbers_on(mariana.get("/mine")) == ["m-1"]
    finally:
        site.shim.apps[TAX] = healthy
