from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

import pytest

from gateway.runtime.database import Database
from registry_adapters.sdk.registry import build, prepare
from registry_adapters.settings import RegistrySettings
from registry_adapters.simulators.displaced import Certificate, CertificateStatus, registry
from registry_adapters.simulators.displaced_seed import MAKER
from tests.registry_adapters.shim import Shim
from tests.registry_adapters.world import SERVICES, World


@pytest.fixture(scope="module")
def certificates() -> list[Certificate]:
    return [made.told for given in islice(MAKER.given(1), 5000) for made in MAKER.make(given)]


def test_displaced_person_has_a_certificate(world: World) -> None:
    answer = world.ask("displaced", "/certificates", rnokpp="2380804560").json()
    certificate = answer["certificate"]
    assert (answer["found"], answer["count"], answer["confidence"]) == (True, 1, "exact")
    assert (certificate["number"], certificate["issued_on"]) == ("3005-5000000004", "2022-04-11")
    assert (certificate["status"], certificate["present_address"]["settlement"]) == ("valid", "м. Львів")
    assert certificate["former_address"]["street"] == "вул. Соборна"


def test_who_stayed_has_none(world: World) -> None:
    answer = world.ask("displaced", "/certificates", rnokpp="3347300028").json()
    assert (answer["found"], answer["count"], answer.get("certificate")) == (False, 0, None)


def test_certificate_is_found_by_document_and_by_name(world: World) -> None:
    by_name = {"surname": "Бондар", "given_name": "Галина", "birth_date": "1965-03-08"}
    for query in ({"document": "кн 654321"}, by_name):
        assert world.ask("displaced", "/certificates", **query).json()["certificate"]["number"] == "3005-5000000004"


def test_certificates_are_numbered_as_the_law_has_it(certificates: list[Certificate]) -> None:
    assert len(certificates) > 150
    assert [one for one in certificates if not re.fullmatch(r"[0-9]{4}-[0-9]{10}", one.number)] == []
    assert len({one.number for one in certificates}) == len(certificates)


def test_cancelled_certificate_says_since_when(certificates: list[Certificate]) -> None:
    cancelled = [one for one in certificates if one.status is CertificateStatus.CANCELLED]
    assert cancelled
    assert [one for one in cancelled if not (one.issued_on and one.cancelled_on)] == []
    assert [one for one in cancelled if one.issued_on > one.cancelled_on] == []  # type: ignore[operator]
    assert [one for one in certificates if one.status is CertificateStatus.VALID and one.cancelled_on] == []


def test_who_has_two_certificates_is_told_the_later_valid_one(certificates: list[Certificate]) -> None:
    holders: dict[str, list[Certificate]] = {}
    for one in certificates:
        if one.person and one.person.rnokpp:
            holders.setdefault(one.person.rnokpp, []).append(one)
    assert [held for held in holders.values() if len(held) > 1]


@pytest.fixture
def either(database: Database) -> Iterator[World]:
    settings = RegistrySettings(persons=120)
    assert (prepare(registry, database, settings), prepare(registry, database, settings)) == (120, 0)
    with Shim({SERVICES["displaced"][0]: build(registry, database, settings)}) as shim:
        world = World(shim, {"displaced": registry}, {}, {"displaced": database})
        yield world
        world.close()


def test_either_kind_of_database_answers_and_notes_the_look(either: World) -> None:
    answer = either.ask("displaced", "/certificates", "HOUSING-SUBSIDY", rnokpp="2380804560").json()
    assert answer["certificate"]["status"] == "valid"
    assert "certificate.person" in answer["withheld"]
    assert [look["subject"] for look in either.looks("displaced")] == ["2380804560"]
