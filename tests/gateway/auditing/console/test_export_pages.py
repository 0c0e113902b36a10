from __future__ import annotations

import io
import json
import re
import time
import zipfile

import httpx
import pytest

from gateway.auditing.sample import draw
from tests.gateway.auditing.console.site import Site, Visit, tree_of

NEW = "/audit/exports/new"


@pytest.fixture
def visit(site: Site) -> Visit:
    return site.visit("taras", "en")


def asked_for(visit: Visit, grounds: str = "assignment 17") -> httpx.Response:
    return visit.send(f"{NEW}?issue=alpha*", NEW, issue="alpha*", grounds=grounds)


def finished(visit: Visit, path: str) -> str:
    """The page of an export when it is over."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        page = visit.get(path).text
        if "Ready" in page or "Failed" in page:
            return page
        time.sleep(0.02)
    raise AssertionError("the export is not finished")


def test_an_export_is_asked_for_followed_fetched_and_deleted(site: Site, visit: Visit) -> None:
    answer = asked_for(visit)
    path = answer.url.path
    assert re.fullmatch(r"/audit/exports/[0-9a-f]{16}", path)
    assert "The export was started" in answer.text
    page = finished(visit, path)
    assert "assignment 17" in page
    file = visit.get(f"{path}/file")
    names = zipfile.ZipFile(io.BytesIO(file.content)).namelist()
    assert len([name for name in names if name.startswith("containers/")]) == 4
    assert "manifest.json" in names
    assert "assignment 17" in visit.get("/audit/exports").text or path in visit.get("/audit/exports").text
    confirm = visit.get(f"{path}/delete").text
    assert "Delete the export of" in confirm
    assert "was deleted" in visit.send(f"{path}/delete", f"{path}/delete").text
    assert visit.get(path).status_code == 404


def test_a_reason_is_needed_before_anything_is_exported(visit: Visit) -> None:
    before = visit.get("/audit/exports").text.count('href="/audit/exports/')
    answer = asked_for(visit, grounds=" ")
    assert answer.status_code == 422
    assert tree_of(answer).xpath("//textarea[@id='grounds']/@aria-invalid") == ["true"]
    assert visit.get("/audit/exports").text.count('href="/audit/exports/') == before


def test_the_search_goes_with_the_form(visit: Visit) -> None:
    tree = tree_of(visit.get(NEW, issue="alpha*", since="2026-11-21"))
    hidden = {field.get("name"): field.get("value") for field in tree.xpath("//main//input[@type='hidden']")}
    assert hidden["issue"] == "alpha*"
    assert hidden["since"] == "2026-11-21"
    assert "Exchanges: 2" in tree.text_content()


def test_a_search_that_cannot_be_understood_is_not_exported(visit: Visit) -> None:
    tree = tree_of(visit.get(NEW, since="2026-02-30"))
    assert tree.xpath("//textarea") == []
    assert visit.send("/audit/exports/new", NEW, since="2026-02-30", grounds="x").status_code == 422


def test_the_page_renews_itself_only_while_an_export_is_written(visit: Visit) -> None:
    path = asked_for(visit).url.path
    finished(visit, path)
    assert "refresh" not in visit.get(path).headers
    assert "refresh" not in visit.get("/audit/exports").headers


def test_an_export_of_somebody_else_is_not_there(site: Site, visit: Visit) -> None:
    path = asked_for(visit).url.path
    finished(visit, path)
    other = site.visit("olena")
    for page in (path, f"{path}/file", f"{path}/delete"):
        assert other.get(page).status_code == 404
    assert other.send("/audit/completeness", f"{path}/delete").status_code == 404
    assert visit.get(path).status_code == 200


def test_exports_beyond_the_limit_are_refused_beside_the_field(site: Site) -> None:
    visit = site.enter("olena", "en")
    answers = [asked_for(visit) for _ in range(21)]
    assert answers[-1].status_code == 409
    assert "You have as many exports as one person may have: 20" in answers[-1].text


# Samples


def test_a_sample_is_the_one_that_anybody_can_draw_again(site: Site, visit: Visit) -> None:
    answer = visit.get("/audit/sample", client="UA-DEMO/GOV/11111111", size="3", seed="order 17")
    assert answer.url.params["through"] == str(site.source.indexed_through)
    links = tree_of(answer).xpath("//table//a[contains(@href, '/audit/exchanges/')]/@href")
    mine = [one for one in site.source.exchanges.values() if (one.client or "").startswith("UA-DEMO/GOV/11111111/")]
    mine = [one for one in mine if one.id <= (site.source.indexed_through or 0)]
    expected = draw(sorted(mine, key=lambda one: one.id), 3, "order 17")
    assert links == [f"/audit/exchanges/{one.id}" for one in expected.exchanges]
    assert f"Drawn: 3 of {len(mine)}" in answer.text
    assert "order 17" in answer.text


@pytest.mark.parametrize("fields", [{"size": "0"}, {"size": "x"}, {"size": "1001"}, {"seed": ""}, {"seed": "s" * 201}])
def test_size_and_seed_are_told_when_they_are_wrong(visit: Visit, fields: dict[str, str]) -> None:
    page = visit.get("/audit/sample", **{"size": "3", "seed": "17", **fields})
    wrong = next(iter(fields))
    assert tree_of(page).xpath(f"//input[@id='{wrong}']/@aria-invalid") == ["true"]
    assert "Drawn:" not in page.text


def test_the_list_of_a_sample_can_be_taken_away(visit: Visit) -> None:
    page = visit.get("/audit/sample", issue="alpha*", size="2", seed="17")
    link = tree_of(page).xpath("//a[starts-with(@href, '/audit/sample.csv')]/@href")[0]
    table = visit.get(link)
    assert table.headers["content-type"].startswith("text/csv")
    assert len(table.content.decode("utf-8-sig").strip().splitlines()) == 3


def test_a_sample_is_recorded_with_its_seed(site: Site, visit: Visit) -> None:
    visit.get("/audit/sample", issue="alpha*", size="2", seed="17")
    deed = [deed for deed in site.deeds() if deed["event"] == "Sample messages"][-1]
    assert json.loads(json.dumps(deed["data"]))["seed"] == "17"
