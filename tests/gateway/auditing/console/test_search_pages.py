from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.factories.audit import ALPHA_DESK, MemorySource
from tests.factories.pki import NOON
from tests.gateway.auditing.console.site import Site, a_site, tree_of


def found(text: str) -> list[str]:
    """The numbers of the exchanges that a page lists."""
    links = tree_of(text).xpath("//table//a[starts-with(@href, '/audit/exchanges/')]/@href")
    return [link.rpartition("/")[2] for link in links]


@pytest.mark.parametrize(
    ("fields", "numbers"),
    [
        ({"query_id": "alpha-soap"}, ["1"]),
        ({"issue": "alpha-case-*"}, ["3", "1"]),
        ({"client": "UA-DEMO/GOV/11111111", "outcome": "open"}, ["5"]),
        ({"user_id": "alpha-clerk", "purpose": "1.2"}, ["1"]),
        ({"service": "UA-DEMO/GOV/10000002/DEMOGRAPHIC/persons", "client": "UA-DEMO/GOV/11111111"}, ["3"]),
        ({"fault_code": "client.invalid_soap"}, ["19"]),
        ({"side": "provider", "client": "UA-DEMO/GOV/10000001", "issue": "", "query_id": "alpha-*"}, ["8"]),
        ({"since": "2026-11-21", "since_time": "15:00"}, ["19"]),
    ],
)
def test_each_condition_finds_its_exchanges(site: Site, fields: dict[str, str], numbers: list[str]) -> None:
    assert found(site.visit().get("/audit/search", **fields).text) == numbers


def test_what_was_searched_for_stands_above_the_results_and_in_the_form(site: Site) -> None:
    tree = tree_of(site.visit().get("/audit/search", issue="alpha-case-1").text)
    assert "Case number\nalpha-case-1" in "\n".join(tree.xpath("//dl[@class='conditions']//text()[normalize-space()]"))
    assert tree.xpath("//input[@id='issue']/@value") == ["alpha-case-1"]


def test_the_address_of_a_search_names_only_what_was_asked_for(site: Site) -> None:
    answer = site.visit().get("/audit/search", search="1", issue="alpha-case-1", client="", since="", outcome="")
    assert str(answer.url).endswith("/audit/search?issue=alpha-case-1")
    assert str(site.visit().get("/audit/search", search="1", issue="").url).endswith("/audit/search?search=1")


def test_an_unknown_condition_is_told_beside_its_field_and_finds_nothing(site: Site) -> None:
    text = site.visit().get("/audit/search", since="2026-02-30", issue="alpha-case-1").text
    tree = tree_of(text)
    assert found(text) == []
    assert tree.xpath("//input[@id='since']/@aria-invalid") == ["true"]
    assert "no day of the calendar" in tree.xpath("string(//p[@id='since-error'])")
    assert tree.xpath("//div[@role='alert']//a/@href") == ["#since"]


def test_nothing_found_says_what_to_try(site: Site) -> None:
    text = site.visit("taras").get("/audit/search", issue="nothing", since="2026-11-21").text
    assert "Nothing was found" in text
    assert "Make the period longer" in text
    assert "only the members granted to you" in text


@pytest.fixture(scope="module")
def long_log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A log of 120 refusals."""
    source = MemorySource()
    for number in range(120):
        source.refuse(ALPHA_DESK, query_id=f"q-{number:03d}", at=NOON + timedelta(seconds=number))
    with a_site(tmp_path_factory.mktemp("long"), source=source) as served:
        yield served


def test_pages_go_older_and_back_newer(long_log: Site) -> None:
    visit = long_log.visit()
    first = visit.get("/audit/search", query_id="q-*").text
    second = visit.get(_link(first, "next")).text
    third = visit.get(_link(second, "next")).text
    assert [len(found(page)) for page in (first, second, third)] == [50, 50, 20]
    assert found(first)[-1] == "71"
    assert found(second)[0] == "70"
    assert found(visit.get(_link(third, "prev")).text) == found(second)
    assert found(visit.get(_link(second, "prev")).text) == found(first)
    assert tree_of(third).xpath("//a[@rel='next']") == []
    assert "Exchanges found: 120" in third


@pytest.mark.parametrize("before", ["0", "-5", "1e9", "99999999999999999999", "'; drop table", "7.7"])
def test_an_odd_place_in_the_list_is_its_beginning(long_log: Site, before: str) -> None:
    page = long_log.visit().get("/audit/search", query_id="q-*", before=before, trail="x.y.0.-1")
    assert found(page.text)[0] == "120"


def test_the_last_page_of_a_list_that_is_gone_offers_the_way_back(long_log: Site) -> None:
    page = long_log.visit().get("/audit/search", query_id="q-*", before="1").text
    assert found(page) == []
    assert _link(page, "prev") == "/audit/search?query_id=q-%2A"


def test_a_search_is_bounded_and_never_fails(site: Site) -> None:
    visit = site.visit()
    huge = dict.fromkeys(("client", "service", "issue", "purpose"), "я" * 900)
    assert visit.get("/audit/search", **huge).status_code == 200
    assert visit.get("/audit/search", issue="a" * 5000).status_code == 200
    many = "&".join(f"x{number}=1" for number in range(500))
    assert visit.get(f"/audit/search?{many}&issue=alpha-case-1").status_code == 200


def test_searches_are_recorded_with_what_was_asked(site: Site) -> None:
    site.visit().get("/audit/search", user_id="alpha-clerk", issue="alpha-case-2")
    deed = [deed for deed in site.deeds() if deed["event"] == "Search messages"][-1]
    assert deed["user"] == "olena"
    assert deed["data"] == {"query": {"issue": "alpha-case-2", "user_id": "alpha-clerk"}, "found": [3]}


def _link(page: str, rel: str) -> str:
    return str(tree_of(page).xpath(f"//a[@rel='{rel}']/@href")[0])


def test_nothing_is_shown_when_it_cannot_be_recorded(tmp_path: Path) -> None:
    with a_site(tmp_path) as unrecorded:
        visit = unrecorded.visit()
        assert visit.get("/audit/search", issue="alpha-case-1").status_code == 200
        (tmp_path / "audit").rename(tmp_path / "gone")
        (tmp_path / "audit").write_text("not a folder")
        for path in ("/audit", "/audit/search?issue=alpha-case-1", "/audit/exchanges/1", "/audit/exchanges/4711"):
            answer = visit.get(path)
            assert answer.status_code == 503
            assert "What auditors do is recorded" in answer.text
            assert tree_of(answer).xpath("//table | //dl") == []
