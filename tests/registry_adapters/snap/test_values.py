from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_adapters.snap.model import Output
from registry_adapters.snap.values import MAX_ROWS, agree, check_path, filled, keep, take, text_of

ANSWER = {
    "person": {"surname": "Коваль", "documents": [{"n": "1", "status": "lost"}, {"n": "2", "status": "in_force"}]},
    "acts": [{"number": "5", "mother": {"rnokpp": "7"}}, {"number": "6"}],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("person.surname", "Коваль"),
        ("person.documents[status=in_force].n", "2"),
        ("person.documents[status=void].n", None),
        ("acts[0].number", "5"),
        ("acts[9].number", None),
        ("acts[].number", ["5", "6"]),
        ("acts[].mother.rnokpp", ["7"]),
        ("person.surname.letters", None),
        ("nothing[].number", []),
    ],
)
def test_path_leads_to_a_value_or_to_nothing(path: str, value: object) -> None:
    assert take(ANSWER, path) == value


def test_alternatives_are_a_list_of_what_is_there() -> None:
    assert keep(ANSWER, Output("n", "acts[0].mother.rnokpp | acts[1].mother.rnokpp | acts[1].number")) == ["7", "6"]


def test_rows_keep_only_their_columns() -> None:
    assert keep(ANSWER, Output("rows", "acts[]", ("number", "mother.rnokpp"))) == [
        {"number": "5", "rnokpp": "7"},
        {"number": "6", "rnokpp": None},
    ]


def test_record_that_no_path_leads_into_is_not_kept() -> None:
    assert keep(ANSWER, Output("person", "person")) is None


def test_long_lists_are_cut() -> None:
    assert len(keep({"a": [{"b": n} for n in range(MAX_ROWS + 5)]}, Output("a", "a[]", ("b",)))) == MAX_ROWS


@pytest.mark.parametrize("path", ["", "a..b", "a[", "a[x]", "A", "a.b c", "a[-1]"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="no path"):
        check_path(path)


@given(JSON, st.sampled_from(["a", "a.b", "a[].b", "a[0].b", "a[b=c].a", "a[]"]))
def test_any_answer_gives_plain_values_only(answer: object, path: str) -> None:
    value = keep(answer, Output("x", path, ("b",)))
    assert isinstance(value, list)
    assert all(set(row) == {"b"} and not isinstance(row["b"], dict | list) for row in value)


@pytest.mark.parametrize(
    ("left", "right", "manner", "same"),
    [
        ("Мар'яна", "МАР’ЯНА", "name", True),
        ("Коваль", "Ковальчук", "name", False),
        ("0.0612", "0.06120", "number", True),
        ("вул. Садова,  7", "вул Садова 7", "address", True),
        ("1", ["2", "1"], "text", True),
        ("3", ["2", "1"], "text", False),
    ],
)
def test_values_agree_by_their_manner(left: object, right: object, manner: str, same: bool) -> None:
    assert agree(left, right, manner) is same


def test_line_is_empty_when_one_of_its_values_is() -> None:
    values = {"a.x": "1", "a.y": None}
    assert filled("{a.x}, {a.y}", values.get) is None
    assert filled("№ {a.x}", values.get) == "№ 1"


def test_single_reference_keeps_its_value() -> None:
    assert filled("{a.x}", {"a.x": [{"n": 1}]}.get) == [{"n": 1}]


def test_text_of_rows_is_one_line() -> None:
    assert text_of([{"a": 1, "b": None}, {"a": True}]) == "1; true"


def test_what_no_database_takes_is_not_kept() -> None:
    kept = keep({"name": "Ко\ud800\x00валь"}, Output("name", "name"))
    assert kept == "Ко\ufffd\ufffdваль"
    kept.encode()
