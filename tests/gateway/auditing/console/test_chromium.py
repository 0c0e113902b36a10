"""The console in a real browser: by keyboard, without script, at 200 % zoom, on paper, and before axe."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, BrowserContext, Download, Page

from gateway.runtime.texts import LANGUAGES
from tests.browser import a_browser, needs_chromium
from tests.gateway.auditing.console.site import PASSWORD, Site
from tests.gateway.auditing.console.test_pages import FLOOD, PAGES, REST, SOAP

ZOOMED = {"width": 640, "height": 450}  # 1280 x 900 at 200 %
MAX_TABS = 120

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests; each opens a window of its own."""
    with a_browser() as opened:
        yield opened


@contextmanager
def a_window(browser: Browser, site: Site, name: str | None, language: str, **options: Any) -> Iterator[Page]:
    """A window of somebody who is signed in, or of nobody."""
    context: BrowserContext = browser.new_context(locale="uk-UA" if language == "uk" else "en-GB", **options)
    cookies = dict(site.enter(name, language).client.cookies)
    context.add_cookies([{"name": key, "value": value, "url": site.url} for key, value in cookies.items()])
    page = context.new_page()
    page.set_default_timeout(10_000)
    try:
        yield page
    finally:
        context.close()


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the first thing that `selector` names has the focus, as somebody without a mouse does."""
    for _ in range(MAX_TABS):
        page.keyboard.press("Tab")
        if page.locator(selector).and_(page.locator(":focus")).count():
            return
    raise AssertionError(f"the keyboard does not reach {selector} on {page.url}")


def download_by(page: Page, selector: str) -> bytes:
    """Fetch what a link that is reached and pressed by keyboard offers."""
    tab_to(page, selector)
    with page.expect_download() as fetched:
        page.keyboard.press("Enter")
    found: Download = fetched.value
    return found.path().read_bytes()


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_from_question_to_printed_answer_by_keyboard_alone(browser: Browser, site: Site, script: bool) -> None:
    with a_window(browser, site, None, "uk", java_script_enabled=script, accept_downloads=True) as page:
        page.goto(f"{site.url}/audit")
        tab_to(page, "#name")
        page.keyboard.type("taras")
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/audit")

        tab_to(page, "main a[href='/audit/search']")
        page.keyboard.press("Enter")
        page.wait_for_url("**/audit/search")
        tab_to(page, "#issue")
        page.keyboard.type("alpha-case-2")
        page.keyboard.press("Enter")
        page.wait_for_url("**/audit/search?*")
        tab_to(page, f"a[href='/audit/exchanges/{REST}']")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/audit/exchanges/{REST}")
        assert page.get_by_text("alpha-name").count() == 0

        tab_to(page, "#reason")
        page.keyboard.type("скарга № 7")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.get_by_text("Зазначена підстава: скарга № 7").first.wait_for()
        assert page.get_by_text("alpha-name").count() == 1
        container = download_by(page, f"a[href$='/{REST}/container']")
        assert "message.xml" in zipfile.ZipFile(io.BytesIO(container)).namelist()

        page.goto(f"{site.url}/audit/exchanges/{REST}")
        tab_to(page, "a[href$='/report']")
        page.keyboard.press("Enter")
        page.wait_for_url("**/report")
        assert page.pdf().startswith(b"%PDF")


def test_an_export_is_asked_for_and_fetched_by_keyboard_without_script(browser: Browser, site: Site) -> None:
    with a_window(browser, site, "taras", "en", java_script_enabled=False, accept_downloads=True) as page:
        page.goto(f"{site.url}/audit/search?issue=alpha-case-1")
        tab_to(page, "a[href^='/audit/exports/new']")
        page.keyboard.press("Enter")
        page.wait_for_url("**/exports/new?*")
        tab_to(page, "#grounds")
        page.keyboard.type("assignment 17")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.locator("a[href$='/file']").wait_for()  # the page renews itself until then
        names = zipfile.ZipFile(io.BytesIO(download_by(page, "a[href$='/file']"))).namelist()
        assert "manifest.json" in names


def test_the_skip_link_comes_first_and_the_focus_is_seen(browser: Browser, site: Site) -> None:
    with a_window(browser, site, "olena", "en") as page:
        page.goto(f"{site.url}/audit/search")
        page.keyboard.press("Tab")
        first = page.locator(":focus")
        assert first.get_attribute("href") == "#main"
        assert first.bounding_box()["x"] >= 0  # type: ignore[index]
        tab_to(page, "#issue")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_an_error_leads_to_its_field(browser: Browser, site: Site) -> None:
    with a_window(browser, site, "olena", "en") as page:
        page.goto(f"{site.url}/audit/search?client=x")
        tab_to(page, "div[role=alert] a")
        page.keyboard.press("Enter")
        assert page.url.endswith("#client")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") in ("client", "service")


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_cut_and_nothing_scrolls_sideways_at_200_percent(
    browser: Browser, site: Site, language: str
) -> None:
    with a_window(browser, site, "olena", language, viewport=ZOOMED, device_scale_factor=2) as page:
        for path in PAGES:
            page.goto(site.url + path)
            assert page.evaluate(BEYOND) == [], path


# The elements that reach beyond the window, or whose text is cut off within them.
BEYOND = """() => {
  const width = document.documentElement.clientWidth;
  const wrong = document.documentElement.scrollWidth > width ? ['page'] : [];
  for (const element of document.querySelectorAll('body *')) {
    const box = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    if (!box.width || element.closest('.unseen, .skip, thead') || style.visibility === 'hidden') continue;
    const cut = element.scrollWidth > element.clientWidth + 1 && element.clientWidth && style.overflowX !== 'visible';
    if (box.right > width + 1 || box.left < -1 || cut) wrong.push(element.tagName + '.' + element.className);
  }
  return wrong;
}"""


# Each kind of page once; the others differ in what they hold.
KINDS = [
    path
    for path in PAGES
    if path not in ("/audit/search", "/audit/exchanges/4711", "/audit/exchanges/5", "/audit/exchanges/20")
]


@pytest.mark.parametrize(("language", "pages"), [("uk", PAGES), ("en", KINDS)], ids=LANGUAGES[::-1])
def test_axe_finds_no_violation_on_any_page(browser: Browser, site: Site, language: str, pages: list[str]) -> None:
    with a_window(browser, site, "olena", language) as page:
        for path in pages:
            page.goto(site.url + path)
            # Colours are the same in both languages, and take longest.
            assert violations(page, but="color-contrast" if language == "en" else "") == [], path


@pytest.mark.parametrize("path", ["/audit/search?search=1", f"/audit/exchanges/{SOAP}", f"/audit/exchanges/{FLOOD}"])
def test_axe_finds_no_violation_in_the_dark_or_in_a_narrow_window(browser: Browser, site: Site, path: str) -> None:
    with a_window(browser, site, "olena", "uk", color_scheme="dark", viewport=ZOOMED) as page:
        page.goto(site.url + path)
        assert violations(page) == []


def violations(page: Page, *, but: str = "") -> list[str]:
    """What axe objects to, and where; `but` is a rule that was looked at already, at length."""
    rules = {but: {"enabled": False}} if but else {}
    found = Axe().run(page, options={"resultTypes": ["violations"], "rules": rules}).response["violations"]
    return [f"{one['id']}: {[node['target'] for node in one['nodes']]}" for one in found]


def test_paper_shows_the_report_and_no_controls(browser: Browser, site: Site) -> None:
    with a_window(browser, site, "olena", "uk") as page:
        page.goto(f"{site.url}/audit/exchanges/{SOAP}/report")
        page.emulate_media(media="print")
        for hidden in (".top nav", ".who", ".unprinted"):
            assert not page.locator(hidden).first.is_visible()
        assert page.get_by_role("heading", name="Геші").is_visible()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") in ("rgb(255, 255, 255)",)
