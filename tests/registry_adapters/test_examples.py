"""The examples that `docs/expose-a-registry.md` shows work, are short, and are what it shows."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from registry_adapters.sdk import Registry
from registry_adapters.sdk.contract import check_registry

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT, TWIN = ROOT / "docs/expose-a-registry.md", ROOT / "docs/expose-a-registry.uk.md"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^(#{1,6}) ", re.MULTILINE)
REGISTRIES = ("kennels", "trees")
MAX_LINES = 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the examples with the database that the document has one make."""
    copied = Path(shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("*.db*")))
    with closing(sqlite3.connect(copied / "trees.db")) as connection:
        connection.executescript((copied / "trees.sql").read_text(encoding="utf-8"))
    return copied


def load(path: Path) -> Registry:
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    declared: Registry = module.registry
    return declared


@pytest.mark.parametrize("name", REGISTRIES)
def test_example_keeps_its_word(folder: Path, name: str) -> None:
    results = check_registry(load(folder / f"{name}.py"))
    assert [str(result) for result in results if result.problems] == []
    assert sum(result.tried for result in results) > 20


@pytest.mark.parametrize("name", REGISTRIES)
def test_example_is_short_and_stands_in_the_document(name: str) -> None:
    text = (ROOT / "examples" / f"{name}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    assert ("python", text) in FENCE.findall(DOCUMENT.read_text(encoding="utf-8"))


def test_remarks_that_the_view_leaves_out_leave_by_no_form(folder: Path) -> None:
    registry = load(folder / "trees.py")
    fields = registry.soap.operations["GetTree"].response.__annotations__["record"]
    assert "remarks" not in str(fields.__metadata__) + str(vars(fields.__origin__.__args__[0]))


def test_both_languages_have_the_same_structure_and_lines_to_paste() -> None:
    here, there = DOCUMENT.read_text(encoding="utf-8"), TWIN.read_text(encoding="utf-8")
    assert FENCE.findall(here) == FENCE.findall(there)
    assert HEADING.findall(FENCE.sub("", here)) == HEADING.findall(FENCE.sub("", there))
    assert here.count("\n|") == there.count("\n|")
