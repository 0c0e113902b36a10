"""What callers wrote into messages, and what somebody types into addresses and forms, never becomes part of a page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.xroad.identifiers import ServiceId
from tests.factories.audit import MemorySource
from tests.factories.messages import a_member, a_subsystem
from tests.gateway.auditing.console.site import Site, Visit, a_site, tree_of

MARK = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'{{7*7}}"
SUBSYSTEM = a_subsystem(MARK, member=a_member("33333333"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A log whose every field was filled in by somebody who means harm."""
    source = MemorySource()
    service = ServiceId(SUBSYSTEM, MARK, MARK)
    source.ask(SUBSYSTEM, query_id=MARK, service=service, body=b'{"<script>alert(1)</script>": 1}', rest=True)
    body = b"<d:GetPerson xmlns:d='d'><a>&lt;script&gt;alert(1)&lt;/script&gt;</a></d:GetPerson>"
    source.ask(SUBSYSTEM, query_id="soap", body=body, issue=MARK, user_id=MARK)
    facts: dict[str, object] = {"service": MARK, "client": MARK, MARK: MARK}
    source.refuse(SUBSYSTEM, query_id=MARK, service=service, facts=facts, address=MARK, fault_code=MARK)
    source.refuse(None, text_id=MARK, facts={"x": MARK})
    with a_site(tmp_path_factory.mktemp("hostile"), source=source) as served:
        yield served


def assert_harmless(text: str) -> None:
    tree = tree_of(text)
    assert tree.xpath("//script | //img | //@onerror | //*[@*[contains(name(), 'onerror')]]") == []
    assert "49" not in tree.xpath("string(//h1)")


@pytest.mark.parametrize("language", ["en", "uk"])
def test_nothing_in_a_message_becomes_markup(hostile: Site, language: str) -> None:
    visit = hostile.visit("olena", language)
    numbers = sorted(hostile.source.exchanges)
    assert len(numbers) == 4
    for number in numbers:
        path = f"/audit/exchanges/{number}"
        for page in (path, f"{path}/report"):
            answer = visit.get(page)
            assert answer.status_code == 200, answer.text
            assert_harmless(answer.text)
        if hostile.source.exchanges[number].request:
            assert_harmless(visit.send(path, f"{path}/reveal", reason=MARK).text)
    assert_harmless(visit.get("/audit/search?search=1").text)
    assert_harmless(visit.get("/audit/sample?size=5&seed=1").text)


@pytest.mark.parametrize("path", ["/audit/search", "/audit/sample", "/audit/exports/new"])
def test_nothing_that_is_typed_becomes_markup(site: Site, path: str) -> None:
    fields = dict.fromkeys(("since", "client", "issue", "outcome", "size", "seed", "before", "trail", "x"), MARK)
    answer = site.visit().get(path, **fields)
    assert answer.status_code == 200
    assert_harmless(answer.text)


def test_the_name_of_an_uploaded_file_becomes_no_markup(site: Site) -> None:
    answer = site.visit().send("/audit/completeness", "/audit/completeness", files={MARK: b"x"})
    assert_harmless(answer.text)


def test_names_of_downloads_cannot_write_headers(hostile: Site) -> None:
    visit = hostile.visit()
    number = min(hostile.source.exchanges)
    visit.send(f"/audit/exchanges/{number}", f"/audit/exchanges/{number}/reveal", reason="test")
    answer = visit.get(f"/audit/exchanges/{number}/{number}/container")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].count('"') == 2
    assert answer.headers["x-content-type-options"] == "nosniff"


POSTS = (
    "/audit/exchanges/3/reveal",
    "/audit/exchanges/3/hide",
    "/audit/exports/new",
    "/audit/exports/0123456789abcdef/delete",
    "/audit/completeness",
)


@pytest.mark.parametrize("path", POSTS)
def test_a_form_without_its_token_is_not_carried_out(site: Site, path: str) -> None:
    client = site.enter("olena", "en").client
    assert client.post(path, data={"reason": "x", "grounds": "x"}).status_code == 403
    assert client.post(path, data={"csrf_token": "0" * 64, "reason": "x", "grounds": "x"}).status_code == 403


def test_a_token_of_another_session_is_worth_nothing(site: Site) -> None:
    page = "/audit/exchanges/3"
    token = tree_of(site.enter("olena", "en").get(page).text).xpath("//input[@name='csrf_token']/@value")
    answer = site.enter("olena", "en").client.post(f"{page}/reveal", data={"csrf_token": token[0], "reason": "x"})
    assert answer.status_code == 403


def test_a_form_from_another_site_is_not_carried_out(site: Site) -> None:
    visit = site.enter("olena", "en")
    token = tree_of(visit.get("/audit/exchanges/3")).xpath("//input[@name='csrf_token']/@value")[0]
    answer = visit.client.post(
        "/audit/exchanges/3/reveal",
        data={"csrf_token": token, "reason": "x"},
        headers={"Origin": "https://elsewhere.example"},
    )
    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["/audit", "/audit/search", "/audit/exchanges/1", "/audit/exports", "/audit/help"])
def test_who_is_not_signed_in_is_sent_to_sign_in(site: Site, path: str) -> None:
    answer = site.visit(None).client.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?next=")


@pytest.mark.parametrize("path", ["/audit", "/audit/search?search=1", "/audit/exchanges/1", "/audit/checkpoint"])
def test_who_is_no_auditor_sees_nothing(site: Site, path: str) -> None:
    answer = site.visit("clerk").get(path)
    assert answer.status_code == 403
    assert "alpha" not in answer.text


def test_a_session_that_was_signed_out_opens_nothing(site: Site) -> None:
    visit = site.enter("olena", "en")
    visit.send("/audit/exchanges/3", "/audit/exchanges/3/reveal", reason="complaint 7")
    visit.send("/audit/exchanges/3", "/logout")
    assert visit.client.get("/audit/exchanges/3").status_code == 303


def test_answers_are_kept_by_nobody(site: Site) -> None:
    visit: Visit = site.visit()
    assert visit.get("/audit/exchanges/3").headers["cache-control"] == "no-store"
    assert visit.get("/audit/checkpoint").headers["cache-control"] == "no-store"
