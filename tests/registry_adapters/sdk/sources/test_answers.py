from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest

from registry_adapters.sdk.errors import UnavailableError
from registry_adapters.sdk.sources.answers import pick


class Kind(StrEnum):
    DOG = "dog"
    CAT = "cat"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose."""

    full_name: str


@dataclass(frozen=True, slots=True)
class Pet:
    """A pet."""

    number: str
    kind: Kind
    born_on: date | None = None
    seen_at: datetime | None = None
    weight: Decimal | None = None
    age: int | None = None
    chipped: bool = False
    owner: Owner | None = None
    names: tuple[str, ...] = ()


def test_declared_fields_are_taken_and_no_others() -> None:
    data = {"number": 7, "kind": "dog", "secret": "x", "weight": 4.25, "age": "3", "chipped": "true"}
    assert pick(Pet, data) == Pet("7", Kind.DOG, weight=Decimal("4.25"), age=3, chipped=True)


def test_fields_are_found_by_their_names_in_xml_or_by_those_that_are_given() -> None:
    data = {
        "nr": "1",
        "kind": "cat",
        "bornOn": "01.05.2024",
        "Owner": {"pib": "Ткаченко"},
        "seenAt": "2024-05-01T10:00Z",
    }
    names = {"number": "nr", "owner": "Owner", "owner.full_name": "pib"}
    seen_at = datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert pick(Pet, data, names) == Pet("1", Kind.CAT, date(2024, 5, 1), seen_at, owner=Owner("Ткаченко"))


def test_one_where_several_may_come_is_a_list_of_one() -> None:
    assert pick(Pet, {"number": "1", "kind": "cat", "names": "Мурка"}).names == ("Мурка",)
    assert pick(Pet, {"number": "1", "kind": "cat", "names": ["Мурка", "Міла"]}).names == ("Мурка", "Міла")


def test_empty_text_is_nothing_and_what_xml_cannot_hold_is_replaced() -> None:
    assert pick(Pet, {"number": "1\x00", "kind": "cat", "born_on": "  "}) == Pet("1\ufffd", Kind.CAT)


@pytest.mark.parametrize(
    "wrong",
    [
        {}, {"number": ""}, {"kind": "cow"}, {"born_on": "yesterday"}, {"weight": float("nan")}, {"age": 1.5},
        {"age": True}, {"chipped": 2}, {"owner": "Ткаченко"}, {"owner": {}}, {"number": ["1"]}, {"names": [{"a": 1}]},
    ],
)  # fmt: skip
def test_answer_that_is_not_as_declared_is_unusable_and_tells_no_value(wrong: dict[str, Any]) -> None:
    data = {"number": "1", "kind": "cat", **wrong} if wrong else {}
    with pytest.raises(UnavailableError, match="source_unusable") as caught:
        pick(Pet, data)
    assert "cow" not in str(caught.value.__cause__)
