"""Whatever stands in a table, both forms of a registry over it answer alike, as they are described."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from registry_adapters.sdk import Registry, TableFile
from registry_adapters.sdk.contract import check_registry

# What XML can hold; a slash cannot stand in a path parameter, and a path of dots is no place.
TEXTS = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Cn", "Co", "Zl", "Zp"], exclude_characters="/\ufffe\uffff")
)
KEYS = TEXTS.filter(lambda text: bool(text.strip().strip(".")))
CELLS = st.one_of(
    TEXTS,
    st.integers(-(10**17), 10**17).map(str),
    st.decimals(-(10**9), 10**9, places=3).map(lambda number: f"{number:f}"),
    st.dates().map(str),
    st.datetimes().map(str),
    st.sampled_from(["так", "ні", "", " ", "0007", "3347300028", "<a>&amp;</a>", "' OR 1=1 --"]),
)
ROWS = st.lists(st.tuples(KEYS, CELLS, CELLS), min_size=1, max_size=4, unique_by=lambda row: row[0].strip())


@settings(max_examples=10)
@given(ROWS)
def test_any_table_is_answered_alike_in_both_forms(rows: list[tuple[str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=";").writerows([("key", "first", "second"), *rows])
        table = TableFile(path, key="key", separator=";")
        registry = Registry("table", title="Table")
        registry.lookup("GetRow", table, by="key", path="GET /rows/{key}")
        registry.search("FindRows", table, by=("first", "second"), path="POST /rows/search")
        results = check_registry(registry)
    assert [str(result) for result in results if result.problems] == []
