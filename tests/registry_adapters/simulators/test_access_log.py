"""Every look is noted, one for each natural person an answer tells of, none twice."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import Any

import pytest

from tests.registry_adapters.world import World

MOTHER, FATHER, CHILD = "3347300028", "3288701236", "4541200105"


def looks(world: World, registry: str, path: str, **query: str) -> list[tuple[Any, ...]]:
    """What one request left in the access log."""
    message_id = str(uuid.uuid4())
    world.ask(registry, path, message_id=message_id, **query)
    noted = [look for look in world.looks(registry) if look["message_id"] == message_id]
    assert {(look["user_id"], look["issue"]) for look in noted} <= {("clerk", "case-7")}
    return sorted((look["outcome"], look["matched_by"], look["subject"] or "") for look in noted)


@pytest.mark.parametrize(
    ("registry", "path", "query", "expected"),
    [
        ("civil_status", "/acts", {"rnokpp": CHILD}, [("found", "rnokpp", code) for code in (FATHER, MOTHER, CHILD)]),
        ("civil_status", "/acts", {"rnokpp": MOTHER, "kind": "death"}, [("not_found", "rnokpp", MOTHER)]),
        ("civil_status", "/acts", {"document": "МЕ 000777"}, [("found", "document", "МЕ 000777")]),
        ("civil_status", "/acts", {"document": "ЯЯ 000000"}, [("not_found", "document", "ЯЯ 000000")]),
        ("civil_status", "/certificates", {"series": "І-АА", "number": "000000"}, [("not_found", "certificate", "")]),
        (
            "civil_status", "/acts", {"surname": "Шевчук", "given_name": "Іван", "birth_date": "1985-05-05"},
            [("ambiguous", "name_and_birth_date", "")],
        ),
        ("displaced", "/certificates", {"unzr": "19910824-00026"}, [("not_found", "unzr", "")]),
        ("displaced", "/certificates", {"rnokpp": MOTHER}, [("not_found", "rnokpp", MOTHER)]),
        ("business", "/subjects", {"code": "2836000078"}, [("found", "code", "2836000078")]),
        ("business", "/subjects", {"code": MOTHER}, [("not_found", "code", MOTHER)]),
        ("business", "/subjects", {"code": "99010512"}, [("found", "code", "")]),  # tells of no natural person
        (
            "property_rights", "/rights", {"cadastral_number": "5310100000:16:999:0063"},
            [("found", "cadastral_number", "3117100039"), ("found", "cadastral_number", "3117100051")],
        ),
        ("property_rights", "/rights", {"edrpou": "99010512"}, [("found", "edrpou", "")]),
    ],
)  # fmt: skip
def test_looks_are_one_for_each_person_told_of(
    world: World, registry: str, path: str, query: dict[str, str], expected: list[tuple[str, str, str]]
) -> None:
    assert looks(world, registry, path, **query) == sorted(expected)


def test_record_of_a_company_is_a_look_at_its_head(world: World) -> None:
    (found,) = world.ask("business", "/subjects", code="99010512").json()["subjects"]
    head = world.ask("business", f"/subjects/{found['id']}").json()["subject"]["heads"][0]["person"]["rnokpp"]
    assert looks(world, "business", f"/subjects/{found['id']}") == [("found", "id", head)]


def test_refused_question_is_no_look(world: World) -> None:
    assert looks(world, "civil_status", "/acts") == []
    assert looks(world, "civil_status", "/acts", rnokpp="1") == []


@pytest.mark.parametrize("registry", ["civil_status", "property_rights", "displaced", "business"])
def test_person_is_known_by_number_and_by_unzr(world: World, registry: str) -> None:
    subjects_of = world.registries[registry].subjects_of
    assert subjects_of is not None
    with world.databases[registry].reading() as connection:
        assert "3347300028" in subjects_of(connection, "3347300028")
        assert "19770824-00026" in subjects_of(connection, "19770824-00026")
        if registry in ("civil_status", "business"):
            assert "2836000078" in subjects_of(connection, "19770824-00026")


def test_look_is_sealed_for_an_investigation_alone(world: World) -> None:
    message_ids = [str(uuid.uuid4()) for _ in range(2)]
    for purpose, message_id in zip(("INVESTIGATION", "INHERITANCE-OF-LAND"), message_ids, strict=True):
        world.ask("civil_status", "/acts", purpose, message_id=message_id, rnokpp=MOTHER)
    noted = Counter(
        (look["message_id"], look["sealed"])
        for look in world.looks("civil_status")
        if look["message_id"] in message_ids
    )
    assert noted.keys() == {(message_ids[0], True), (message_ids[1], False)}
