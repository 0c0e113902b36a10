"""A known share of each simulator's records is wrong, in known ways; the well-known persons' never."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any

import pytest

from registry_adapters.population.model import Record
from registry_adapters.simulators import business_seed, civil_status_seed, displaced_seed, property_rights_seed
from registry_adapters.simulators.business import Subject, SubjectKind
from registry_adapters.simulators.civil_status import Act, ActKind, ActStatus
from registry_adapters.simulators.displaced import Certificate, CertificateStatus
from registry_adapters.simulators.filling import ERROR_SHARE, Given, Made, Maker
from registry_adapters.simulators.persons import full_name
from registry_adapters.simulators.property_rights import PropertyObject

PERSONS = 9000
MAKERS = (civil_status_seed.MAKER, business_seed.MAKER, property_rights_seed.MAKER, displaced_seed.MAKER)

Population = Sequence[tuple[Given, list[Made]]]


def a_population(maker: Maker, persons: int, seed: int = 1) -> Population:
    return [(given, list(maker.make(given))) for given in islice(maker.given(seed), persons)]


def told(population: Population, kind: type[Any], error: str | None) -> list[tuple[Record, list[Any]]]:
    """The records of persons with an error of a kind."""
    return [
        (given.record, [made.told for made in records if isinstance(made.told, kind)])
        for given, records in population
        if given.error == error
    ]


@pytest.fixture(scope="module")
def acts() -> Population:
    return a_population(civil_status_seed.MAKER, PERSONS)


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.name)
def test_share_of_errors_is_known_and_all_kinds_occur(maker: Maker) -> None:
    errors = Counter(given.error for given in islice(maker.given(1), 6000))
    wrong = sum(count for kind, count in errors.items() if kind)
    assert wrong / 6000 == pytest.approx(ERROR_SHARE, rel=0.25)
    assert set(errors) == {None, *maker.errors}
    assert min(errors[kind] for kind in maker.errors) > wrong / 8


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.name)
def test_well_known_persons_are_without_errors_whatever_the_seed(maker: Maker) -> None:
    for seed in range(20):
        assert [given.error for given in islice(maker.given(seed), 9)] == [None] * 9


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.name)
def test_records_of_fewer_persons_are_a_prefix_of_those_of_more(maker: Maker) -> None:
    few, more = a_population(maker, 130), a_population(maker, 260)
    assert [made for _, made in few] == [made for _, made in more[:130]]
    assert [made for _, made in few] != [made for _, made in a_population(maker, 130, seed=2)]


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.name)
def test_every_record_can_be_found_and_names_whom_its_keys_lead_to(maker: Maker) -> None:
    for _, records in a_population(maker, 600):
        for made in records:
            assert made.keys
            assert {subject for _, subject in made.keys if subject} <= set(made.subjects)


def test_misspelt_births_differ_from_the_person_in_one_letter(acts: Population) -> None:
    misspelt = told(acts, Act, civil_status_seed.MISSPELT)
    assert len(misspelt) > 30
    for record, held in misspelt:
        written, right = held[0].person.surname, record.person.surname
        assert written != right
        assert len(written) - len(right) in (0, 1)
        assert sum(a != b for a, b in zip(written, right, strict=False)) <= 1


def test_wrong_birth_dates_differ_by_a_few_days(acts: Population) -> None:
    moved = [
        (record.person.birth_date - held[0].person.birth_date).days
        for record, held in told(acts, Act, civil_status_seed.OTHER_DATE)
    ]
    assert len(moved) > 30
    assert set(moved) <= set(range(1, 10))


def test_births_are_missing_or_doubled(acts: Population) -> None:
    for _, held in told(acts, Act, civil_status_seed.MISSING):
        assert [act for act in held if act.kind is ActKind.BIRTH] == []
    doubled = told(acts, Act, civil_status_seed.DUPLICATE)
    assert len(doubled) > 30
    for _, held in doubled:
        births = [act for act in held if act.kind is ActKind.BIRTH]
        assert [act.status for act in births] == [ActStatus.VALID, ActStatus.RESTORED]
        assert births[0].person == births[1].person


def test_births_without_error_are_as_the_population_has_them(acts: Population) -> None:
    for record, held in told(acts, Act, None):
        births = [act for act in held if act.kind is ActKind.BIRTH]
        assert [act.person.surname for act in births] == [record.person.surname]
        assert [act.event_on for act in births] == [record.person.birth_date]


def test_certificate_has_a_number_of_its_own(acts: Population) -> None:
    numbers = [
        (made.told.certificate_series, made.told.certificate_number)
        for _, records in acts
        for made in records
        if made.told.certificate_number
    ]
    assert len(set(numbers)) == len(numbers)


def test_traders_are_misspelt_doubled_missing_or_never_ended() -> None:
    population = a_population(business_seed.MAKER, PERSONS)

    def traders(error: str) -> list[tuple[Record, list[Subject]]]:
        return [
            (record, [one for one in held if one.kind is SubjectKind.SOLE_TRADER])
            for record, held in told(population, Subject, error)
        ]

    doubled = [held for _, held in traders(business_seed.DUPLICATE) if held]
    assert doubled
    assert {len({one.id for one in held}) for held in doubled} == {2}
    assert [held for _, held in traders(business_seed.MISSING) if held] == []
    assert [one for _, held in traders(business_seed.NOT_ENDED) for one in held if one.ended_on] == []
    misspelt = [(record, one) for record, held in traders(business_seed.MISSPELT) for one in held]
    assert misspelt
    assert [one for record, one in misspelt if one.name == full_name(record.person).upper()] == []


def test_objects_are_of_another_area_misspelt_doubled_or_missing() -> None:
    population = a_population(property_rights_seed.MAKER, 4000)
    first = {
        error: [(record, held[0]) for record, held in told(population, PropertyObject, error) if held]
        for error in property_rights_seed.MAKER.errors
    }
    clean = {
        made.told.registration_number: made.told
        for given in islice(property_rights_seed.MAKER.given(1), 4000)
        for made in property_rights_seed.MAKER.make(_without_error(given))
    }
    other_area = [one for _, one in first[property_rights_seed.OTHER_AREA] if _is_private(one)]
    assert other_area
    assert [one for one in other_area if one.area_m2 == clean[one.registration_number].area_m2] == []
    misspelt = [one for _, one in first[property_rights_seed.MISSPELT] if _is_private(one)]
    assert misspelt
    assert [one for one in misspelt if one.rights == clean[one.registration_number].rights] == []
    doubled = [held for _, held in told(population, PropertyObject, property_rights_seed.DUPLICATE) if len(held) > 1]
    assert [held for held in doubled if held[1].registration_number == f"9{held[0].registration_number}"]
    known = {made.told.registration_number for _, records in population for made in records}
    assert [number for number in clean if number not in known]


def test_certificates_are_misspelt_doubled_missing_or_not_cancelled() -> None:
    population = a_population(displaced_seed.MAKER, PERSONS)
    doubled = [held for _, held in told(population, Certificate, displaced_seed.DUPLICATE) if held]
    assert doubled
    assert {len({one.number for one in held}) for held in doubled} == {2}
    assert [held for _, held in told(population, Certificate, displaced_seed.MISSING) if held] == []
    kept = [one for _, held in told(population, Certificate, displaced_seed.NOT_CANCELLED) for one in held]
    assert kept
    assert {one.status for one in kept} == {CertificateStatus.VALID}
    misspelt = [(record, held[0]) for record, held in told(population, Certificate, displaced_seed.MISSPELT) if held]
    assert misspelt
    assert [one for record, one in misspelt if one.person.surname == record.person.surname] == []


def _without_error(given: Given) -> Given:
    return Given(given.seed, given.record, given.family, given.previous, given.draw, None)


def _is_private(one: PropertyObject) -> bool:
    return len(one.rights[0].holder_code or "") != 8
