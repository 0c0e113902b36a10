"""What the one search box makes of what is typed or pasted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_adapters.sdk.identifiers import Flaw
from registry_adapters.snap.pages_search import Kind, recognise


@pytest.mark.parametrize(
    ("typed", "kind", "value"),
    [
        ("19910824-00026", Kind.UNZR, "19910824-00026"),
        (" 19910824\u201300026 ", Kind.UNZR, "19910824-00026"),
        ("1991082400026", Kind.UNZR, "19910824-00026"),
        ("3347300028", Kind.RNOKPP, "3347300028"),
        ("33473 00028", Kind.RNOKPP, "3347300028"),
        ("000000001", Kind.DOCUMENT, "000000001"),
        ("аа № 123456", Kind.DOCUMENT, "АА 123456"),
        ("AA123456", Kind.DOCUMENT, "АА 123456"),  # Latin letters
        ("5322080400:00:001:1205", Kind.CADASTRAL_NUMBER, "5322080400:00:001:1205"),
        ("5322080400 00 001 1205", Kind.CADASTRAL_NUMBER, "5322080400:00:001:1205"),
        ("43395033", Kind.EDRPOU, "43395033"),
        ("sn12000007-2026-000001", Kind.CASE, "SN12000007-2026-000001"),
        ("Шевчук Іван 05.05.1985", Kind.NAME, "Шевчук Іван, 1985-05-05"),
        ("Шевчук", Kind.TEXT, "Шевчук"),
        ("  ", Kind.NOTHING, ""),
    ],
)
def test_what_is_typed_is_recognised_by_its_form(typed: str, kind: Kind, value: str) -> None:
    found = recognise(typed)
    assert (found.kind, found.value, found.flaw) == (kind, value, None)


@pytest.mark.parametrize(
    ("typed", "kind"),
    [("3347300029", Kind.RNOKPP), ("19910824-00025", Kind.UNZR), ("43395034", Kind.EDRPOU)],
)
def test_a_wrong_check_digit_is_told_and_does_not_hide_what_it_is(typed: str, kind: Kind) -> None:
    found = recognise(typed)
    assert (found.kind, found.value, found.flaw) == (kind, typed, Flaw.CHECK_DIGIT)


def test_a_number_that_begins_with_no_date_is_no_unzr() -> None:
    assert recognise("19911399-00026").kind is not Kind.UNZR


@given(st.text(max_size=300))
def test_whatever_is_typed_is_something(typed: str) -> None:
    found = recognise(typed)
    assert recognise(found.value).kind is found.kind
