from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from registry_adapters.sdk.errors import RequestError
from registry_adapters.sdk.fields import Declared, describe, from_json, from_parameters, to_json
from registry_adapters.sdk.fields_xml import from_xml, to_xml

NS = "urn:test"


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


@dataclass(frozen=True, slots=True)
class Part:
    code: Annotated[str, Declared("Its code.", pattern="[A-Z]{2}")]
    weight: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Thing:
    name: Annotated[str, Declared("Its name.", max_length=10)]
    made_on: date
    counted: int
    sound: bool
    colour: Colour
    sold_at: datetime | None = None
    limit: int = 100
    tags: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()


THING = {"name": "Ключ", "made_on": "2024-02-29", "counted": 3, "sound": True, "colour": "red"}
TEXTS = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, categories=("L", "N", "P")), min_size=1, max_size=10
)
THINGS = st.builds(
    Thing,
    TEXTS,
    st.dates(),
    st.integers(-(10**17), 10**17),
    st.booleans(),
    st.sampled_from(Colour),
    st.none() | st.datetimes(datetime(1970, 1, 1), timezones=st.just(UTC)),
    st.integers(0, 1000),
    st.lists(TEXTS, max_size=3).map(tuple),
    st.lists(
        st.builds(Part, st.text("ABC", min_size=2, max_size=2), st.none() | st.decimals(-99, 99, places=2)), max_size=3
    ).map(tuple),
)


def error_in_xml(inner: str) -> RequestError:
    with pytest.raises(RequestError) as caught:
        from_xml(Thing, etree.fromstring(f'<Thing xmlns="{NS}">{inner}</Thing>'))
    return caught.value


def error_in_json(**changed: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        from_json(Thing, {**THING, **changed})
    return caught.value


MINIMAL = "<name>x</name><madeOn>2024-02-29</madeOn><counted>1</counted><sound>1</sound><colour>red</colour>"


@given(THINGS)
def test_xml_form_reads_back(thing: Thing) -> None:
    written = etree.fromstring(etree.tostring(to_xml(thing, "Thing", NS)))
    assert from_xml(Thing, written) == thing


@given(THINGS)
def test_json_form_reads_back(thing: Thing) -> None:
    assert from_json(Thing, to_json(thing)) == thing


def test_what_is_left_out_takes_its_default() -> None:
    thing = from_json(Thing, THING)
    assert (thing.sold_at, thing.limit, thing.tags) == (None, 100, ())


def test_children_come_in_any_order() -> None:
    shuffled = "<colour>red</colour><sound>1</sound><counted>1</counted><madeOn>2024-02-29</madeOn><name>x</name>"
    assert from_xml(Thing, etree.fromstring(f'<T xmlns="{NS}">{shuffled}</T>')).name == "x"


def test_comments_inside_a_text_are_skipped() -> None:
    root = etree.fromstring(f'<T xmlns="{NS}">{MINIMAL.replace(">x<", ">x<!-- -->y<?z?>z<")}</T>')
    assert from_xml(Thing, root).name == "xyz"


def test_nil_and_blank_elements_are_not_there() -> None:
    nil = '<soldAt xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/><limit> </limit>'
    assert from_xml(Thing, etree.fromstring(f'<T xmlns="{NS}">{MINIMAL}{nil}</T>')).sold_at is None


@pytest.mark.parametrize(
    ("inner", "error", "field"),
    [
        (MINIMAL + "<other/>", "field_unknown", "other"),
        (MINIMAL + '<tags xmlns="urn:else">a</tags>', "field_unknown", "tags"),
        (MINIMAL + "<name>y</name>", "field_repeated", "name"),
        (MINIMAL.replace("<name>x</name>", ""), "field_missing", "name"),
        (MINIMAL.replace(">x<", "> <"), "field_missing", "name"),
        (MINIMAL.replace(">x<", ">12345678901<"), "field_too_long", "name"),
        (MINIMAL.replace("2024-02-29", "29.02.2024"), "field_invalid", "madeOn"),
        (MINIMAL.replace("2024-02-29", "2023-02-29"), "field_invalid", "madeOn"),
        (MINIMAL.replace(">red<", ">blue<"), "field_invalid", "colour"),
        (MINIMAL.replace("<name>x", "<name><b/>x"), "field_invalid", "name"),
        (MINIMAL + "<parts><code>a</code></parts>", "field_invalid", "parts.code"),
        (MINIMAL + "<parts/>", "field_missing", "parts.code"),
    ],
)
def test_flawed_xml_is_refused_naming_the_field(inner: str, error: str, field: str) -> None:
    refused = error_in_xml(inner)
    assert (refused.name, refused.facts["field"]) == (error, field)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"counted": "3"}, "field_invalid"),
        ({"counted": 3.5}, "field_invalid"),
        ({"counted": True}, "field_invalid"),
        ({"counted": 10**30}, "field_invalid"),
        ({"sound": 1}, "field_invalid"),
        ({"name": 5}, "field_invalid"),
        ({"name": "a\x00b"}, "field_invalid"),
        ({"name": "a\ud800"}, "field_invalid"),
        ({"name": None}, "field_missing"),
        ({"tags": "a"}, "field_invalid"),
        ({"parts": [3]}, "field_invalid"),
        ({"nobody": 1}, "field_unknown"),
        ({"sold_at": "2024-01-01T00:00:00"}, "field_invalid"),
    ],
)
def test_flawed_json_is_refused(changed: dict[str, Any], error: str) -> None:
    assert error_in_json(**changed).name == error


@pytest.mark.parametrize("data", [[], "x", None, 3])
def test_json_that_is_no_object_is_refused(data: Any) -> None:
    with pytest.raises(RequestError):
        from_json(Thing, data)


def test_parameters_are_read_as_text() -> None:
    plain = {"name": "x", "made_on": "2024-02-29", "counted": "1", "sound": "true", "colour": "red"}
    pairs = [*plain.items(), ("tags", "a"), ("tags", "b")]
    assert from_parameters(Thing, pairs).tags == ("a", "b")


def test_repeated_parameter_is_refused() -> None:
    with pytest.raises(RequestError) as caught:
        from_parameters(Part, [("code", "AA"), ("code", "BB")])
    assert caught.value.name == "field_repeated"


def test_value_of_a_refused_field_is_not_repeated() -> None:
    assert "secret" not in str(error_in_json(made_on="secret"))


def test_type_without_a_form_is_a_programming_error() -> None:
    @dataclass
    class Odd:
        value: complex

    with pytest.raises(TypeError):
        describe(Odd)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(ANY_JSON)
def test_any_json_is_read_or_refused(data: Any) -> None:
    with contextlib.suppress(RequestError):
        from_json(Thing, data)
    with contextlib.suppress(RequestError):
        from_json(Thing, {**THING, "name": data})


def test_name_of_an_unknown_field_can_always_be_told() -> None:
    with pytest.raises(RequestError) as refused:
        from_json(Thing, {**THING, "\ud800\x00": 1})
    assert refused.value.facts["field"] == "\ufffd\ufffd"
