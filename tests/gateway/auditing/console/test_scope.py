"""An auditor of one member never meets another: on no page, in no file, by no address."""

from __future__ import annotations

import pytest

from tests.gateway.auditing.console.site import Site, Visit, tree_of

FOREIGN = ("beta", "22222222", "BUREAU", "BRANCH", "192.0.2.66")


@pytest.fixture
def taras(site: Site) -> Visit:
    """The auditor of member 11111111."""
    return site.visit("taras")


def foreign_exchanges(site: Site) -> list[int]:
    return [one.id for one in site.source.exchanges.values() if "11111111" not in one.party]


def assert_nothing_foreign(text: str) -> None:
    assert [mark for mark in FOREIGN if mark in text] == []


def test_there_are_exchanges_that_may_not_be_seen(site: Site) -> None:
    assert len(foreign_exchanges(site)) == 7


def test_every_address_of_a_foreign_exchange_answers_as_if_there_were_none(site: Site, taras: Visit) -> None:
    nothing = taras.get("/audit/exchanges/4711").text.replace("4711", "")
    for number in foreign_exchanges(site):
        path = f"/audit/exchanges/{number}"
        for address in ("", "/report", "/report.html", f"/{number}/proof"):
            answer = taras.get(path + address)
            assert answer.status_code == 404, path + address
            assert_nothing_foreign(answer.text)
        assert taras.get(path).text.replace(str(number), "") == nothing.replace(str(number), "")
        revealed = taras.send("/audit/exports/new", f"{path}/reveal", reason="curious")
        assert revealed.status_code == 404
        for address in (f"/{number}/container", f"/{number}/attachments/1"):
            assert_nothing_foreign(taras.get(path + address).text)


def test_numbers_of_foreign_messages_open_nothing_below_an_own_exchange(site: Site, taras: Visit) -> None:
    own = "/audit/exchanges/1"
    taras.send(own, f"{own}/reveal", reason="complaint 7")
    for number in range(1, site.source.last_sequence + 1):
        if number in (1, 2):
            continue
        for address in (f"{own}/{number}/container", f"{own}/{number}/attachments/1", f"{own}/{number}/proof"):
            assert taras.get(address).status_code == 404, address


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"client": "UA-DEMO/GOV/22222222"},
        {"client": "*"},
        {"issue": "beta*"},
        {"query_id": "beta-soap"},
        {"fault_code": "client.invalid_soap"},
        {"since": "2026-11-21"},
        {"outcome": "failed"},
    ],
)
def test_no_search_and_no_sample_finds_a_foreign_exchange(site: Site, taras: Visit, fields: dict[str, str]) -> None:
    foreign = {f"/audit/exchanges/{number}" for number in foreign_exchanges(site)}
    drawn = {"size": "100", "seed": "1", "through": "1000"}
    for path, more in (("/audit/search", {"search": "1"}), ("/audit/sample", drawn)):
        tree = tree_of(taras.get(path, **fields, **more))
        assert foreign.isdisjoint(tree.xpath("//a/@href"))
        assert_nothing_foreign("".join(tree.xpath("//table//text()")))
    assert_nothing_foreign(taras.get("/audit/sample.csv", **fields, **drawn).text)


def test_the_state_tells_whose_exchanges_one_sees(taras: Visit) -> None:
    page = taras.get("/audit").text
    assert_nothing_foreign(page)
    assert "UA-DEMO/<wbr>GOV/<wbr>11111111" in page
