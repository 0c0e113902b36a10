from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import pytest
from openpyxl import Workbook

from registry_adapters.sdk.errors import UnavailableError
from registry_adapters.sdk.fields import Declared, describe
from registry_adapters.sdk.sources import reading
from registry_adapters.sdk.sources.base import SourceError
from registry_adapters.sdk.sources.files import TableFile

KENNELS = """number;name;city;owner_rnokpp;opened_on;places;fee;vaccinated
0001;Будка;Київ;3347300028;14.03.2019;12;100,50;так
0002;Чотири лапи;Київ;3288701236;01.09.2020;40;0;ні

0003;Добрі сусіди;Львів;;;25;75;
"""


class City(StrEnum):
    KYIV = "Київ"
    LVIV = "Львів"


@dataclass(frozen=True, slots=True)
class Kennel:
    """A kennel."""

    number: Annotated[str, Declared(pattern="[0-9]{4}")]
    city: City
    places: int = 1
    opened_on: date | None = None


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "kennels.csv"
    path.write_text(KENNELS, encoding="utf-8")
    return path


def change(path: Path, text: str) -> None:
    """Write other content at another time, as a later save would."""
    before = path.stat().st_mtime_ns
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(before + 10**9, before + 10**9))


def a_book(path: Path, rows: Sequence[Sequence[Any]], **sheets: Sequence[Sequence[Any]]) -> Path:
    book = Workbook()
    for cells in rows:
        book.active.append(list(cells))
    for name, others in sheets.items():
        sheet = book.create_sheet(name)
        for cells in others:
            sheet.append(list(cells))
    book.save(path)
    return path


def kinds(record: type) -> Mapping[str, type]:
    return {spec.name: spec.type for spec in describe(record).fields}


def shown(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def test_types_are_found_in_the_rows(file: Path) -> None:
    assert kinds(TableFile(file, key="number").record) == {
        "number": str, "name": str, "city": str, "owner_rnokpp": str, "opened_on": date, "places": int, "fee": Decimal,
        "vaccinated": bool,
    }  # fmt: skip


def test_only_the_key_is_required(file: Path) -> None:
    required = [spec.name for spec in describe(TableFile(file, key="number").record).fields if spec.required]
    assert required == ["number"]


def test_record_is_found_by_its_key(file: Path) -> None:
    page = TableFile(file, key="number").find({"number": "0001"}, limit=2)
    assert (page.count, shown(page.records[0])) == (1, {
        "number": "0001", "name": "Будка", "city": "Київ", "owner_rnokpp": "3347300028", "opened_on": date(2019, 3, 14),
        "places": 12, "fee": Decimal("100.50"), "vaccinated": True,
    })  # fmt: skip


def test_all_values_asked_for_must_fit(file: Path) -> None:
    source = TableFile(file, key="number")
    assert [one.number for one in source.find({"city": "Київ", "places": 40}, limit=9).records] == ["0002"]
    assert source.find({"city": "Львів", "places": 40}, limit=9).count == 0
    assert source.find({"city": "київ"}, limit=9).count == 0


def test_pages_are_in_the_order_of_the_file_and_count_all(file: Path) -> None:
    source = TableFile(file, key="number")
    pages = [source.find({"city": "Київ"}, limit=1, offset=offset) for offset in range(3)]
    assert [[one.number for one in page.records] for page in pages] == [["0001"], ["0002"], []]
    assert {page.count for page in pages} == {2}


def test_changed_file_is_read_again(file: Path) -> None:
    source = TableFile(file, key="number")
    change(file, KENNELS.replace("Будка", "Конура"))
    assert source.find({"number": "0001"}, limit=1).records[0].name == "Конура"


def test_file_that_became_wrong_gives_no_old_answers_until_it_is_right(file: Path) -> None:
    source = TableFile(file, key="number")
    change(file, KENNELS.replace(";12;", ";twelve;"))
    with pytest.raises(UnavailableError, match="source_unusable"):
        source.find({"number": "0002"}, limit=1)
    file.unlink()
    with pytest.raises(UnavailableError, match="source_unusable"):
        source.find({"number": "0002"}, limit=1)
    file.write_text(KENNELS, encoding="utf-8")
    assert source.find({"number": "0002"}, limit=1).count == 1


def test_declared_record_chooses_what_is_shown(file: Path) -> None:
    source = TableFile(file, key="number", record=Kennel)
    assert source.find({"city": City.LVIV}, limit=9).records == (Kennel("0003", City.LVIV, 25, None),)
    change(file, KENNELS.replace(";40;", ";;"))
    assert source.find({"number": "0002"}, limit=9).records[0].places == 1


def test_type_that_is_said_counts(file: Path) -> None:
    assert kinds(TableFile(file, key="number", types={"places": str}).record)["places"] is str


def test_column_gets_the_name_that_is_given(tmp_path: Path) -> None:
    path = tmp_path / "реєстр.csv"
    path.write_text("Номер,Місто\n1,Київ\n", encoding="utf-8")
    source = TableFile(path, key="number", names={"Номер": "number"})
    assert shown(source.samples(1)[0]) == {"number": 1, "misto": "Київ"}


def test_other_encodings_are_read_when_said(tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_bytes("number\tcity\n1\tКиїв\n".encode("cp1251"))
    assert TableFile(path, key="number", encoding="cp1251").samples(1)[0].city == "Київ"
    with pytest.raises(SourceError, match="cp1251"):
        TableFile(path, key="number")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("number;;city\n1;2;3\n", "line 1: column 2 has no name"),
        ("number;Number\n1;2\n", "are both number"),
        ("number;!!!\n1;2\n", "column '!!!' makes no field name"),
        ("city\nКиїв\n", "'number' is no column"),
        ("number;city\n1;Київ\n;Львів\n", "line 3: number is empty"),
        ("number;city\n1;Київ\n\n1;Львів\n", "line 4: number 1 stands in line 2 already"),
        ("number;city\n1;Київ;зайве\n", "line 2: 3 cells under 2 columns"),
        ('number;city\n1;"Київ\n', "line 2"),
        ("number;city\n1;Ки\x07їв\n", "line 2: city"),
        ("number;city\n1;" + "x" * 33_000 + "\n", "line 2: city is no a shorter text"),
    ],
)
def test_wrong_file_is_refused_naming_the_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "wrong.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match=said):
        TableFile(path, key="number")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1;Київ;5", r"line 2: number is no \[0-9\]\{4\}"),
        ("0001;Одеса;5", r"line 2: city is no Київ \| Львів"),
        ("0001;;5", "line 2: city is empty"),
        ("0001;Київ;five", "line 2: places is no long: 'five'"),
    ],
)
def test_row_that_is_not_as_declared_is_refused(tmp_path: Path, row: str, said: str) -> None:
    path = tmp_path / "wrong.csv"
    path.write_text(f"number;city;places;opened_on\n{row};\n", encoding="utf-8")
    with pytest.raises(SourceError, match=said):
        TableFile(path, key="number", record=Kennel)


def test_declared_field_without_a_column_is_refused(file: Path) -> None:
    file.write_text("number;city\n0001;Київ\n", encoding="utf-8")
    with pytest.raises(SourceError, match="no column for places"):
        TableFile(file, key="number", record=Kennel)


def test_unknown_names_and_types_are_refused(file: Path) -> None:
    with pytest.raises(SourceError, match="'nmae'"):
        TableFile(file, key="number", names={"nmae": "name"})
    with pytest.raises(SourceError, match="'nmae'"):
        TableFile(file, key="number", types={"nmae": str})


def test_record_of_more_than_plain_values_is_refused(file: Path) -> None:
    many = dataclasses.make_dataclass("Many", [("number", str), ("city", tuple[str, ...])])
    with pytest.raises(SourceError, match="city of Many"):
        TableFile(file, key="number", record=many)


def test_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        TableFile(tmp_path / "none.csv", key="number")


def test_excel_is_read_like_csv(tmp_path: Path) -> None:
    rows = [
        ("number", "name", "opened_on", "places", "fee", "seen_at", "open", None),
        (1, " Будка ", datetime(2019, 3, 14), 12.0, 100.5, datetime(2024, 7, 1, 10, 0), True, None),
        (),
        (2, None, date(2020, 9, 1), 40, 3, datetime(2024, 7, 1, 12, 30), False, None),
    ]
    source = TableFile(a_book(tmp_path / "kennels.xlsx", rows), key="number")
    assert kinds(source.record) == {
        "number": int, "name": str, "opened_on": date, "places": int, "fee": Decimal, "seen_at": datetime, "open": bool,
    }  # fmt: skip
    first, second = source.samples(9)
    assert (first.name, first.fee, first.opened_on, second.name) == ("Будка", Decimal("100.5"), date(2019, 3, 14), None)


def test_sheet_of_a_book_is_chosen_by_name(tmp_path: Path) -> None:
    path = a_book(tmp_path / "book.xlsx", [("x",), (1,)], Kennels=[("number",), ("0007",)])
    assert TableFile(path, key="number", sheet="Kennels").samples(9)[0].number == "0007"
    with pytest.raises(SourceError, match="there is no sheet 'Dogs'; there are Sheet, Kennels"):
        TableFile(path, key="number", sheet="Dogs")


def test_failed_formula_is_refused_naming_its_line(tmp_path: Path) -> None:
    path = a_book(tmp_path / "book.xlsx", [("number", "sum"), (1, 5), (2, "#REF!")])
    with pytest.raises(SourceError, match="line 3: a formula failed"):
        TableFile(path, key="number")


@pytest.mark.parametrize("content", [b"", b"number;city\n1;2\n", b"PK\x05\x06" + bytes(18)])
def test_file_that_is_no_book_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "book.xlsx"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="not an Excel file"):
        TableFile(path, key="number")


def test_more_rows_than_the_bound_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    path.write_text("number\n" + "".join(f"{one}\n" for one in range(reading.MAX_ROWS + 1)), encoding="utf-8")
    with pytest.raises(SourceError, match="put it into a database"):
        list(reading.read_rows(path, reading.Form()))


def test_larger_file_than_the_bound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(reading.MAX_FILE_BYTES + 1)
    with pytest.raises(SourceError, match="larger than 64 MB"):
        TableFile(path, key="number")
