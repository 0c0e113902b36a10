from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from registry_adapters.sdk.sources.cells import kind_of, read_cell


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["12", "-3", "0", ""], int),
        (["12", "3,5"], Decimal),
        (["12.50"], Decimal),
        (["2024-05-01", "01.05.2024"], date),
        (["2024-05-01 10:00", "2024-05-01T10:00:00+02:00"], datetime),
        (["так", "Ні"], bool),
        (["yes", "false"], bool),
        (["0", "1"], int),
        (["12", "x"], str),
        (["", ""], str),
        ([], str),
        (["0012", "0013"], str),
        (["3347300028", "3288701236"], str),
        (["12345678", "00000000"], str),
        (["150000000", "7"], int),
        (["31.02.2024"], str),
        (["1234567890123456789"], str),
    ],
)
def test_type_of_a_column_is_that_of_all_its_cells(texts: list[str], kind: type) -> None:
    assert kind_of(texts) is kind


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("01.05.2024", date, date(2024, 5, 1)),
        ("12,50", Decimal, Decimal("12.50")),
        ("Так", bool, True),
        ("2024-07-01 10:00", datetime, datetime(2024, 7, 1, 7, 0, tzinfo=UTC)),
        ("2024-01-01 10:00", datetime, datetime(2024, 1, 1, 8, 0, tzinfo=UTC)),
        ("007", str, "007"),
    ],
)
def test_cell_is_read_as_its_type(text: str, kind: type, value: Any) -> None:
    assert read_cell(text, kind) == value


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1e5", Decimal),
        ("NaN", Decimal),
        ("1 000", int),
        ("+1", int),
        ("1/5/2024", date),
        ("2024-13-01", date),
        ("1", bool),
    ],
)
def test_cell_of_another_form_is_refused(text: str, kind: type) -> None:
    with pytest.raises(ValueError, match=r".*"):
        read_cell(text, kind)
