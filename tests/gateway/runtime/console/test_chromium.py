"""What every console shares, in a real browser: axe, keyboard, 1280 pixels at 400 % zoom, no script."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, Page, async_playwright

from gateway.runtime.console.pages import CONSOLE
from tests.gateway.runtime.console.conftest import PASSWORD, Port
from tests.gateway.runtime.console.site import Site

CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        await opened.close()


@asynccontextmanager
async def a_window(browser: Browser, port: Port, **options: Any) -> AsyncIterator[Page]:
    context = await browser.new_context(base_url=port.url, ignore_https_errors=True, **options)
    page = await context.new_page()
    page.set_default_timeout(10_000)
    yield page
    await context.close()


async def assert_accessible(page: Page) -> None:
    found = await Axe().run(page)
    assert found.violations_count == 0, f"{page.url}\n{found.generate_report()}"
    width = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width <= 0, f"{page.url} has to be scrolled sideways"


async def fill(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        await page.fill(f"#{name}", value)
    await page.press(f"#{next(reversed(fields))}", "Enter")
    await page.wait_for_load_state()


@pytest.mark.parametrize(("language", "scheme", "width"), [("en-GB", "dark", 1280), ("uk-UA", "light", 320)])
async def test_shared_pages_are_accessible(
    browser: Browser, port: Port, language: str, scheme: str, width: int
) -> None:
    size = {"width": width, "height": 450}
    # axe is a script that the policy of the page would not let in
    options = {"locale": language, "color_scheme": scheme, "viewport": size, "bypass_csp": True}
    async with a_window(browser, port, **options) as page:
        await page.goto("/")
        await assert_accessible(page)
        await page.goto("/account")
        await assert_accessible(page)
        await fill(page, name="olena", password="wrong")
        await assert_accessible(page)
        await fill(page, name="olena", password=PASSWORD)
        assert page.url.endswith("/account")
        await fill(page, old="wrong", new="short", again="different")
        await assert_accessible(page)
        await page.goto("/nothing")
        await assert_accessible(page)
        await page.set_content(await everything())
        await page.add_style_tag(path=style_sheet())
        await assert_accessible(page)


async def test_everything_works_by_keyboard_and_without_script(browser: Browser, port: Port) -> None:
    async with a_window(browser, port, locale="en-GB", java_script_enabled=False) as page:
        await page.goto("/account")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")  # skips to the content
        assert page.url.endswith("#main")
        await fill(page, name="olena", password=PASSWORD)
        assert await page.inner_text("h1") == "Your account"
        await page.click("text=Українська")
        assert await page.inner_text("h1") == "Ваш обліковий запис"
        await page.click("text=Вийти")
        await page.wait_for_load_state()
        await page.goto("/account")
        assert "/login" in page.url


async def everything() -> str:
    """A page with every macro on it."""
    site = Site()
    async with site.client("READER", **{"Accept-Language": "uk"}) as http:
        return (await http.get("/things")).text


def style_sheet() -> str:
    return str(resources.files(CONSOLE) / "static" / "surma.css")
