"""Documents say what is there: links, commands, functions, settings, and one text in two languages."""

from __future__ import annotations

import ast
import dataclasses
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from typer.testing import CliRunner

from central_services.settings import CentralSettings
from gateway.cli import build_app
from gateway.landscape.description import read_landscape
from gateway.landscape.tour import Tour
from gateway.settings import GatewaySettings
from registry_adapters.settings import RegistrySettings
from registry_adapters.snap.settings import SnapSettings

ROOT = Path(__file__).resolve().parent.parent
README, TWIN = ROOT / "README.md", ROOT / "README.uk.md"
SKIPPED = {".git", ".venv", "build", "node_modules", ".hypothesis", ".mypy_cache", ".ruff_cache", ".pytest_cache"}

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^(#{1,6}) (.+)$", re.MULTILINE)
PAIR = re.compile(r"`((?:gateway|central_services|registry_adapters)/[\w/]+\.py): ([\w.]+)`")
FILE = re.compile(r"`((?:gateway|central_services|registry_adapters|tests|config|docker|docs)/[\w./-]+\.\w+)`")
# Paths of somebody's machine, and the words of those who organise the work. Spelled apart, or this file would be one.
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|root|home/\w+)/|/tmp/" + "agent")
ORGANISATION = re.compile(
    "|".join((r"\bissue" + r" \d", "architecture" + r"\.md", "contracts" + r"\.md", r"builder [A-Z]{3}"))
)


def documents() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*.md") if not SKIPPED & set(path.relative_to(ROOT).parts))


def named(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def prose(path: Path) -> str:
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """The names that headings get: lower case, without punctuation, blanks as hyphens."""
    titles = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for _, title in HEADING.findall(prose(path))]
    return set(titles)


@lru_cache
def names_in(path: str) -> frozenset[str]:
    """Every function, class, method and constant that a module defines, methods as `Class.method`."""
    found: set[str] = set()
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}.{member.name}"
                for member in node.body
                if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef)
            }
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return frozenset(found)


@pytest.mark.parametrize("document", named(documents()))
def test_every_relative_link_leads_somewhere(document: str) -> None:
    broken = []
    for link in LINK.findall(prose(ROOT / document)):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, fragment = link.partition("#")
        path = (ROOT / document).parent / target if target else ROOT / document
        if not path.exists() or (fragment and fragment not in anchors(path)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("document", named(documents()))
def test_every_function_that_a_document_names_is_in_its_file(document: str) -> None:
    pairs = PAIR.findall((ROOT / document).read_text(encoding="utf-8"))
    missing = [(path, name) for path, name in pairs if not (ROOT / path).is_file() or name not in names_in(path)]
    assert missing == []


@pytest.mark.parametrize("document", named(documents()))
def test_every_file_that_a_document_names_exists(document: str) -> None:
    files = FILE.findall(prose(ROOT / document))
    assert [path for path in files if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("flow", named(sorted((ROOT / "docs" / "flows").glob("*.md"))))
def test_a_flow_lists_its_functions_once_at_the_top(flow: str) -> None:
    text = (ROOT / flow).read_text(encoding="utf-8")
    top, *rest = text.split("\n## ")
    assert len(PAIR.findall(top)) >= 10
    assert PAIR.findall("\n## ".join(rest)) == []


def commands() -> set[str]:
    """Every `surma` command there is: verbs, and groups with theirs."""
    app = build_app()
    found = {command.name for command in app.registered_commands if command.name}
    for group in app.registered_groups:
        found |= {group.name} | set(_verbs(group.name, group.typer_instance)) if group.name else set()
    assert {entry.name for entry in entry_points(group="surma.commands")} <= found
    return found


def _verbs(prefix: str, app: Any) -> Iterator[str]:
    for command in app.registered_commands:
        yield f"{prefix} {command.name or command.callback.__name__.replace('_', '-')}"
    for group in app.registered_groups:
        yield f"{prefix} {group.name}"
        yield from _verbs(f"{prefix} {group.name}", group.typer_instance)


@pytest.mark.parametrize("document", named(documents()))
def test_every_command_that_a_document_names_exists(document: str) -> None:
    known = commands()
    text = (ROOT / document).read_text(encoding="utf-8")
    wrong = []
    for line in re.findall(r"(?:`|^|/)surma ([^`\n]+)", text, re.MULTILINE):
        words = re.match(r"[a-z-]+(?: [a-z-]+)*", line)
        said = words.group().split() if words else []
        if said and said[0] in ("verify", "demo"):
            said = said[:1]
        if not any(" ".join(said[:length]) in known for length in (1, 2, 3)) or _misses_verb(said, known):
            wrong.append(line)
    assert wrong == []


def _misses_verb(said: list[str], known: set[str]) -> bool:
    """A group is named with a verb that it does not have."""
    return len(said) > 1 and said[0] in ("gateway", "central", "registry") and " ".join(said[:2]) not in known


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_command_explains_itself(command: str) -> None:
    explained = CliRunner().invoke(build_app(), [*command.split(), "--help"], env={"COLUMNS": "120"})
    assert (explained.exit_code, explained.exception) == (0, None)


@pytest.mark.parametrize("document", named(documents()))
def test_every_make_verb_that_a_document_names_exists(document: str) -> None:
    verbs = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = (ROOT / document).read_text(encoding="utf-8")
    said = [verb for line in re.findall(r"(?:`|^)make ([^`\n]+)", text, re.MULTILINE) for verb in _verbs_of_make(line)]
    assert [verb for verb in said if verb not in verbs] == []


def _verbs_of_make(line: str) -> list[str]:
    return re.findall(r"(?<![\w=\"/.-])[a-z]+(?![\w=\"/.-])", re.sub(r"[A-Z]+=(\"[^\"]*\"|\S+)", "", line))


def test_both_readmes_have_the_same_structure() -> None:
    here, there = (HEADING.findall(prose(path)) for path in (README, TWIN))
    assert [level for level, _ in here] == [level for level, _ in there]


def test_both_readmes_have_the_same_lines_to_paste() -> None:
    assert FENCE.findall(README.read_text(encoding="utf-8")) == FENCE.findall(TWIN.read_text(encoding="utf-8"))


def test_both_readmes_link_to_the_same_places() -> None:
    here, there = (set(LINK.findall(prose(path))) for path in (README, TWIN))
    walks = ("auditors", "citizens", "clerks", "expose-a-registry")  # what else is there in both languages
    assert here - there == {"README.uk.md", *(f"docs/{walk}.md" for walk in walks)}
    assert there - here == {"README.md", *(f"docs/{walk}.uk.md" for walk in walks)}


@pytest.mark.parametrize("walk", ["auditors", "citizens", "clerks", "expose-a-registry"])
def test_both_languages_of_a_walk_have_the_same_lines_to_paste(walk: str) -> None:
    here, there = ((ROOT / "docs" / f"{walk}{language}.md").read_text(encoding="utf-8") for language in ("", ".uk"))
    assert FENCE.findall(here) == FENCE.findall(there)
    assert [level for level, _ in HEADING.findall(FENCE.sub("", here))] == [
        level for level, _ in HEADING.findall(FENCE.sub("", there))
    ]


def test_readme_has_the_lines_that_the_demo_prints() -> None:
    blocks = [block.strip() for _, block in FENCE.findall(README.read_text(encoding="utf-8"))]
    assert [line for line in Tour.of(read_landscape()).curl_lines() if line not in blocks] == []


def settings_of(cls: type[Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting with its default, dotted."""
    hints = get_type_hints(cls)
    defaults = cls()
    for field in dataclasses.fields(cls):
        value = getattr(defaults, field.name)
        if dataclasses.is_dataclass(hints[field.name]):
            yield from settings_of(type(value), f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", value


def shown(value: Any) -> str:
    """A default as the tables show it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(f"`{item}`" for item in value) or "empty"
    if isinstance(value, str):
        return f"`{value}`" if value else "empty"
    return f"{value:g}" if isinstance(value, float) else str(value)


@pytest.mark.parametrize(
    ("document", "settings"),
    [
        ("docs/operations/security-server.md", GatewaySettings),
        ("docs/operations/central-services.md", CentralSettings),
        ("docs/operations/registries.md", RegistrySettings),
        ("docs/operations/counter.md", SnapSettings),
    ],
)
def test_settings_are_told_with_their_defaults(document: str, settings: type[Any]) -> None:
    section = (ROOT / document).read_text(encoding="utf-8").partition("\n## Settings\n")[2].partition("\n## ")[0]
    told = dict(re.findall(r"^\| `([\w.]+)` \| ([^|]+) \| [^|]+ \|$", section, re.MULTILINE))
    assert told == {key: shown(value) for key, value in settings_of(settings)}


def test_every_dependency_has_its_sentence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {
        re.split(r"[^\w-]", requirement)[0].lower()
        for requirement in (*project["dependencies"], *project["optional-dependencies"]["dev"])
    }
    decision = (ROOT / "docs/adr/0016-dependencies.md").read_text(encoding="utf-8")
    explained = {name.lower() for name in re.findall(r"^\| `([\w-]+)`", decision, re.MULTILINE)}
    assert explained == declared


def test_every_decision_is_listed_and_whole() -> None:
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    for path in sorted((ROOT / "docs/adr").glob("*.md")):
        titles = [title for _, title in HEADING.findall(path.read_text(encoding="utf-8"))]
        assert [name for name in ("Context", "Options", "Outcome", "Negative consequences") if name not in titles] == []
        assert f"adr/{path.name}" in index


def test_every_document_is_reached_from_the_index() -> None:
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    linked = {(ROOT / "docs" / link.partition("#")[0]).resolve() for link in LINK.findall(index)}
    unlinked = [path for path in named([*(ROOT / "docs").rglob("*.md")]) if ROOT / path not in linked]
    assert set(unlinked) <= {"docs/index.md", "docs/benchmarks.md"}  # the latter is written by a run of the benchmarks


def tracked_texts() -> Iterator[tuple[Path, str]]:
    """Every text file that is or would be committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("this is no checkout")
    for name in listed.stdout.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file():
            try:
                yield path.relative_to(ROOT), path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def test_no_file_names_somebodys_machine_or_the_organisation_of_the_work() -> None:
    wrong = [
        f"{path}: {found.group()}"
        for path, text in tracked_texts()
        if path != Path("tests/test_documents.py")
        for pattern in (MACHINE_PATH, ORGANISATION)
        for found in pattern.finditer(text)
    ]
    assert wrong == []
