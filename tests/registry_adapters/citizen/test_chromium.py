"""The pages in a real browser: a sign-in at another site, by keyboard, without script, before axe and on paper."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, BrowserContext, Page

from gateway.runtime.texts import LANGUAGES
from tests.browser import a_browser, needs_chromium
from tests.registry_adapters.citizen.site import LAND, NOW, Site, Visit, a_site

ZOOMED = {"width": 640, "height": 450}  # 1280 x 900 at 200 %
MAX_TABS = 60
WISH = {"field": "площа ділянки 5322080400:00:001:1205", "wrong": "2,05 га", "right": "2,5 га", "reason": "Договір № 7"}

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests; each opens a window of its own."""
    with a_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site where something has happened: looks, sealed ones, requests that wait, are late and are answered."""
    with a_site(tmp_path_factory.mktemp("lived")) as site:
        for number in range(8):
            site.tax.look(NOW - timedelta(hours=number), message_id=f"0b5e0d5e-{number}")
        site.land.look(NOW - timedelta(days=1), issue=None, purposes=(), message_id="d1")
        site.land.look(NOW, sealed=True)
        site.clock.advance(days=-30)
        ask(site.citizen(), "tax")
        site.clock.set(NOW)
        answered = ask(site.citizen(), "tax").replace("/corrections/", "/queue/")
        site.holder().send(answered, answered, state="refused", text="Запис відповідає документу")
        ask(site.citizen(), "cadastre")
        yield site


def ask(visit: Visit, registry: str) -> str:
    """Ask for a correction and return the path of the request."""
    return visit.send("/corrections/new", "/corrections/new", registry=registry, **WISH).url.path


@contextmanager
def a_window(browser: Browser, language: str, visit: Visit | None = None, **options: Any) -> Iterator[Page]:
    """A window of nobody, or of somebody who has signed in."""
    context: BrowserContext = browser.new_context(locale="uk-UA" if language == "uk" else "en-GB", **options)
    if visit is not None:
        held = {name: value for name, value in visit.http.cookies.items() if name in ("surma-session", "surma-lang")}
        context.add_cookies([{"name": name, "value": value, "url": visit.base} for name, value in held.items()])
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


def press(page: Page, selector: str) -> None:
    """Reach something by keyboard and press it."""
    tab_to(page, selector)
    page.keyboard.press("Enter")


@pytest.mark.parametrize(("script", "language"), [(True, "uk"), (False, "en")])
def test_from_the_address_to_a_correction_by_keyboard_alone(
    browser: Browser, lived: Site, script: bool, language: str
) -> None:
    with a_window(browser, language, java_script_enabled=script) as page:
        page.goto(f"{lived.url}/mine?registry=tax")
        page.wait_for_url("**/login?*")
        press(page, "main a.button")
        page.wait_for_url(f"{lived.issuer}/authorize?*")
        press(page, "main a[href$='person=1']")
        page.wait_for_url(f"{lived.url}/mine?registry=tax")
        assert page.locator("main tbody tr").count() == 5 + 1  # a page of looks, and one registry

        press(page, "a[rel=next]")
        page.wait_for_url("**offset=5**")
        assert page.locator("main table").first.locator("tbody tr").count() == 3

        press(page, "main a[href='/corrections/new']")
        page.wait_for_url("**/corrections/new")
        tab_to(page, "#registry")
        page.keyboard.press("ArrowDown")
        for field, text in WISH.items():
            tab_to(page, f"#{field}")
            page.keyboard.type(text)
        press(page, "main button[type=submit]")
        page.wait_for_url(re.compile(r"/corrections/\d+$"))
        assert page.locator("[role=status]").count() == 1

        press(page, ".who button")
        page.wait_for_url("**/signed-out")
        press(page, "main a.button")
        page.wait_for_url(f"{lived.issuer}/logout?*")
        press(page, "main a")
        page.wait_for_url("**/signed-out")
        page.goto(f"{lived.url}/mine")
        page.wait_for_url("**/login?*")


def test_the_language_chosen_here_is_spoken_by_the_provider_too(browser: Browser, lived: Site) -> None:
    with a_window(browser, "en") as page:
        page.goto(f"{lived.url}/login")
        page.locator("a[hreflang=uk]").click()
        page.locator("main a.button").click()
        page.wait_for_url(f"{lived.issuer}/authorize?*")
        assert page.locator("html").get_attribute("lang") == "uk"


def test_the_way_back_is_of_no_use_a_second_time(browser: Browser, lived: Site) -> None:
    backs: list[str] = []
    with a_window(browser, "uk") as page:
        page.on("request", lambda request: backs.append(request.url) if "/login/callback" in request.url else None)
        page.goto(f"{lived.url}/login")
        page.locator("main a.button").click()
        page.locator("main a[href$='person=2']").click()
        page.wait_for_url("**/mine")
    with a_window(browser, "uk") as stranger:
        answer = stranger.goto(backs[0])
        assert answer is not None
        assert answer.status == 400
        assert "Цей вхід уже недійсний" in stranger.locator("[role=alert]").inner_text()
        assert violations(stranger) == []
        stranger.goto(f"{lived.url}/mine")
        assert "/login" in stranger.url


CITIZENS = ("/mine", "/mine?registry=cadastre&since=2026-03-02", "/mine?since=2026-03-02&until=2026-03-01", "/account",
            "/corrections", "/corrections/1", "/corrections/2", "/corrections/new", "/no-such-page")  # fmt: skip
HOLDERS = ("/queue", "/queue/answered", "/queue/1", "/queue/2", "/account")
STRANGERS = ("/login", "/signed-out")


@pytest.mark.parametrize("language", LANGUAGES)
def test_axe_finds_no_violation_on_any_page(browser: Browser, lived: Site, language: str) -> None:
    # Colours are the same in both languages, and take longest.
    but = "color-contrast" if language == "en" else ""
    visits = {CITIZENS: lived.citizen(language=language), HOLDERS: lived.holder(language=language), STRANGERS: None}
    for paths, visit in visits.items():
        with a_window(browser, language, visit) as page:
            for path in paths:
                page.goto((visit.base if visit else lived.url) + path)
                assert page.locator("html").get_attribute("lang") == language
                assert violations(page, but=but) == [], path
    with a_window(browser, language) as page:
        page.goto(f"{lived.url}/login/begin")
        assert violations(page, but=but) == [], "choose"
        for path in ("/about", "/authorize", "/logout"):
            page.goto(lived.issuer + path)
            assert violations(page, but=but) == [], path


@pytest.mark.parametrize("language", LANGUAGES)
def test_axe_finds_no_violation_where_a_registry_is_silent_or_a_form_is_refused(
    browser: Browser, lived: Site, language: str
) -> None:
    lived.shim.down(LAND)
    try:
        with a_window(browser, language, lived.citizen(language=language), color_scheme="dark") as page:
            page.goto(f"{lived.url}/mine")
            assert page.locator("[role=alert]").is_visible()
            assert violations(page) == []
            page.goto(f"{lived.url}/corrections/new")
            page.evaluate("document.querySelector('main form').noValidate = true")
            page.locator("main button[type=submit]").click()
            page.locator("main div[role=alert]").wait_for()
            assert violations(page) == []
    finally:
        lived.shim.heal()


def violations(page: Page, *, but: str = "") -> list[str]:
    """What axe objects to, and where; `but` is a rule that was looked at already, at length."""
    rules = {but: {"enabled": False}} if but else {}
    found = Axe().run(page, options={"resultTypes": ["violations"], "rules": rules}).response["violations"]
    return [f"{one['id']}: {[node['target'] for node in one['nodes']]}" for one in found]


def test_nothing_scrolls_sideways_at_200_percent(browser: Browser, lived: Site) -> None:
    for paths, visit in ((CITIZENS, lived.citizen(language="uk")), (HOLDERS, lived.holder(language="uk"))):
        with a_window(browser, "uk", visit, viewport=ZOOMED, device_scale_factor=2) as page:
            for path in paths:
                page.goto(visit.base + path)
                wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                assert wide <= 0, path


def test_paper_shows_the_looks_and_no_controls(browser: Browser, lived: Site) -> None:
    with a_window(browser, "uk", lived.citizen(language="uk")) as page:
        page.goto(f"{lived.url}/mine")
        page.emulate_media(media="print")
        for hidden in ("main form", ".who", ".unprinted"):
            assert not page.locator(hidden).first.is_visible()
        assert page.get_by_text("Звернення до даних особи: Ткаченко Мар'яна Іванівна").is_visible()
        assert page.get_by_text("Станом на 02.03.2026").is_visible()
        assert page.locator("main tbody tr").first.is_visible()
