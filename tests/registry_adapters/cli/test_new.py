from __future__ import annotations

import ast
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from openpyxl import Workbook
from typer.testing import CliRunner

from gateway.runtime.database import open_database
from registry_adapters.cli import app

KENNELS = "number;назва;owner_rnokpp;opened_on;fee\n0001;Будка;3347300028;14.03.2019;1,5\n0002;Дім;3288701236;;2\n"


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "400"})
    return result.exit_code, result.output


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "kennels.csv"
    path.write_text(KENNELS, encoding="utf-8")
    return path


@pytest.fixture
def trees(tmp_path: Path) -> str:
    with closing(open_database(f"sqlite:///{tmp_path}/trees.db")) as database, database.transaction() as tx:
        tx.exec_driver_sql("CREATE TABLE tree (number VARCHAR(9) PRIMARY KEY, planted_on DATE, seen_at TIMESTAMP)")
        tx.exec_driver_sql("INSERT INTO tree VALUES ('T-1', '1987-04-12', '2024-05-01 10:00:00')")
    return f"sqlite:///{tmp_path}/trees.db"


def fields_of(path: Path) -> dict[str, str]:
    (record,) = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)]
    return {
        node.target.id: ast.unparse(node.annotation)
        for node in record.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def test_folder_of_a_file_has_its_fields_with_their_types_and_passes_its_own_check(tmp_path: Path, file: Path) -> None:
    code, said = run("new", "kennels", "--csv", file, "--into", tmp_path / "made")
    assert (code, "surma registry serve" in said) == (0, True)
    assert fields_of(tmp_path / "made" / "kennels.py") == {
        "number": "str", "nazva": "str | None", "owner_rnokpp": "str | None", "opened_on": "date | None",
        "fee": "Decimal | None",
    }  # fmt: skip
    assert (tmp_path / "made" / "kennels.csv").read_text(encoding="utf-8") == KENNELS
    code, table = run("check", tmp_path / "made" / "kennels.py")
    assert (code, "10 of 10 checks hold" in table.splitlines()) == (0, True)


def test_no_value_of_a_record_is_written_down(tmp_path: Path, file: Path) -> None:
    run("new", "kennels", "--csv", file, "--into", tmp_path / "made")
    texts = [path.read_text() for path in (tmp_path / "made").iterdir() if path.suffix != ".csv"]
    assert len(texts) == 5
    assert [text for text in texts if "3347300028" in text or "Будка" in text] == []


def test_field_of_a_person_is_recognised(tmp_path: Path, file: Path) -> None:
    run("new", "kennels", "--csv", file, "--into", tmp_path / "made")
    assert (tmp_path / "made" / "kennels.py").read_text().count('person="owner_rnokpp"') == 2


def test_made_test_passes(tmp_path: Path, file: Path) -> None:
    run("new", "kennels", "--csv", file, "--into", tmp_path / "made")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."]
    environ = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        command, cwd=tmp_path / "made", env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout + done.stderr


def test_folder_of_a_table_passes_its_own_check(tmp_path: Path, trees: str) -> None:
    code, _ = run(
        "new", "city-trees", "--sql", trees, "--table", "tree", "--key", "number", "--into", tmp_path / "made"
    )
    assert code == 0
    assert fields_of(tmp_path / "made" / "city_trees.py") == {
        "number": "str", "planted_on": "date | None", "seen_at": "datetime | None",
    }  # fmt: skip
    assert not list((tmp_path / "made").glob("*.csv"))
    assert run("check", tmp_path / "made" / "city_trees.py")[0] == 0


def test_folder_without_a_source_has_a_sample_and_passes_its_own_check(tmp_path: Path) -> None:
    assert run("new", "dog-houses", "--into", tmp_path / "made")[0] == 0
    assert run("check", tmp_path / "made" / "dog_houses.py")[0] == 0


def test_excel_and_old_encodings_are_taken(tmp_path: Path) -> None:
    book = Workbook()
    book.active.append(["number", "city"])
    book.active.append(["0001", "Київ"])
    book.save(tmp_path / "houses.xlsx")
    (tmp_path / "old.csv").write_bytes("number;city\n0001;Київ\n".encode("cp1251"))
    assert run("new", "houses", "--excel", tmp_path / "houses.xlsx", "--into", tmp_path / "a")[0] == 0
    assert run("new", "olds", "--csv", tmp_path / "old.csv", "--into", tmp_path / "b")[0] == 0
    assert run("check", tmp_path / "a" / "houses.py")[0] == 0
    assert run("check", tmp_path / "b" / "olds.py")[0] == 0
    assert 'encoding="cp1251"' in (tmp_path / "b" / "olds.py").read_text()


def test_password_of_a_database_goes_into_no_file(tmp_path: Path, postgres_url: str) -> None:
    url = postgres_url.replace("postgres@", "postgres:hunter2@")
    assert "hunter2" in url
    code, said = run(
        "new",
        "users",
        "--sql",
        url,
        "--table",
        "pg_catalog.pg_tables",
        "--key",
        "tablename",
        "--into",
        tmp_path / "made",
    )
    assert (code, "set PGCATALOGPGTABLES_URL" in said) == (0, True), said
    text = (tmp_path / "made" / "users.py").read_text()
    assert ("hunter2" in text, "os.environ[" in text, "import os" in text) == (False, True, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Kennels"], "no name for a registry"),
        (["json"], "no name for a registry"),
        (["class"], "no name for a registry"),
        (["k", "--sql", "sqlite:///x.db"], "--table"),
        (["k", "--table", "t"], "--table"),
        (["k", "--sql", "sqlite:///nowhere.db", "--table", "t", "--key", "a"], "no such SQLite file"),
    ],
)
def test_wrong_order_is_refused_and_makes_nothing(tmp_path: Path, arguments: list[str], said: str) -> None:
    code, output = run("new", *arguments, "--into", tmp_path / "made")
    assert (code, said in output) == (2, True), output
    assert not (tmp_path / "made").exists()


def test_table_without_a_key_names_its_columns(tmp_path: Path, trees: str) -> None:
    code, output = run("new", "trees", "--sql", trees, "--table", "tree", "--into", tmp_path / "made")
    assert (code, "number, planted_on" in output) == (2, True), output


def test_file_without_a_key_says_so(tmp_path: Path) -> None:
    (tmp_path / "twins.csv").write_text("city\nКиїв\nКиїв\n", encoding="utf-8")
    code, output = run("new", "twins", "--csv", tmp_path / "twins.csv", "--into", tmp_path / "made")
    assert (code, "--key" in output, (tmp_path / "made").exists()) == (2, True, False), output


def test_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    code, output = run("new", "kennels", "--into", tmp_path / "made")
    assert (code, "is there already" in output, list((tmp_path / "made").iterdir())) == (2, True, [])
