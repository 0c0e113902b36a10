from __future__ import annotations

from itertools import islice

import pytest

from registry_adapters.population.model import DocumentStatus, Person, Record
from registry_adapters.population.names import patronymic
from registry_adapters.population.people import AS_OF, people
from registry_adapters.population.wellknown import WELL_KNOWN
from registry_adapters.sdk.identifiers import (
    DocumentKind,
    Sex,
    birth_date_of_rnokpp,
    birth_date_of_unzr,
    flaw_of_katottg,
    flaw_of_rnokpp,
    flaw_of_unzr,
    normalise_document,
    sex_of_rnokpp,
)


@pytest.fixture(scope="module")
def population() -> list[Record]:
    return list(islice(people(1), 20_000))


@pytest.fixture(scope="module")
def persons(population: list[Record]) -> list[Person]:
    return [record.person for record in population]


def years(person: Person) -> float:
    return (AS_OF - person.birth_date).days / 365.2425


def test_same_seed_gives_the_same_persons() -> None:
    assert list(islice(people(7), 300)) == list(islice(people(7), 300))


def test_another_seed_gives_other_persons() -> None:
    assert list(islice(people(7), 50)) != list(islice(people(8), 50))


def test_fewer_persons_are_a_prefix_of_more(population: list[Record]) -> None:
    assert list(islice(people(1), 100)) == population[:100]


def test_unzr_is_flawless_and_agrees_with_the_birth_date(persons: list[Person]) -> None:
    wrong = [p for p in persons if p.unzr and (flaw_of_unzr(p.unzr) or birth_date_of_unzr(p.unzr) != p.birth_date)]
    assert wrong == []


def test_rnokpp_is_flawless_and_agrees_with_birth_date_and_sex(persons: list[Person]) -> None:
    numbered = [p for p in persons if p.rnokpp]
    assert [p for p in numbered if flaw_of_rnokpp(p.rnokpp or "")] == []
    assert [p for p in numbered if birth_date_of_rnokpp(p.rnokpp or "") != p.birth_date] == []
    assert [p for p in numbered if sex_of_rnokpp(p.rnokpp or "") is not p.sex] == []


def test_no_identifier_belongs_to_two_persons(persons: list[Person]) -> None:
    numbers = [number for p in persons for number in (p.unzr, p.rnokpp, *(d.number for d in p.documents)) if number]
    assert len(set(numbers)) == len(numbers)


def test_one_in_five_has_a_unzr(persons: list[Person]) -> None:
    assert sum(p.unzr is not None for p in persons) / len(persons) == pytest.approx(0.2, abs=0.002)


def test_who_refused_a_number_is_an_adult_with_a_document(persons: list[Person]) -> None:
    refused = [p for p in persons if p.rnokpp_refused]
    assert len(refused) > 100
    assert [p for p in refused if p.rnokpp or not p.documents or years(p) < 18] == []


def test_id_card_and_unzr_go_together(persons: list[Person]) -> None:
    carded = {id(p) for p in persons if any(d.kind is DocumentKind.ID_CARD for d in p.documents)}
    numbered = {id(p) for p in persons if p.unzr and years(p) >= 14}
    assert carded == numbered


def test_every_document_is_in_its_stored_form(persons: list[Person]) -> None:
    documents = [d for p in persons for d in p.documents]
    assert [d for d in documents if normalise_document(d.number) != (d.kind, d.number)] == []


def test_document_is_issued_after_birth_and_a_booklet_never_since_cards_came(persons: list[Person]) -> None:
    for person in persons:
        for held in person.documents:
            assert person.birth_date < held.issued_on < AS_OF
            assert held.kind is DocumentKind.ID_CARD or held.issued_on.year <= 2016


def test_card_in_force_has_not_expired(persons: list[Person]) -> None:
    cards = [d for p in persons for d in p.documents if d.status is DocumentStatus.IN_FORCE and d.expires_on]
    assert [card for card in cards if card.expires_on and card.expires_on < AS_OF] == []


def test_living_adult_has_exactly_one_document_in_force(persons: list[Person]) -> None:
    adults = [p for p in persons if years(p) >= 15 and p.died_on is None]
    assert [p for p in adults if sum(d.status is DocumentStatus.IN_FORCE for d in p.documents) != 1] == []


def test_documents_of_the_dead_are_void(persons: list[Person]) -> None:
    dead = [p for p in persons if p.died_on]
    assert dead
    assert [p for p in dead if any(d.status is DocumentStatus.IN_FORCE for d in p.documents)] == []


def test_everybody_lives_at_a_place_of_the_codifier(persons: list[Person]) -> None:
    assert [p for p in persons if flaw_of_katottg(p.residence.katottg)] == []
    assert [p for p in persons if not p.birth_date <= p.residence.registered_on < AS_OF] == []


def test_patronymic_agrees_with_sex(persons: list[Person]) -> None:
    ending = {Sex.FEMALE: "на", Sex.MALE: "ч"}
    assert [p for p in persons if p.patronymic and not p.patronymic.endswith(ending[p.sex])] == []


def test_well_known_persons_come_first_in_every_seed() -> None:
    first = next(people(99)).person
    assert (first.unzr, first.rnokpp, first.sex) == ("19910824-00026", "3347300028", Sex.FEMALE)
    assert tuple(record.person for record in islice(people(99), len(WELL_KNOWN))) == WELL_KNOWN


def test_ninth_well_known_person_is_the_father_of_the_first_and_died() -> None:
    first, ninth = WELL_KNOWN[0], WELL_KNOWN[8]
    assert first.patronymic == patronymic(ninth.given_name, first.sex)
    assert (ninth.surname, ninth.rnokpp, str(ninth.died_on)) == (first.surname, "1909400190", "2025-11-02")
