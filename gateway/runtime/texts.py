"""What people read, in English and Ukrainian, by text id and facts.

A text id is `area.name`; `catalogues/<area>.toml` holds a table per name with `en` and `uk`. The
sentences are for the person who must act, so they are rendered at the edge and never decide
anything. Rendering never fails: a missing text or fact shows as its name.
"""

from __future__ import annotations

import string
import threading
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

LANGUAGES: Final = ("en", "uk")
DEFAULT_LANGUAGE: Final = "en"

_lock = threading.Lock()
_directories: list[Traversable | Path] = []
_catalogue: dict[str, Mapping[str, str]] | None = None


def register(directory: Traversable | Path | str) -> None:
    """Add a directory of catalogues, or the package (by name) whose `catalogues` folder holds them."""
    global _catalogue
    source = resources.files(directory) / "catalogues" if isinstance(directory, str) else directory
    with _lock:
        if source not in _directories:
            _directories.append(source)
            _catalogue = None


def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Return every text by id and language; loaded when first asked for."""
    global _catalogue
    loaded = _catalogue
    if loaded is None:
        with _lock:
            loaded = _load((resources.files("gateway.runtime") / "catalogues", *_directories))
            _catalogue = loaded
    return loaded


def render(text_id: str, facts: Mapping[str, object], language: str = DEFAULT_LANGUAGE) -> str:
    """Return the sentence `text_id` with its facts filled in; English where the language has none."""
    sentences = catalogue().get(text_id, {})
    template = sentences.get(language) or sentences.get(DEFAULT_LANGUAGE)
    if template is None:
        return _bare(text_id, facts)
    try:
        return _Lenient().vformat(template, (), facts)
    except Exception:  # a broken template or a fact that cannot be printed must not hide the fault itself
        return _bare(text_id, facts)


def choose_language(accept_language: str | None, default: str = DEFAULT_LANGUAGE) -> str:
    """Return the language an Accept-Language header prefers among ours (RFC 9110 12.5.4)."""
    best: tuple[float, str] = (0.0, default)
    for choice in (accept_language or "").split(","):
        tag, _, parameter = choice.strip().partition(";")
        weight = _weight(parameter)
        primary = tag.strip().lower().partition("-")[0]
        language = default if primary == "*" else primary
        if language in LANGUAGES and weight > best[0]:
            best = (weight, language)
    return best[1]


def fields_of(template: str) -> frozenset[str]:
    """Return the names of the facts a template asks for."""
    names = (name for _, name, _, _ in string.Formatter().parse(template) if name)
    return frozenset(name.partition(".")[0].partition("[")[0] for name in names)


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0.0 <= weight <= 1.0 else 0.0


def _bare(text_id: str, facts: Mapping[str, object]) -> str:
    shown = ", ".join(f"{name}={_text_of(value)}" for name, value in facts.items())
    return f"{text_id}: {shown}" if shown else text_id


def _text_of(value: object) -> str:
    try:
        return str(value)
    except Exception:  # see render
        return f"<{type(value).__name__}>"


class _Lenient(string.Formatter):
    """str.format that shows the name of what is missing instead of raising."""

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        try:
            return super().get_field(field_name, args, kwargs)
        except (KeyError, IndexError, AttributeError, TypeError):
            return f"{{{field_name}}}", field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        try:
            return str(super().format_field(value, format_spec))
        except (TypeError, ValueError):
            return _text_of(value)

    def convert_field(self, value: Any, conversion: Any) -> Any:
        try:
            return super().convert_field(value, conversion)
        except ValueError:
            return value


def _load(directories: Sequence[Traversable | Path]) -> dict[str, Mapping[str, str]]:
    texts: dict[str, Mapping[str, str]] = {}
    for directory in directories:
        if not directory.is_dir():
            continue
        for entry in sorted(directory.iterdir(), key=lambda e: e.name):
            if entry.name.endswith(".toml"):
                _read_area(texts, entry.name.removesuffix(".toml"), tomllib.loads(entry.read_text(encoding="utf-8")))
    return texts


def _read_area(texts: dict[str, Mapping[str, str]], prefix: str, table: Mapping[str, Any]) -> None:
    for name, value in table.items():
        if not isinstance(value, dict):
            raise ValueError(f"catalogue {prefix}: {name} must be a table with en and uk")
        if any(language in value for language in LANGUAGES):
            texts[f"{prefix}.{name}"] = {k: v for k, v in value.items() if isinstance(v, str)}
        else:
            _read_area(texts, f"{prefix}.{name}", value)
