from __future__ import annotations

import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_adapters.sdk.sources.naming import field_name, type_name


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("number", "number"),
        ("Owner RNOKPP", "owner_rnokpp"),
        ("Номер свідоцтва", "nomer_svidotstva"),
        ("Їжачок", "yizhachok"),
        ("Прізвище, ім'я", "prizvyshche_imia"),
        ("Згорани", "zghorany"),
        ("Площа (га)", "ploshcha_ha"),
        ("2024 рік", "n_2024_rik"),
        ("class", "class_"),
        ("№", "no"),
        ("!!!", ""),
    ],
)
def test_column_becomes_a_field_name(said: str, name: str) -> None:
    assert field_name(said) == name


@given(st.text(max_size=30))
def test_whatever_a_column_is_called_its_name_is_a_field_or_nothing(said: str) -> None:
    name = field_name(said)
    assert name == "" or (name.isascii() and name.isidentifier() and not keyword.iskeyword(name))
    assert field_name(name) in (name, "")


def test_type_is_named_after_its_source() -> None:
    assert type_name("dog-kennels 2024") == "DogKennels2024"
