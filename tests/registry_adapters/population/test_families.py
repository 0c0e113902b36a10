from __future__ import annotations

from itertools import islice, pairwise

import pytest

from registry_adapters.population.families import AS_OF, BLOCK, Family, families_of, with_families
from registry_adapters.population.model import Record
from registry_adapters.population.names import patronymic
from registry_adapters.population.people import people
from registry_adapters.sdk.identifiers import Sex

YEAR = 365.2425


@pytest.fixture(scope="module")
def population() -> list[tuple[Record, Family]]:
    return list(islice(with_families(people(1)), 5000))


def years_between(elder: Record, younger: Record) -> float:
    return (younger.person.birth_date - elder.person.birth_date).days / YEAR


def test_same_seed_gives_the_same_families() -> None:
    assert list(islice(with_families(people(3)), 300)) == list(islice(with_families(people(3)), 300))


def test_families_do_not_depend_on_how_many_persons_are_wanted(population: list[tuple[Record, Family]]) -> None:
    assert list(islice(with_families(people(1)), 150)) == population[:150]


def test_persons_come_in_their_order(population: list[tuple[Record, Family]]) -> None:
    assert [record for record, _ in population] == list(islice(people(1), 5000))


def test_family_is_within_its_block(population: list[tuple[Record, Family]]) -> None:
    for record, family in population:
        kin = [one for one in (family.father, family.mother, family.spouse, *family.children) if one]
        assert {(one.number - 1) // BLOCK for one in kin} <= {(record.number - 1) // BLOCK}


def test_spouses_name_each_other_and_the_same_day(population: list[tuple[Record, Family]]) -> None:
    by_number = {record.number: family for record, family in population}
    for record, family in population:
        if family.spouse is not None:
            other = by_number[family.spouse.number]
            assert other.spouse == record
            assert (other.married_on, other.divorced_on) == (family.married_on, family.divorced_on)
            assert {record.person.sex, family.spouse.person.sex} == {Sex.MALE, Sex.FEMALE}


def test_who_marries_is_grown_and_alive(population: list[tuple[Record, Family]]) -> None:
    married = [(record, family.married_on) for record, family in population if family.married_on]
    assert len(married) > 2000
    for record, day in married:
        assert (day - record.person.birth_date).days >= 18 * YEAR
        assert day < (record.person.died_on or AS_OF)


def test_divorce_follows_the_marriage(population: list[tuple[Record, Family]]) -> None:
    divorced = [family for _, family in population if family.divorced_on]
    assert len(divorced) > 200
    for family in divorced:
        assert family.married_on is not None
        assert family.divorced_on is not None
        assert family.married_on < family.divorced_on < AS_OF


def test_parents_and_children_name_each_other(population: list[tuple[Record, Family]]) -> None:
    by_number = {record.number: family for record, family in population}
    for record, family in population:
        for parent in (family.father, family.mother):
            assert parent is None or record in by_number[parent.number].children
        for child in family.children:
            assert record in (by_number[child.number].father, by_number[child.number].mother)


def test_given_name_of_the_father_fits_the_patronymic(population: list[tuple[Record, Family]]) -> None:
    fathers = [(record.person, family.father.person) for record, family in population if family.father]
    assert len(fathers) > 500
    assert [1 for child, father in fathers if patronymic(father.given_name, child.sex) != child.patronymic] == []


def test_ages_of_parents_fit(population: list[tuple[Record, Family]]) -> None:
    for record, family in population:
        assert family.father is None or 17.9 < years_between(family.father, record) < 55.1
        assert family.mother is None or 17.9 < years_between(family.mother, record) < 43.1


def test_children_of_one_mother_are_born_apart(population: list[tuple[Record, Family]]) -> None:
    for record, family in population:
        days = sorted(child.person.birth_date for child in family.children)
        if record.person.sex is Sex.FEMALE:
            assert all((later - earlier).days >= 300 for earlier, later in pairwise(days))


def test_common_children_have_both_as_parents(population: list[tuple[Record, Family]]) -> None:
    by_number = {record.number: family for record, family in population}
    common = [(record, family, child) for record, family in population for child in family.common_children]
    assert common
    for record, family, child in common:
        assert {record, family.spouse} == {by_number[child.number].father, by_number[child.number].mother}


def test_well_known_family_is_as_told() -> None:
    mother, father, child = families_of(list(islice(people(42), BLOCK)))[:3]
    assert (child.father, child.mother) == (mother.spouse, father.spouse)
    assert str(mother.married_on) == "2020-06-20"
    assert [one.person.given_name for one in mother.children] == ["Софія"]
    assert mother.father is not None
    assert (mother.father.number, mother.father.person.given_name) == (9, "Іван")
