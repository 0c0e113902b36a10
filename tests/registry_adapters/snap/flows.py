"""The eight life events in a browser, by keyboard, from the queue to the printable extract.

Made for any counter: a `Counter` is an address and who signs in; the persons are the well-known ones of
every synthetic population. Nothing here knows what stands behind the counter.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from playwright.sync_api import Page

from registry_adapters.population.land import PARCEL_OF_1

MAX_TABS = 150
KYIV = "UA80000000000093317"


@dataclass(frozen=True)
class Counter:
    """Where a counter answers, and who works there."""

    url: str
    name: str
    password: str


@dataclass(frozen=True)
class LifeEvent:
    """What a clerk types: `first` goes with the event's number into the search box, `fields` into the form."""

    recipe: str
    first: str
    fields: Mapping[str, str] = field(default_factory=dict)
    told: tuple[str, ...] = ()  # what the extract says that nobody typed


# In the order in which the counter numbers them.
EVENTS = (
    LifeEvent(
        "birth-of-child", "3347300028", {"father": "3288701236", "child_born": "01.05.2024"}, ("Коваленко Софія",)
    ),
    LifeEvent(
        "displaced-status", "2380804560",
        {"katottg": KYIV, "street": "вул. Лесі Українки", "building": "5", "moved_on": "01.03.2022"},
        ("Бондар Галина Василівна",),
    ),
    LifeEvent("housing-subsidy", "3347300028", {}, ("Ткаченко Мар'яна Іванівна",)),
    LifeEvent(
        "inheritance-of-land", "Ткаченко Іван Петрович 11.04.1952", {"heir": "3347300028"}, ("Ткаченко Мар'яна",)
    ),
    LifeEvent("land-extract", PARCEL_OF_1, {"applicant": "3347300028"}, ("Ткаченко Мар'яна Іванівна",)),
    LifeEvent("lost-passport", "19770824-00026", {"lost_on": "01.03.2025"}, ("Лисенко Тарас Богданович",)),
    LifeEvent(
        "residence-registration", "3347300028",
        {"katottg": KYIV, "street": "вул. Лесі Українки", "building": "12", "apartment": "34"},
        ("Ткаченко Мар'яна Іванівна",),
    ),
    LifeEvent("sole-trader", "19770824-00026", {"activity": "62.01"}, ("Лисенко Тарас Богданович",)),
)  # fmt: skip


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the first thing that `selector` names has the focus, as somebody without a mouse does."""
    for _ in range(MAX_TABS):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard does not reach {selector} on {page.url}")


def wait_for_focus(page: Page, selector: str) -> None:
    """Wait until the page has put the focus where a clerk expects it, which it does once it is painted."""
    page.wait_for_function("selector => document.activeElement.matches(selector)", arg=selector)


def press(page: Page, selector: str) -> None:
    """Go to a link or button by keyboard and press it; the next page has loaded when this returns."""
    tab_to(page, selector)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def sign_in(page: Page, counter: Counter) -> None:
    """Come to the queue; the counter asks who is there."""
    page.goto(f"{counter.url}/snap")
    tab_to(page, "#name")
    page.keyboard.type(counter.name)
    page.keyboard.press("Tab")
    page.keyboard.type(counter.password)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.url.endswith("/snap"), page.url
    wait_for_focus(page, "#q")


def open_form(page: Page, number: int, first: str) -> None:
    """Type the number of a life event and what it is about into the search box, which has the focus."""
    wait_for_focus(page, "#q")
    page.keyboard.type(f"{number} {first}")
    with page.expect_navigation():
        page.keyboard.press("Enter")


def fill_form(page: Page, event: LifeEvent) -> None:
    """Fill what is not filled yet, field after field, and send the form."""
    for name, text in event.fields.items():
        tab_to(page, f"#{name}")
        if page.locator(f"select#{name}").count():
            page.locator(f"#{name}").select_option(text)  # typing the first letters depends on the language
        else:
            page.keyboard.type(text)
    tab_to(page, "form.form button")
    with page.expect_navigation():
        page.keyboard.press("Enter")


def open_case(page: Page, number: int, event: LifeEvent) -> str:
    """Bring a life event from the queue to the page that shows what will be asked; return the case's number."""
    open_form(page, number, event.first)
    fill_form(page, event)
    found = re.search(r"/snap/cases/([^/?#]+)", page.url)
    assert found is not None, page.locator("main").inner_text()
    return found[1]


def ask(page: Page) -> None:
    """Send the questions; the button has the focus."""
    wait_for_focus(page, "form[action$='/start'] button")
    with page.expect_navigation():
        page.keyboard.press("Enter")


def status(page: Page) -> str:
    """Where the case on the screen stands."""
    return (page.locator("#summary").get_attribute("class") or "").removeprefix("part ")


def wait_for_status(page: Page, *wanted: str, timeout_s: float = 20, by_hand: bool = False) -> str:
    """Wait until the screen says one of these: it fills itself, or `by_hand` is asked to by a link."""
    end = time.monotonic() + timeout_s
    while (now := status(page)) not in wanted:
        assert time.monotonic() < end, f"{page.url} is {now}: {page.locator('#summary').inner_text()}"
        if by_hand:
            with page.expect_navigation():
                page.locator("#refresh a").press("Enter")
        page.wait_for_timeout(50)
    return now


def settle_all(page: Page) -> int:
    """Note at every contradiction what came of it; return how many there were."""
    count = 0
    while page.locator(".contradiction form input[type=text]").count():
        tab_to(page, ".contradiction form input[type=text]")
        page.keyboard.type("звірено з паспортом")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        count += 1
    return count


def fill_missing(page: Page) -> int:
    """Fill the required lines that no registry has filled; return how many there were."""
    count = 0
    while page.locator("#decision a[href*='/lines/']").count():
        press(page, "#decision a[href*='/lines/']")
        wait_for_focus(page, "#value")
        page.keyboard.type("за документом заявника")
        page.keyboard.press("Tab")
        page.keyboard.type("паперовий документ")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        count += 1
    return count


def take_papers(page: Page) -> int:
    """Take a paper wherever a registry that is needed brings nothing; return how many were taken."""
    count = 0
    while status(page) == "parked" and page.locator(".leg a[href$='/paper']").count():
        press(page, ".leg a[href$='/paper']")
        wait_for_focus(page, "#note")
        page.keyboard.type("довідка № 17 від 01.02.2026")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        wait_for_status(page, "parked", "ready")
        count += 1
    return count


def grant(page: Page) -> None:
    """Grant the application and confirm it."""
    press(page, "#grant")
    wait_for_focus(page, "#reason")
    with page.expect_navigation():
        page.keyboard.press("Enter")  # the reason may stay empty
    assert status(page) == "decided"


def open_extract(page: Page) -> str:
    """Open the printable extract; its link has the focus. Returns its text."""
    wait_for_focus(page, "#extract")
    press(page, "#extract")
    assert page.url.endswith("/extract")
    return page.locator(".extract").inner_text()


def bring_to_extract(
    page: Page,
    counter: Counter,
    number: int,
    *,
    meanwhile: Callable[[Page], None] | None = None,
    timeout_s: float = 20,
) -> str:
    """Bring the life event with this number from the queue to its extract; return the extract's text.

    `meanwhile` is called once the registries are being asked: to look at what stands there, or to heal one.
    Where a registry stays silent a paper is taken; contradictions are settled, empty lines filled.
    """
    event = EVENTS[number - 1]
    page.goto(f"{counter.url}/snap")
    open_case(page, number, event)
    ask(page)
    if meanwhile is not None:
        meanwhile(page)
    if wait_for_status(page, "ready", "parked", timeout_s=timeout_s) == "parked":
        take_papers(page)
        wait_for_status(page, "ready", timeout_s=timeout_s)
    settle_all(page)
    fill_missing(page)
    grant(page)
    return open_extract(page)
