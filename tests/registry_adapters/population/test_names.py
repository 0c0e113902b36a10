from __future__ import annotations

import re

import pytest

from registry_adapters.population.names import FEMALE_NAMES, MALE_NAMES, SURNAMES, patronymic, womans_form
from registry_adapters.sdk.identifiers import Sex

UKRAINIAN = re.compile(r"[А-ЩЬЮЯЄІЇҐ][а-щьюяєіїґ']+")


@pytest.mark.parametrize(
    ("father", "son", "daughter"),
    [
        ("Іван", "Іванович", "Іванівна"),
        ("Андрій", "Андрійович", "Андріївна"),
        ("Павло", "Павлович", "Павлівна"),
        ("Василь", "Васильович", "Василівна"),
        ("Ілля", "Ілліч", "Іллівна"),
        ("Микола", "Миколайович", "Миколаївна"),
        ("Григорій", "Григорович", "Григорівна"),
        ("Лев", "Львович", "Львівна"),
        ("Федір", "Федорович", "Федорівна"),
        ("Яків", "Якович", "Яківна"),
    ],
)
def test_patronymic_follows_the_fathers_name(father: str, son: str, daughter: str) -> None:
    assert (patronymic(father, Sex.MALE), patronymic(father, Sex.FEMALE)) == (son, daughter)


@pytest.mark.parametrize(
    ("man", "woman"),
    [("Левицький", "Левицька"), ("Білий", "Біла"), ("Петров", "Петрова"), ("Шевченко", "Шевченко"), ("Мороз", "Мороз")],
)
def test_surname_of_a_woman_follows_its_ending(man: str, woman: str) -> None:
    assert womans_form(man) == woman


def test_every_name_is_written_in_the_ukrainian_alphabet() -> None:
    names = {*MALE_NAMES, *FEMALE_NAMES, *(form for pair in SURNAMES for form in pair)}
    names |= {patronymic(father, sex) for father in MALE_NAMES for sex in Sex}
    assert [name for name in names if not UKRAINIAN.fullmatch(name)] == []


def test_no_name_stands_twice() -> None:
    for names in (MALE_NAMES, FEMALE_NAMES, SURNAMES):
        assert len(set(names)) == len(names)
