"""Parents see their children by the word of the civil-status registry: minors, by acts in force, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from gateway.runtime.database import open_database
from registry_adapters.citizen.settings import OidcSettings
from registry_adapters.cli.serving import load_registry
from registry_adapters.sdk.access_log import AccessLog
from registry_adapters.sdk.persons import is_minor
from registry_adapters.sdk.registry import build, prepare
from registry_adapters.settings import RegistrySettings
from tests.registry_adapters.citizen.site import ANDRII_NUMBER, NOW, Site, Visit, a_site, words_of
from tests.registry_adapters.citizen.watched import MARIANA, SOFIIA

CIVIL_STATUS = "GOV/10000005/CIVIL-STATUS"
GALYNA_NUMBER = 4  # has no children in the population


@pytest.fixture(scope="module")
def log() -> dict[str, AccessLog]:
    return {}


@pytest.fixture(scope="module")
def family_site(tmp_path_factory: pytest.TempPathFactory, log: dict[str, AccessLog]) -> Iterator[Site]:
    """A site that does not take the provider's word for who represents whom, beside the real registry of acts."""
    folder = tmp_path_factory.mktemp("family")
    settings = RegistrySettings(persons=100)
    registry = load_registry("civil_status", settings)
    database = open_database(f"sqlite:///{folder}/civil_status.db")
    prepare(registry, database, settings)
    log["civil_status"] = AccessLog(database)
    acts = build(registry, database, settings)
    with a_site(folder, civil_status=acts, oidc=OidcSettings(represents_claim="")) as site:
        yield site
    database.close()


@pytest.fixture(autouse=True)
def _healthy(family_site: Site) -> Iterator[None]:
    yield
    family_site.shim.heal()


def ask_for_children(visit: Visit) -> str:
    return words_of(visit.send("/account", "/account/children"))


@pytest.mark.parametrize("parent", [1, ANDRII_NUMBER])
def test_either_parent_finds_the_child_and_then_sees_what_was_asked_about_it(family_site: Site, parent: int) -> None:
    visit = family_site.citizen(parent)
    assert visit.get("/mine", who="1").status_code == 404
    assert "New persons whom you represent: 1." in ask_for_children(visit)
    assert "Коваленко Софія Андріївна 4541200105 registry of civil status" in " ".join(
        words_of(visit.get("/account")).replace("4541", " 4541").replace("registry of", " registry of").split()
    )
    family_site.tax.look(NOW, SOFIIA, issue="about-the-child")
    assert "about-the-child" in words_of(visit.get("/mine", who="1"))


def test_asking_twice_adds_nobody_twice(family_site: Site) -> None:
    visit = family_site.citizen()
    ask_for_children(visit)
    assert "names no other child under 18 of yours" in ask_for_children(visit)


def test_who_has_no_children_represents_nobody(family_site: Site) -> None:
    visit = family_site.citizen(GALYNA_NUMBER)
    assert "names no other child under 18 of yours" in ask_for_children(visit)
    assert "you act for yourself only" in words_of(visit.get("/account"))


def test_the_question_is_a_look_in_the_registry_with_its_purpose(family_site: Site, log: dict[str, AccessLog]) -> None:
    before = len(log["civil_status"].looks_at(MARIANA))
    ask_for_children(family_site.citizen())
    looks = log["civil_status"].looks_at(MARIANA)
    assert len(looks) == before + 1
    assert (looks[0]["purposes"], looks[0]["user_id"]) == ("REPRESENTATION", MARIANA)


def edited(**changes: Any) -> Any:
    """An edit of each act in an answer."""
    return lambda answer: {**answer, "acts": [{**act, **changes} for act in answer["acts"]]}


@pytest.mark.parametrize(
    "edit",
    [
        edited(status="annulled"),
        edited(status=None),
        edited(kind="divorce"),
        edited(father={"rnokpp": "1909400190"}, mother=None),
        edited(person={"rnokpp": "4541200106", "birth_date": "2024-05-01"}),
        edited(person={"rnokpp": SOFIIA, "birth_date": "2008-03-02"}),
    ],
    ids=["annulled", "state unknown", "no birth", "others' child", "no such number", "of age today"],
)
def test_an_act_that_proves_nothing_gives_nobody(family_site: Site, edit: Any) -> None:
    family_site.shim.contradict(CIVIL_STATUS, edit)
    assert "names no other child under 18 of yours" in ask_for_children(family_site.citizen())


@pytest.mark.parametrize("edit", [None, lambda _: {}, lambda _: {"acts": "none"}, edited(person=None)])
def test_a_registry_that_does_not_answer_as_it_should_is_said_to_be_silent(family_site: Site, edit: Any) -> None:
    if edit is None:
        family_site.shim.down(CIVIL_STATUS)
    else:
        family_site.shim.contradict(CIVIL_STATUS, edit)
    assert "does not answer now" in ask_for_children(family_site.citizen())


@pytest.mark.parametrize(
    ("born", "minor"),
    [(date(2008, 3, 3), True), (date(2008, 3, 2), False), (date(2008, 2, 29), False), (date(2024, 5, 1), True)],
)
def test_the_eighteenth_birthday_is_the_first_day_of_age(born: date, minor: bool) -> None:
    assert is_minor(born, date(2026, 3, 2)) is minor


def test_what_a_registry_holds_of_a_child_is_not_logged(family_site: Site, caplog: pytest.LogCaptureFixture) -> None:
    family_site.shim.contradict(CIVIL_STATUS, edited(person={"rnokpp": SOFIIA, "birth_date": "1 May 2024"}))
    assert "does not answer now" in ask_for_children(family_site.citizen())
    assert "does not answer" in caplog.text
    assert "2024" not in caplog.text
