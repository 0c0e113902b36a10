"""The whole demonstration, each program a process: life events in a real browser, through real security servers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page

from gateway.landscape.demo import free_network
from gateway.landscape.description import moved, read_landscape
from gateway.landscape.federation import Federation
from gateway.landscape.portals import url_of
from tests.browser import a_browser, needs_chromium
from tests.registry_adapters.snap import flows
from tests.registry_adapters.snap.flows import EVENTS, Counter

MESSAGE_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
SOLE_TRADER = 8
TRADER = 8  # among the well-known persons

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    landscape = read_landscape()
    folder = tmp_path_factory.mktemp("demo")
    running = Federation(moved(landscape, free_network(landscape)), folder, lambda _: None)
    try:
        asyncio.run(running.start())
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def counter(federation: Federation) -> Counter:
    (clerk,) = federation.landscape.clerk
    portal = federation.landscape.portal_named("snap")
    assert portal is not None
    return Counter(url_of(portal), clerk.name, federation.password_file(clerk).read_text().strip())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with a_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def page(browser: Browser, counter: Counter) -> Iterator[Page]:
    """A window in which the clerk of the demonstration has signed in; the certificate is the counter's own."""
    context = browser.new_context(locale="uk-UA", ignore_https_errors=True)
    opened = context.new_page()
    opened.set_default_timeout(20_000)
    flows.sign_in(opened, counter)
    yield opened
    context.close()


def evidence_of(federation: Federation, message_id: str) -> httpx.Response:
    """What the security server of the counter has signed of one exchange."""
    server = federation.landscape.server_of("GOV/10000001/SNAP")
    parts = {
        "xRoadInstance": federation.landscape.instance, "memberClass": "GOV", "memberCode": "10000001",
        "subsystemCode": "SNAP", "queryId": message_id,
    }  # fmt: skip
    return httpx.get(f"http://{server.address}:{server.http_port}/signature", params=parts, trust_env=False)


@pytest.mark.parametrize("number", range(1, 9), ids=[event.recipe for event in EVENTS])
def test_life_event_is_brought_to_its_extract_and_every_exchange_has_evidence(
    federation: Federation, page: Page, counter: Counter, number: int
) -> None:
    text = flows.bring_to_extract(page, counter, number, timeout_s=60)
    assert [told for told in EVENTS[number - 1].told if told not in text] == []
    asked = set(MESSAGE_ID.findall(text))
    assert len(asked) >= 3
    for message_id in asked:
        assert evidence_of(federation, message_id).content.startswith(b"PK")


def test_case_waits_while_the_registries_are_gone_and_goes_on_by_itself(
    federation: Federation, page: Page, counter: Counter
) -> None:
    program = federation.registries["registries"]
    program.stop()
    page.goto(f"{counter.url}/snap")
    flows.open_case(page, SOLE_TRADER, EVENTS[SOLE_TRADER - 1])
    flows.ask(page)
    assert flows.wait_for_status(page, "parked", timeout_s=60) == "parked"
    program.start()
    assert flows.wait_for_status(page, "ready", timeout_s=120) == "ready"


def test_citizen_reads_who_asked_on_the_pages_of_the_demonstration(
    federation: Federation, browser: Browser, page: Page, counter: Counter
) -> None:
    flows.bring_to_extract(page, counter, SOLE_TRADER, timeout_s=60)
    citizen = federation.landscape.portal_named("citizen")
    assert citizen is not None
    context = browser.new_context(locale="uk-UA")
    window = context.new_page()
    window.set_default_timeout(20_000)
    window.goto(f"{url_of(citizen)}/mine")
    window.locator("main a.button").click()
    window.locator(f"main a[href$='person={TRADER}']").click()
    window.wait_for_url(f"{url_of(citizen)}/mine")
    told = window.locator("main").inner_text()
    context.close()
    assert "Центр надання адміністративних послуг" in told
    assert "SN12000007-" in told  # the case for which the clerk asked
