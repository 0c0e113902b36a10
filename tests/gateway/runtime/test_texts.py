from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.runtime import texts
from gateway.xroad import faults

ROOT = Path(__file__).parents[3]
PACKAGES = ("gateway", "central_services", "registry_adapters")
FAMILY = {
    name
    for name, kind in vars(faults).items()
    if isinstance(kind, type) and issubclass(kind, faults.XRoadFault)
}  # fmt: skip


@dataclass(frozen=True)
class Site:
    """A place in the sources that makes a fault with a text id of its own."""

    where: str
    text_id: str
    facts: frozenset[str] | None  # None: given as **facts, known only when it happens


def fault_sites() -> Iterator[Site]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and _name_of(node.func) in FAMILY and len(node.args) > 1:
                    yield from _sites_of(node, f"{path.relative_to(ROOT)}:{node.lineno}")


def _name_of(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _sites_of(call: ast.Call, where: str) -> Iterator[Site]:
    names = [keyword.arg for keyword in call.keywords]
    facts = None if None in names else frozenset(name for name in names if name is not None)
    choices = [call.args[1]]
    if isinstance(call.args[1], ast.IfExp):
        choices = [call.args[1].body, call.args[1].orelse]
    for choice in choices:
        if isinstance(choice, ast.Constant) and isinstance(choice.value, str):
            yield Site(where, choice.value, facts)


SITES = list(fault_sites())


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_fault_has_its_sentence(language: str) -> None:
    missing = sorted(
        {f"{s.text_id} ({s.where})" for s in SITES if language not in texts.catalogue().get(s.text_id, {})}
    )
    assert missing == []


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_sentence_gets_the_facts_it_names(language: str) -> None:
    wrong = []
    for site in SITES:
        template = texts.catalogue().get(site.text_id, {}).get(language)
        if template is not None and site.facts is not None and (unknown := texts.fields_of(template) - site.facts):
            wrong.append(f"{site.where}: {site.text_id} names {sorted(unknown)}, which the fault does not carry")
    assert wrong == []


def test_both_languages_of_a_sentence_name_the_same_facts() -> None:
    differing = [
        text_id
        for text_id, sentences in texts.catalogue().items()
        if len({texts.fields_of(sentence) for sentence in sentences.values()}) > 1
    ]
    assert differing == []


def test_every_sentence_is_in_both_languages() -> None:
    assert {i for i, s in texts.catalogue().items() if set(s) != set(texts.LANGUAGES)} == set()


@pytest.fixture
def own_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(texts, "_directories", [])  # what is registered here goes with this test
    monkeypatch.setattr(texts, "_catalogue", None)
    (tmp_path / "own.toml").write_text(
        '[greeting]\nen = "Hello {name}, {count:05d}"\nuk = "Вітаю, {name}, {count:05d}"\n'
        '[only_english]\nen = "English {name}"\n[broken]\nen = "{"\nuk = "{}"\n[deep.below]\nen = "x"\nuk = "y"\n',
        encoding="utf-8",
    )
    texts.register(tmp_path)
    return "own"


def test_sentence_is_filled_in_either_language(own_texts: str) -> None:
    assert texts.render("own.greeting", {"name": "Оля", "count": 7}) == "Hello Оля, 00007"
    assert texts.render("own.greeting", {"name": "Оля", "count": 7}, "uk") == "Вітаю, Оля, 00007"
    assert texts.render("own.deep.below", {}, "uk") == "y"


def test_english_stands_in_for_a_language_that_is_missing(own_texts: str) -> None:
    assert texts.render("own.only_english", {"name": "x"}, "uk") == "English x"
    assert texts.render("own.greeting", {"name": "x", "count": 1}, "fr") == "Hello x, 00001"


class Unprintable:
    def __str__(self) -> str:
        raise ValueError("no")

    __repr__ = __str__


@pytest.mark.parametrize(
    ("text_id", "facts", "expected"),
    [
        ("own.greeting", {}, "Hello {name}, {count}"),
        ("own.greeting", {"name": 1, "count": "many"}, "Hello 1, many"),
        ("own.broken", {"a": 1}, "own.broken: a=1"),
        ("own.absent", {"a": 1, "b": "x"}, "own.absent: a=1, b=x"),
        ("nothing", {}, "nothing"),
        ("own.greeting", {"name": Unprintable(), "count": 1}, "Hello <Unprintable>, 00001"),
    ],
)
def test_rendering_never_fails(own_texts: str, text_id: str, facts: dict[str, object], expected: str) -> None:
    assert texts.render(text_id, facts) == expected


@given(st.sampled_from(sorted(texts.catalogue()) or ["x.y"]), st.dictionaries(st.text(max_size=5), st.text(max_size=5)))
def test_any_facts_give_a_sentence(text_id: str, facts: dict[str, str]) -> None:
    assert texts.render(text_id, facts, "uk")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("uk", "uk"),
        ("uk-UA,uk;q=0.9,en;q=0.8", "uk"),
        ("en-GB,uk;q=0.9", "en"),
        ("fr, uk;q=0.2", "uk"),
        ("fr", "en"),
        ("uk;q=0", "en"),
        ("uk;q=nonsense", "en"),
        ("*", "en"),
        ("en;q=0.1,*;q=0.9", "en"),
    ],
)
def test_language_is_chosen_as_the_reader_prefers(header: str | None, language: str) -> None:
    assert texts.choose_language(header) == language


@given(st.text())
def test_any_header_chooses_a_language(header: str) -> None:
    assert texts.choose_language(header) in texts.LANGUAGES
