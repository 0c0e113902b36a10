"""The counter in a real browser: eight life events by keyboard, answers that come late or not, axe, 200 % zoom."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, ViewportSize, expect

from registry_adapters.snap.model import Outcome
from tests.browser import a_browser, needs_chromium
from tests.registry_adapters.snap import flows
from tests.registry_adapters.snap.flows import EVENTS, Counter
from tests.registry_adapters.snap.site import PASSWORD, Site, a_site
from tests.registry_adapters.snap.world import CENTRE

ZOOMED: ViewportSize = {"width": 640, "height": 450}  # 1280 x 900 at 200 %
TAX, DEMOGRAPHIC, BUSINESS = "GOV/10000004/TAX", "GOV/10000002/DEMOGRAPHIC", "GOV/10000005/BUSINESS"
SOLE_TRADER = 8

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with a_site(tmp_path_factory.mktemp("site")) as served:
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests; each opens a window of its own."""
    with a_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def counter(site: Site) -> Counter:
    return Counter(site.url, "olena", PASSWORD)


@contextmanager
def a_window(browser: Browser, site: Site, language: str = "uk", **options: Any) -> Iterator[Page]:
    """A window of the clerk olena, who has signed in."""
    context = browser.new_context(locale="uk-UA" if language == "uk" else "en-GB", bypass_csp=False, **options)
    cookies = dict(site.visit("olena", language).client.cookies)
    context.add_cookies([{"name": key, "value": value, "url": site.url} for key, value in cookies.items()])
    page = context.new_page()
    page.set_default_timeout(10_000)
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    try:
        yield page
        # A form that comes back with what is wrong in it is a 422, which the browser notes.
        assert [one for one in troubles if "422" not in one] == []
    finally:
        site.shim.heal()
        context.close()


def with_other_surname(answer: Any) -> Any:
    """What the tax registry says when it knows the taxpayer under another surname."""
    return {**answer, "taxpayer": {**answer["taxpayer"], "surname": "Інший"}} if answer.get("taxpayer") else answer


def test_a_clerk_signs_in_and_stands_in_the_search_box(browser: Browser, counter: Counter) -> None:
    context = browser.new_context(locale="uk-UA")
    page = context.new_page()
    flows.sign_in(page, counter)
    assert page.locator("h1").inner_text() == "Черга"
    context.close()


@pytest.mark.parametrize("number", range(1, 9), ids=[event.recipe for event in EVENTS])
def test_a_life_event_is_brought_to_its_extract_by_keyboard(
    browser: Browser, site: Site, counter: Counter, number: int
) -> None:
    with a_window(browser, site) as page:
        text = flows.bring_to_extract(page, counter, number)
        receipt = site.cases.receipt(page.url.split("/")[-2])
        for told in EVENTS[number - 1].told:
            assert told in text
        assert receipt.exchanges
        assert all(one.message_id in text for one in receipt.exchanges)
        assert page.pdf().startswith(b"%PDF")


def test_a_life_event_needs_no_script(browser: Browser, site: Site) -> None:
    with a_window(browser, site, java_script_enabled=False) as page:
        event = EVENTS[SOLE_TRADER - 1]
        page.goto(f"{site.url}/snap")
        page.fill("#q", f"{SOLE_TRADER} {event.first}")
        page.press("#q", "Enter")
        for name, text in event.fields.items():
            page.fill(f"#{name}", text)
        page.press(f"#{next(iter(event.fields))}", "Enter")
        with page.expect_navigation():
            page.locator("form[action$='/start'] button").press("Enter")
        flows.wait_for_status(page, "ready", by_hand=True)
        page.locator("#grant").press("Enter")
        page.locator("form[action$='/decide/grant'] button").press("Enter")
        page.locator("#extract").press("Enter")
        page.locator(".extract").wait_for()
        for told in event.told:
            assert told in page.locator(".extract").inner_text()


def test_answers_appear_by_themselves_while_one_registry_is_slow(
    browser: Browser, site: Site, counter: Counter
) -> None:
    with a_window(browser, site) as page:
        site.shim.slow(TAX, 1.5)
        page.goto(f"{site.url}/snap")
        flows.open_case(page, SOLE_TRADER, EVENTS[SOLE_TRADER - 1])
        flows.ask(page)
        page.evaluate("window.stayed = true")
        expect(page.locator("#leg-subjects .mark")).to_have_text("відповів")
        expect(page.locator("#leg-taxpayer .mark")).to_have_text("відповідає повільно")
        assert page.locator("#refresh").is_hidden()
        subjects = page.locator("#leg-subjects").element_handle()
        expect(page.locator("#leg-taxpayer .mark")).to_have_text("відповів")
        flows.wait_for_status(page, "ready")
        assert page.evaluate("window.stayed"), "the page was loaded anew"
        assert subjects.evaluate("node => node.isConnected"), "what did not change was replaced"


def test_what_the_clerk_opened_stays_open_and_keeps_the_focus(browser: Browser, site: Site) -> None:
    with a_window(browser, site) as page:
        site.shim.slow(TAX, 1.0)
        page.goto(f"{site.url}/snap")
        flows.open_case(page, SOLE_TRADER, EVENTS[SOLE_TRADER - 1])
        flows.ask(page)
        expect(page.locator("#leg-taxpayer.slow")).to_have_count(1)
        flows.tab_to(page, "#tech-taxpayer summary")
        page.keyboard.press("Enter")
        expect(page.locator("#leg-taxpayer .mark")).to_have_text("відповів")
        assert page.locator("#tech-taxpayer").get_attribute("open") is not None
        assert page.evaluate("document.activeElement.closest('.part')?.id") == "leg-taxpayer"


def test_what_the_clerk_types_is_not_lost_when_an_answer_comes(browser: Browser, site: Site) -> None:
    with a_window(browser, site) as page:
        site.shim.contradict(TAX, with_other_surname)
        site.shim.slow(BUSINESS, 1.5)
        page.goto(f"{site.url}/snap")
        flows.open_case(page, SOLE_TRADER, EVENTS[SOLE_TRADER - 1])
        flows.ask(page)
        page.locator("#settle-surname").wait_for()
        flows.tab_to(page, "#settle-surname")
        page.keyboard.type("новий паспорт")
        flows.wait_for_status(page, "ready")
        assert page.locator("#settle-surname").input_value() == "новий паспорт"


def test_a_registry_that_is_down_parks_the_case_until_it_is_asked_again(
    browser: Browser, site: Site, counter: Counter
) -> None:
    def heal(page: Page) -> None:
        flows.wait_for_status(page, "parked")
        expect(page.locator("#leg-applicant")).to_contain_text("недоступний")
        expect(page.locator("#leg-applicant")).not_to_contain_text("network_error", use_inner_text=True)
        site.shim.heal()
        flows.press(page, "#retry-applicant")
        flows.wait_for_status(page, "ready")

    with a_window(browser, site) as page:
        site.shim.down(DEMOGRAPHIC)
        assert "Лисенко Тарас" in flows.bring_to_extract(page, counter, SOLE_TRADER, meanwhile=heal)


def test_a_paper_stands_in_for_a_registry_that_stays_silent(browser: Browser, site: Site, counter: Counter) -> None:
    with a_window(browser, site) as page:
        site.shim.down(TAX)
        text = flows.bring_to_extract(page, counter, SOLE_TRADER)
        assert "довідка № 17" in text
        assert "недоступний" in text


def test_contradicting_answers_stand_side_by_side_until_they_are_settled(
    browser: Browser, site: Site, counter: Counter
) -> None:
    def look(page: Page) -> None:
        flows.wait_for_status(page, "ready")
        assert page.locator(".sides dd").all_inner_texts() == ["Лисенко", "Інший"]
        expect(page.locator("#leg-taxpayer")).to_contain_text("суперечить")
        assert page.locator("#grant").count() == 0

    with a_window(browser, site) as page:
        site.shim.contradict(TAX, with_other_surname)
        text = flows.bring_to_extract(page, counter, SOLE_TRADER, meanwhile=look)
        assert "звірено з паспортом" in text
        assert "Інший" in text


def test_the_search_box_says_what_it_recognises(browser: Browser, site: Site) -> None:
    with a_window(browser, site, "en") as page:
        page.goto(f"{site.url}/snap")
        flows.wait_for_focus(page, "#q")
        page.keyboard.type("3347300029")
        expect(page.locator("#q-says")).to_contain_text("RNOKPP. The last digit does not fit")
        page.keyboard.press("Control+A")
        page.keyboard.type("8 3347300028")
        expect(page.locator("#q-says")).to_have_text("Registration as a sole trader: RNOKPP")


def test_a_wrong_check_digit_asks_once_more(browser: Browser, site: Site) -> None:
    with a_window(browser, site) as page:
        page.goto(f"{site.url}/snap")
        flows.open_form(page, SOLE_TRADER, "3347300029")
        flows.tab_to(page, "#activity")
        page.keyboard.type("62.01")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        flows.tab_to(page, "#sure_applicant")
        page.keyboard.press("Space")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert "/snap/cases/" in page.url


@pytest.fixture(scope="module")
def addresses(site: Site) -> list[str]:
    """Every kind of page, on cases in every state."""
    cases = site.cases
    typed = {"applicant": "19770824-00026", "activity": "62.01"}

    def opened(**options: Any) -> str:
        return cases.open_case("sole-trader", typed, clerk="olena", centre=CENTRE, **options).number

    def until(number: str, fits: Callable[[Any], bool]) -> None:
        end = time.monotonic() + 10
        while not fits(cases.case(number)):
            assert time.monotonic() < end
            time.sleep(0.02)

    waiting, ready = opened(start=False), opened()
    until(ready, lambda case: case.status.value == "ready")
    site.shim.contradict(TAX, with_other_surname)
    site.shim.down(BUSINESS)
    torn = opened()
    until(torn, lambda case: case.status.value == "parked" and case.contradictions)
    site.shim.heal()
    decided = opened()
    until(decided, lambda case: case.status.value == "ready")
    cases.decide(decided, Outcome.GRANTED, "", clerk="olena")
    return [
        "/snap", "/snap/new/displaced-status", "/snap/cases/nothing",
        f"/snap/cases/{waiting}", f"/snap/cases/{ready}", f"/snap/cases/{ready}/decide/refuse",
        f"/snap/cases/{ready}/lines/activity", f"/snap/cases/{torn}", f"/snap/cases/{torn}/correct",
        f"/snap/cases/{torn}/legs/subjects/paper", f"/snap/cases/{torn}/decide/grant",
        f"/snap/cases/{decided}", f"/snap/cases/{decided}/extract",
    ]  # fmt: skip


def violations(page: Page, *, but: str = "") -> list[str]:
    """What axe objects to, and where; `but` is a rule that was looked at already, at length."""
    rules = {but: {"enabled": False}} if but else {}
    found = Axe().run(page, options={"resultTypes": ["violations"], "rules": rules}).response["violations"]
    return [f"{one['id']}: {[node['target'] for node in one['nodes']]}" for one in found]


@pytest.mark.parametrize("language", ["uk", "en"])
def test_axe_finds_no_violation_and_nothing_scrolls_sideways_at_200_percent(
    browser: Browser, site: Site, addresses: list[str], language: str
) -> None:
    with a_window_for_axe(browser, site, language) as page:
        for path in addresses:
            page.goto(site.url + path)
            for details in page.locator("details").all():
                details.evaluate("node => node.open = true")
            assert page.evaluate(BEYOND) == [], path
            # Colours are the same in both languages, and take longest.
            assert violations(page, but="color-contrast" if language == "en" else "") == [], path
        for typed in ("3347300029", "19770824-00026"):
            page.goto(f"{site.url}/snap")
            page.fill("#q", typed)
            page.press("#q", "Enter")
            page.locator("h1").wait_for()
            assert violations(page) == [], typed
            assert page.evaluate(BEYOND) == [], typed


def test_axe_finds_no_violation_in_the_dark(browser: Browser, site: Site, addresses: list[str]) -> None:
    with a_window_for_axe(browser, site, "uk", color_scheme="dark") as page:
        for path in (addresses[0], addresses[7]):
            page.goto(site.url + path)
            assert violations(page) == [], path


@contextmanager
def a_window_for_axe(browser: Browser, site: Site, language: str, **options: Any) -> Iterator[Page]:
    """A narrow window of the clerk; axe is a script that the policy of the page would not let in."""
    context = browser.new_context(
        locale="uk-UA" if language == "uk" else "en-GB",
        viewport=ZOOMED,
        device_scale_factor=2,
        bypass_csp=True,
        **options,
    )
    cookies = dict(site.visit("olena", language).client.cookies)
    context.add_cookies([{"name": key, "value": value, "url": site.url} for key, value in cookies.items()])
    page = context.new_page()
    page.set_default_timeout(10_000)
    try:
        yield page
    finally:
        context.close()


# The elements that reach beyond the window, or whose text is cut off within them.
BEYOND = """() => {
  const width = document.documentElement.clientWidth;
  const wrong = document.documentElement.scrollWidth > width ? ['page'] : [];
  for (const element of document.querySelectorAll('body *')) {
    const box = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    if (!box.width || element.closest('.unseen, .skip, thead, select') || style.visibility === 'hidden') continue;
    const cut = element.scrollWidth > element.clientWidth + 1 && element.clientWidth && style.overflowX !== 'visible'
      && !element.matches('input');
    if (box.right > width + 1 || box.left < -1 || cut) wrong.push(element.tagName + '.' + element.className);
  }
  return wrong;
}"""


def test_paper_shows_the_extract_and_no_controls(
    browser: Browser, site: Site, addresses: list[str], tmp_path: Path
) -> None:
    with a_window(browser, site) as page:
        page.goto(site.url + addresses[-1])
        page.emulate_media(media="print")
        for hidden in (".top nav", ".who", ".unprinted"):
            assert not page.locator(hidden).first.is_visible()
        assert page.get_by_role("heading", name="Докази").is_visible()
        assert "surma verify" in page.locator("pre").inner_text()
