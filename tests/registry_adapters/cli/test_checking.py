from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from registry_adapters.cli import app
from registry_adapters.cli.checking import table_of
from registry_adapters.sdk.contract import Result

BROKEN = """
from dataclasses import dataclass
from typing import Annotated
from registry_adapters.sdk import Call, Declared, Registry

@dataclass(frozen=True, slots=True)
class Question:
    number: Annotated[str, Declared(example="7")]

@dataclass(frozen=True, slots=True)
class Answer:
    name: Annotated[str, Declared(max_length=3)]

registry = Registry("dogs", title="Dogs")

@registry.operation("GetDog", "GET /dogs/{number}")
def get_dog(asked: Question, call: Call) -> Answer:
    return Answer("much too long")
"""


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "400"})
    return result.exit_code, result.output


def test_what_is_wrong_is_told_and_ends_with_one(tmp_path: Path) -> None:
    (tmp_path / "dogs.py").write_text(BROKEN)
    code, output = run("check", str(tmp_path / "dogs.py"))
    assert code == 1
    assert "GET /dogs/{number}: answer.name is longer than 3" in output
    assert "6 of 7 checks hold" in output.splitlines()


def test_registry_whose_source_is_wrong_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "cats.csv").write_text("number\n1\n1\n")
    (tmp_path / "cats.py").write_text(
        "from pathlib import Path\nfrom registry_adapters.sdk import Registry, TableFile\n"
        'cats = TableFile(Path(__file__).parent / "cats.csv", key="number")\n'
        'registry = Registry("cats", title="Cats")\n'
    )
    code, output = run("check", str(tmp_path / "cats.py"))
    assert (code, "line 3: number 1 stands in line 2 already" in output) == (2, True), output


def test_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert run("check", str(tmp_path / "none.py"))[0] == 2


def test_lines_stand_in_columns() -> None:
    results = [
        Result("health", "dogs"),
        Result("asked", "GetDog", ("no",), 4),
        Result("zeep", "dogs", skipped="not here"),
    ]
    assert table_of(results) == [
        "dogs    health  ok     1 tried",
        "GetDog  asked   WRONG  4 tried",
        "        no",
        "dogs    zeep    -      not here",
    ]
