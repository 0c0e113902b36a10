"""Each life event with each of its registries in turn down, slow and contradicting, in a real browser.

`make counter` runs all of them; without `SURMA_COUNTER_MATRIX` a few are run.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from registry_adapters.snap.model import LegState
from registry_adapters.snap.recipes import load_recipes
from tests.browser import a_browser, needs_chromium
from tests.registry_adapters.snap import flows
from tests.registry_adapters.snap.flows import EVENTS, Counter
from tests.registry_adapters.snap.site import PASSWORD, PATIENT, Site, a_site

SLOW_S = 10.0
# What a registry that contradicts says instead, wherever it says one of these.
OTHERWISE = {"surname": "Інший", "holder_name": "Інший Власник", "died_on": "2001-01-01", "settlement": "с. Інше"}
RECIPES = load_recipes()
REGISTRIES = {
    event.recipe: list(dict.fromkeys(leg.service.rpartition("/")[0] for leg in RECIPES[event.recipe].legs))
    for event in EVENTS
}
ALL = [
    (number, registry, how)
    for number, event in enumerate(EVENTS, start=1)
    for registry in REGISTRIES[event.recipe]
    for how in ("down", "slow", "contradicting")
]
SAMPLE = [
    (8, "GOV/10000004/TAX", "slow"),
    (5, "GOV/10000003/CADASTRE", "down"),
    (1, "GOV/10000004/TAX", "contradicting"),
]
CASES = ALL if os.environ.get("SURMA_COUNTER_MATRIX") else SAMPLE

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with a_site(tmp_path_factory.mktemp("site"), dataclasses.replace(PATIENT, timeout_s=30)) as served:
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with a_browser() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """A window in which a clerk has signed in; the registries are well again afterwards."""
    context = browser.new_context(locale="uk-UA")
    cookies = dict(site.visit("olena", "uk").client.cookies)
    context.add_cookies([{"name": key, "value": value, "url": site.url} for key, value in cookies.items()])
    opened = context.new_page()
    opened.set_default_timeout(20_000)
    yield opened
    site.shim.heal()
    context.close()


def otherwise(answer: Any) -> Any:
    """An answer with other words in the places that are compared."""
    if isinstance(answer, dict):
        return {
            key: OTHERWISE[key] if key in OTHERWISE and value is not None else otherwise(value)
            for key, value in answer.items()
        }
    return [otherwise(item) for item in answer] if isinstance(answer, list) else answer


@pytest.mark.parametrize(("number", "registry", "how"), CASES)
def test_no_case_is_lost_when_a_registry_misbehaves(
    page: Page, site: Site, number: int, registry: str, how: str
) -> None:
    recipe = RECIPES[EVENTS[number - 1].recipe]
    legs = {leg.id for leg in recipe.legs if leg.service.startswith(f"{registry}/")}
    seen: list[str] = []

    def look(page: Page) -> None:
        if how == "slow":
            page.locator(".leg .mark", has_text="відповідає повільно").first.wait_for()
            seen.append("slow")

    if how == "down":
        site.shim.down(registry)
    elif how == "slow":
        site.shim.slow(registry, SLOW_S)
    else:
        site.shim.contradict(registry, otherwise)
    counter = Counter(site.url, "olena", PASSWORD)
    text = flows.bring_to_extract(page, counter, number, meanwhile=look, timeout_s=6 * SLOW_S)
    case = site.cases.case(page.url.split("/")[-2])
    states = [leg.state for leg in case.legs if leg.leg in legs]
    if how == "down":
        assert LegState.ANSWERED not in states
        assert "недоступний" in text or LegState.SKIPPED in states
    elif how == "slow":
        assert seen == ["slow"]
        assert {LegState.ANSWERED, LegState.NOT_FOUND} & set(states)
    else:
        assert all(state not in (LegState.FAILED, LegState.PARKED) for state in states)
        assert not case.contradictions or "звірено з паспортом" in text
    assert all(one.message_id in text for one in site.cases.receipt(case.number).exchanges)
