"""The pages of the counter over the real engine: what a clerk sees, carries over, and may not see."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateway.runtime import texts
from registry_adapters.snap.model import CaseStatus
from tests.registry_adapters.snap.site import OTHER_CENTRE, Site, Visit, a_site, tree_of
from tests.registry_adapters.snap.world import CENTRE, TYPED

BUSINESS, TAX = "GOV/10000005/BUSINESS", "GOV/10000004/TAX"
TRADER = TYPED["sole-trader"]
# A text id that no catalogue has shows as itself.
BARE = re.compile(r"\b(?:snap|snap_[a-z]+|console|accounts|registry)\.[a-z_]+(?:\.[a-zA-Z_-]+)*\b")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with a_site(tmp_path_factory.mktemp("site")) as served:
        yield served


@pytest.fixture(autouse=True)
def _healthy(site: Site) -> Iterator[None]:
    yield
    site.shim.heal()


def words(answer: httpx.Response) -> str:
    """What the page says, blanks made one."""
    return said(tree_of(answer).find("body"))


def said(element: Any) -> str:
    """What an element says, blanks made one."""
    return " ".join(" ".join(element.itertext()).split())


def a_case(site: Site, *, centre: str = CENTRE, start: bool = True, until: CaseStatus | None = None) -> str:
    """A case of a sole trader; returned once nothing is under way."""
    number = site.cases.open_case("sole-trader", TRADER, clerk="olena", centre=centre, start=start).number
    if start:
        a_case_is(site, number, until or CaseStatus.READY)
    return number


def a_case_is(site: Site, number: str, status: CaseStatus) -> None:
    """Wait until a case stands so."""
    deadline = time.monotonic() + 10
    while (now := site.cases.case(number).status) is not status:
        assert time.monotonic() < deadline, now
        time.sleep(0.02)


def open_by_form(visit: Visit, recipe: str, **typed: str) -> httpx.Response:
    return visit.post(f"/snap/new/{recipe}", **typed)


def test_whoever_comes_is_led_to_sign_in_and_then_to_the_queue(site: Site) -> None:
    with httpx.Client(base_url=site.url, follow_redirects=True) as http:
        assert http.get("/").url.path == "/login"
    assert site.visit().get("/").url.path == "/snap"


def test_somebody_without_a_centre_sees_nothing(site: Site) -> None:
    assert site.visit("nobody").get("/snap").status_code == 403
    assert site.visit("nobody").get(f"/snap/cases/{a_case(site, start=False)}").status_code == 403


def test_a_case_of_another_centre_is_not_found_on_any_page(site: Site) -> None:
    number = a_case(site, start=False)
    other = site.visit("taras")
    missing = other.get("/snap/cases/SN99999999-2026-000001")
    for rest in ("", "/live", "/correct", "/lines/activity", "/legs/taxpayer/paper", "/decide/grant", "/extract"):
        answer = other.get(f"/snap/cases/{number}{rest}")
        assert (answer.status_code, words(answer)) == (404, words(missing)), rest
    for rest in ("/start", "/correct", "/legs/taxpayer/retry", "/legs/taxpayer/paper", "/lines/activity",
                 "/contradictions/surname", "/decide/grant", "/decide/return"):  # fmt: skip
        answer = other.post(f"/snap/cases/{number}{rest}", reason="r", note="n", value="v", **TRADER)
        assert answer.status_code == 404, rest
    assert number not in other.get("/snap").text
    assert f"/snap/cases/{number}" not in other.post("/snap/search", q=number).text
    assert other.get(f"/snap/new/sole-trader?from={number}").status_code == 404
    assert site.cases.case(number).status is CaseStatus.OPEN


def test_a_clerk_of_two_centres_sees_both_and_says_where_a_case_is_opened(site: Site) -> None:
    here, there = a_case(site, start=False), a_case(site, start=False, centre=OTHER_CENTRE)
    both = site.visit("both")
    text = both.get("/snap").text
    assert here in text
    assert there in text
    assert open_by_form(both, "sole-trader", **TRADER).status_code == 422
    assert open_by_form(both, "sole-trader", centre="SN55555555", **TRADER).status_code == 422
    opened = open_by_form(both, "sole-trader", centre=OTHER_CENTRE, **TRADER)
    assert f"/snap/cases/{OTHER_CENTRE}-" in str(opened.url)


def test_the_queue_masks_persons_and_can_be_filtered(site: Site) -> None:
    waiting, ready = a_case(site, start=False), a_case(site)
    visit = site.visit()
    queue = visit.get("/snap")
    assert TRADER["applicant"] not in queue.text
    assert "19••••••-•••26" in queue.text
    assert waiting in queue.text
    filtered = visit.get("/snap?status=ready&mine=1").text
    assert ready in filtered
    assert waiting not in filtered
    assert words(visit.get("/snap?status=cancelled")).count("There are no such cases.") == 1
    for odd in ("/snap?status=nonsense", "/snap?offset=-1", "/snap?offset=99999999999999999999"):
        assert visit.get(odd).status_code == 200


def test_an_empty_queue_says_what_to_do(site: Site) -> None:
    fresh = site.visit("fresh")
    assert "Open one above when a citizen comes." in words(fresh.get("/snap"))
    assert "There are no such cases." in words(fresh.get("/snap?status=decided"))


def test_the_search_box_opens_what_it_recognises(site: Site) -> None:
    visit, number = site.visit(), a_case(site, start=False)
    assert visit.post("/snap/search", q=number.lower()).url.path == f"/snap/cases/{number}"
    found = visit.post("/snap/search", q=TRADER["applicant"].replace("-", ""))
    assert number in found.text
    assert found.url.query == b""
    wrong = visit.post("/snap/search", q="3347300029")
    assert "The last digit does not fit the others" in words(wrong)
    assert "Your centre has no such case." in words(wrong)
    assert visit.post("/snap/search", q="").url.path == "/snap"
    assert visit.get("/snap/search").url.path == "/snap"


@pytest.mark.parametrize(
    ("typed", "recipe", "field", "value"),
    [
        ("8 3347300028", "sole-trader", "applicant", "3347300028"),
        ("5. 8000000000:90:999:0012", "land-extract", "cadastral_number", "8000000000:90:999:0012"),
        ("1", "birth-of-child", "mother", ""),
    ],
)
def test_a_digit_opens_a_life_event_with_what_follows_it(
    site: Site, typed: str, recipe: str, field: str, value: str
) -> None:
    page = tree_of(site.visit().post("/snap/search", q=typed))
    (form,) = page.xpath(f"//form[@action='/snap/new/{recipe}']")
    assert form.xpath(f".//input[@name='{field}']/@value") == [value]
    focused = form.xpath(".//*[@autofocus]/@name")
    assert (focused == [field]) is (value == "")


def test_nothing_is_typed_twice(site: Site) -> None:
    visit, number = site.visit(), a_case(site, start=False)
    page = tree_of(visit.get(f"/snap/new/lost-passport?from={number}"))
    assert page.xpath("//input[@name='person']/@value") == [TRADER["applicant"]]
    corrected = tree_of(visit.get(f"/snap/cases/{number}/correct"))
    assert corrected.xpath("//input[@name='activity']/@value") == ["62.01"]
    refused = open_by_form(visit, "sole-trader", applicant="3347300028", activity="nonsense")
    assert refused.status_code == 422
    assert tree_of(refused).xpath("//input[@name='applicant']/@value") == ["3347300028"]


def test_a_wrong_check_digit_is_a_warning_that_the_clerk_can_override(site: Site) -> None:
    visit = site.visit()
    warned = open_by_form(visit, "sole-trader", applicant="3347300029", activity="62.01")
    assert warned.status_code == 422
    assert tree_of(warned).xpath("//input[@name='sure_applicant']/@value") == ["3347300029"]
    # The box is about that number and no other.
    other = open_by_form(visit, "sole-trader", applicant="3347300027", activity="62.01", sure_applicant="3347300029")
    assert other.status_code == 422
    done = open_by_form(visit, "sole-trader", applicant="3347300029", activity="62.01", sure_applicant="3347300029")
    assert "/snap/cases/" in str(done.url)


def test_what_will_be_asked_is_shown_before_anybody_is_asked(site: Site) -> None:
    visit, before = site.visit(), len(site.shim.exchanges)
    page = words(open_by_form(visit, "sole-trader", **TRADER))
    assert len(site.shim.exchanges) == before
    for told in (
        "Demographic registry", "Taxpayers registry", "Business registry", "SOLE-TRADER", "№ 755-IV",
        TRADER["applicant"], "from the answer to", "required",
    ):  # fmt: skip
        assert told in page


def test_a_case_shows_each_answer_with_its_source_and_folds_what_is_technical(site: Site) -> None:
    page = tree_of(site.visit().get(f"/snap/cases/{a_case(site)}"))
    legs = page.xpath("//div[starts-with(@id, 'leg-')]")
    assert [leg.get("id") for leg in legs] == [
        "leg-applicant", "leg-taxpayer", "leg-sole_trader", "leg-subjects", "leg-arrears",
    ]  # fmt: skip
    for leg in legs:
        assert leg.xpath(".//p[@class='state']/span[contains(@class, 'mark')]/text()") == ["answered"]
        (folded,) = leg.xpath(".//details[contains(@class, 'tech')]")
        assert folded.get("open") is None
        assert "/" in folded.text_content()
    lines = said(page.xpath("//div[@id='application']")[0])
    assert "Лисенко Тарас Богданович Demographic registry" in lines
    assert "62.01 Said at the counter" in lines


def test_a_silent_registry_is_told_in_plain_words_with_a_next_step(site: Site) -> None:
    site.shim.down(BUSINESS)
    number = a_case(site, until=CaseStatus.PARKED)
    visit = site.visit()
    (leg,) = tree_of(visit.get(f"/snap/cases/{number}")).xpath("//div[@id='leg-subjects']")
    assert "cannot be reached now" in said(leg)
    (folded,) = leg.xpath(".//details")
    assert "network_error" in said(folded)
    assert "network_error" not in said(leg).replace(said(folded), "")
    assert leg.xpath(".//form/@action") == [f"/snap/cases/{number}/legs/subjects/retry"]
    site.shim.heal()
    visit.post(f"/snap/cases/{number}/legs/subjects/retry")
    deadline = time.monotonic() + 5
    while site.cases.case(number).status is not CaseStatus.READY:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_live_tells_the_same_as_the_page_and_stops_when_nothing_moves(site: Site) -> None:
    number = a_case(site)
    visit = site.visit()
    page, live = tree_of(visit.get(f"/snap/cases/{number}")), tree_of(visit.get(f"/snap/cases/{number}/live"))

    def parts(tree: Any) -> dict[str, str]:
        return {part.get("id"): part.get("data-part") for part in tree.xpath("//*[@data-part]")}

    assert parts(page) == parts(live)
    assert len(parts(page)) == 11
    assert page.xpath("//*[@data-live]/@data-every") == live.xpath("//*[@data-every]/@data-every") == ["0"]
    assert page.xpath("//*[@id='refresh']") == []
    assert "refresh" not in visit.get(f"/snap/cases/{number}").headers


def test_a_contradiction_hinders_the_grant_until_it_is_settled_with_a_reason(site: Site) -> None:
    def other(answer: Any) -> Any:
        return {**answer, "taxpayer": {**answer["taxpayer"], "surname": "Інший"}} if answer.get("taxpayer") else answer

    site.shim.contradict(TAX, other)
    number, visit = a_case(site), site.visit()
    page = tree_of(visit.get(f"/snap/cases/{number}"))
    assert page.xpath("//dl[@class='sides']//dd/text()") == ["Лисенко", "Інший"]
    assert page.xpath("//*[@id='grant']") == []
    assert "once the contradictions are settled" in words(visit.get(f"/snap/cases/{number}/decide/grant"))
    assert visit.post(f"/snap/cases/{number}/contradictions/surname").status_code == 422
    assert visit.post(f"/snap/cases/{number}/decide/grant").status_code == 409
    settled = visit.post(f"/snap/cases/{number}/contradictions/surname", **{"settle-surname": "новий паспорт"})
    assert "olena: новий паспорт" in words(settled)
    assert tree_of(settled).xpath("//*[@id='grant']") != []


def test_a_changed_line_keeps_what_the_registry_says_beside_it(site: Site) -> None:
    number, visit = a_case(site), site.visit()
    path = f"/snap/cases/{number}/lines/citizenship"
    for wrong in ({"value": "", "reason": "r"}, {"value": "UKR", "reason": " "}, {"value": "x" * 1001, "reason": "r"}):
        assert visit.post(path, **wrong).status_code == 422
    page = words(visit.post(path, value="Україна", reason="<b>паспорт</b>"))
    assert "Україна Changed: olena. <b>паспорт</b> Demographic registry: UKR" in page


@pytest.mark.parametrize("what", ["refuse", "return"])
def test_to_refuse_or_return_needs_a_reason_and_ends_the_case(site: Site, what: str) -> None:
    number, visit = a_case(site), site.visit()
    assert visit.post(f"/snap/cases/{number}/decide/{what}", reason=" ").status_code == 422
    assert not site.cases.case(number).status.is_closed
    done = visit.post(f"/snap/cases/{number}/decide/{what}", reason="заявник передумав")
    assert done.url.path == f"/snap/cases/{number}"
    assert "заявник передумав" in words(done)
    for late in (f"/snap/cases/{number}/decide/grant", f"/snap/cases/{number}/lines/activity"):
        assert visit.get(late).status_code == 409


def test_the_extract_names_every_exchange_and_how_to_verify_it(site: Site) -> None:
    number, visit = a_case(site), site.visit()
    visit.post(f"/snap/cases/{number}/decide/grant")
    extract = words(visit.get(f"/snap/cases/{number}/extract"))
    exchanges = site.cases.receipt(number).exchanges
    assert len(exchanges) == 5
    for one in exchanges:
        assert one.message_id in extract
        assert one.service in extract
    assert "surma verify" in extract
    assert "granted" in extract


def test_what_is_typed_is_never_markup(site: Site) -> None:
    visit = site.visit()
    evil = "<script>alert(1)</script>"
    answers = [
        visit.post("/snap/search", q=evil),
        open_by_form(visit, "sole-trader", applicant=evil, activity=evil),
        visit.get("/snap/new/%3Cscript%3E"),
        visit.get("/snap/cases/%3Cscript%3Ealert(1)%3C%2Fscript%3E"),
    ]
    assert all(evil not in answer.text for answer in answers)
    assert [answer.status_code for answer in answers] == [200, 422, 404, 404]


def test_a_form_without_its_token_changes_nothing(site: Site) -> None:
    number = a_case(site, start=False)
    client = site.visit().client
    assert client.post(f"/snap/cases/{number}/start").status_code == 403
    assert client.post("/snap/recognise", data={"q": "3347300028"}).status_code == 403
    assert site.cases.case(number).status is CaseStatus.OPEN


def test_scripts_come_from_this_server_alone_and_nothing_is_inline(site: Site) -> None:
    answer = site.visit().get("/snap")
    assert "script-src 'self'; connect-src 'self'" in answer.headers["content-security-policy"]
    page = tree_of(answer)
    (script,) = page.xpath("//script")
    assert script.text is None
    assert site.visit().get(script.get("src")).headers["content-type"].startswith("text/javascript")
    assert page.xpath("//*[@style] | //style | //@*[starts-with(name(), 'on')]") == []


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_sentence_of_every_page_is_in_both_languages(site: Site, language: str) -> None:
    site.shim.down(BUSINESS)
    torn = a_case(site, until=CaseStatus.PARKED)
    site.shim.heal()
    waiting, done = a_case(site, start=False), a_case(site)
    visit = site.visit("olena", language)
    visit.post(f"/snap/cases/{done}/decide/grant", reason="r")
    paths = [
        "/snap", "/snap?status=cancelled", *(f"/snap/new/{recipe}" for recipe in TYPED), f"/snap/cases/{waiting}",
        *(f"/snap/cases/{number}{rest}" for number in (torn, done) for rest in ("", "/extract")),
        *(f"/snap/cases/{torn}/{rest}" for rest in (
            "correct", "lines/activity", "legs/subjects/paper", "decide/grant", "decide/refuse", "decide/return",
        )),
    ]  # fmt: skip
    for path in paths:
        answer = visit.get(path)
        assert answer.status_code == 200, path
        assert BARE.findall(words(answer)) == [], path
        assert tree_of(answer).get("lang") == language


def test_both_languages_of_the_catalogue_name_every_text() -> None:
    ours = {name: both for name, both in texts.catalogue().items() if name.startswith("snap.")}
    assert len(ours) > 200
    assert [name for name, both in ours.items() if not all(both.get(language) for language in texts.LANGUAGES)] == []


def test_a_case_is_ended_by_who_opened_it_or_by_a_senior(site: Site) -> None:
    number, colleague = a_case(site), site.visit("colleague")
    page = colleague.get(f"/snap/cases/{number}")
    assert "only olena or a senior clerk" in words(page)
    assert tree_of(page).xpath("//*[@id='grant' or @id='refuse' or @id='return']") == []
    for what in ("grant", "refuse", "return"):
        assert colleague.get(f"/snap/cases/{number}/decide/{what}").status_code == 403
        assert colleague.post(f"/snap/cases/{number}/decide/{what}", reason="r").status_code == 403
    assert colleague.post(f"/snap/cases/{number}/legs/arrears/retry").status_code == 200  # the work goes on
    a_case_is(site, number, CaseStatus.READY)
    site.visit("chief").post(f"/snap/cases/{number}/decide/grant")
    assert site.cases.case(number).status is CaseStatus.DECIDED


def test_a_decision_on_what_is_no_longer_so_is_refused(site: Site) -> None:
    number, visit = a_case(site), site.visit()
    (link,) = tree_of(visit.get(f"/snap/cases/{number}")).xpath("//*[@id='grant']/@href")
    (seen,) = tree_of(visit.get(link)).xpath("//input[@name='seen']/@value")
    site.visit("colleague").post(f"/snap/cases/{number}/lines/citizenship", value="x", reason="r")
    for answer in (visit.get(link), visit.post(f"/snap/cases/{number}/decide/grant", seen=seen)):
        assert answer.status_code == 409
        assert "has changed since you looked at it" in words(answer)
    assert site.cases.case(number).status is CaseStatus.READY
