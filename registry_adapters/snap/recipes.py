"""Recipes out of TOML: read, checked as a whole, refused with every flaw named.

    title_en, title_uk, summary_en, summary_uk, application_en, application_uk, purpose, ground, term_days
    [[field]]       name, kind, en, uk; optional: required, hint_en, hint_uk, pattern, max_length, choices
    [[leg]]         id, en, uk, service, operation, method, path, inputs, outputs; optional: by, required,
                    when_silent, when_missing, optional_inputs, items, where, one, poll, purpose
    [[section]]     name, en, uk, lines = [{ name, from = ["{leg.output}", …], label, required }]
    [[comparison]]  name, en, uk, left, right, manner

An output is a text `name` or `name = path`, or a table with `name`, `path`, `columns`. A name's label
for people is the text of that name in the catalogue `snap_label`. A loaded recipe has no cycles, no
reference that leads nowhere and no key nobody knows.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

from gateway.runtime import texts
from registry_adapters.sdk.context import MAX_FACT_LENGTH
from registry_adapters.snap.model import (
    Choice,
    Comparison,
    Fallback,
    Field,
    FieldKind,
    Leg,
    Line,
    Output,
    Poll,
    Recipe,
    Section,
    Words,
)
from registry_adapters.snap.plan import PERIOD, refers_to
from registry_adapters.snap.values import MANNERS, check_path, references

LABELS: Final = "snap_label"
RESERVED: Final = frozenset({"field", "leg", "period"})
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_RECIPE_ID: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")
_SERVICE: Final = re.compile(r"[^/\s]+(/[^/\s]+){3}")
_PARAMETER: Final = re.compile(r"\{([a-z0-9_]+)\}")
_METHODS: Final = ("GET", "POST", "PUT")
_CRITERIA: Final = ("unzr", "rnokpp", "document", "name")
_KEYS: Final[Mapping[str, tuple[str, str]]] = {  # required, optional
    "recipe": (
        "title_en title_uk summary_en summary_uk application_en application_uk purpose ground field leg section",
        "term_days comparison",
    ),
    "field": ("name kind en uk", "required hint_en hint_uk pattern max_length choices"),
    "choice": ("value en uk", ""),
    "leg": (
        "id en uk service operation method path inputs outputs",
        "by required when_silent when_missing optional_inputs items where one poll purpose",
    ),
    "output": ("name path", "columns"),
    "poll": ("status pending", "given failed ready_at resubmit"),
    "section": ("name en uk lines", ""),
    "line": ("name from", "label required"),
    "comparison": ("name en uk left right", "manner"),
}


class RecipeError(ValueError):
    """A recipe cannot be used; the text has a line for each flaw."""


def load_recipes(folder: Traversable | Path | None = None) -> Mapping[str, Recipe]:
    """Return the recipes of a folder by id, which is the file's name; without `folder` those of the package.

    Raises RecipeError.
    """
    place = folder or resources.files("registry_adapters.snap") / "recipes"
    files = sorted((entry for entry in place.iterdir() if entry.name.endswith(".toml")), key=lambda entry: entry.name)
    flaws: list[str] = []
    recipes: dict[str, Recipe] = {}
    for file in files:
        try:
            recipe = read_recipe(file.name.removesuffix(".toml"), file.read_text(encoding="utf-8"))
            recipes[recipe.id] = recipe
        except RecipeError as cause:
            flaws.append(str(cause))
    if flaws:
        raise RecipeError("\n".join(flaws))
    return recipes


def read_recipe(recipe_id: str, text: str) -> Recipe:
    """Return a recipe written in TOML. Raises RecipeError with every flaw."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as cause:
        raise RecipeError(f"{recipe_id}: is not TOML: {cause}") from cause
    flaws: list[str] = []
    if not _RECIPE_ID.fullmatch(recipe_id):
        flaws.append(f"{recipe_id!r} is no id of a recipe: small letters, digits and hyphens")
    recipe = _recipe(recipe_id, table, flaws.append) if _has_keys("recipe", table, "recipe", flaws.append) else None
    if recipe is not None and not flaws:
        _check(recipe, flaws.append)
    if recipe is None or flaws:
        raise RecipeError("\n".join(f"{recipe_id}: {flaw}" for flaw in flaws))
    return recipe


Tell = Callable[[str], None]


def _has_keys(kind: str, table: Any, where: str, tell: Tell) -> bool:
    if not isinstance(table, dict):
        tell(f"{where} must be a table")
        return False
    required, optional = (set(keys.split()) for keys in _KEYS[kind])
    for key in sorted(required - set(table)):
        tell(f"{where}: {key} is missing")
    for key in sorted(set(table) - required - optional):
        tell(f"{where}: unknown key {key}")
    return required <= set(table)


def _each(kind: str, listed: Any, where: str, tell: Tell) -> list[dict[str, Any]]:
    """Return those tables of a list that have the keys of their kind."""
    if not isinstance(listed, list):
        tell(f"{where} must be a list of tables")
        return []
    numbered = enumerate(listed, 1)
    return [item for number, item in numbered if _has_keys(kind, item, f"{where} {_named(item, number)}", tell)]


def _named(item: Any, number: int) -> str:
    return str(item.get("id") or item.get("name") or number) if isinstance(item, dict) else str(number)


def _recipe(recipe_id: str, table: dict[str, Any], tell: Tell) -> Recipe | None:
    sections = _each("section", table["section"], "section", tell)
    try:
        return Recipe(
            recipe_id,
            str(table["purpose"]),
            _words(table, "title"),
            _words(table, "summary"),
            str(table["ground"]),
            _words(table, "application"),
            tuple(_field(item, tell) for item in _each("field", table["field"], "field", tell)),
            tuple(_leg(item, str(table["purpose"]), tell) for item in _each("leg", table["leg"], "leg", tell)),
            tuple(Section(item["name"], _words(item)) for item in sections),
            tuple(line for section in sections for line in _lines(section, tell)),
            tuple(
                Comparison(item["name"], _words(item), item["left"], item["right"], item.get("manner", "text"))
                for item in _each("comparison", table.get("comparison", []), "comparison", tell)
            ),
            int(table.get("term_days", 30)),
        )
    except (TypeError, ValueError, AttributeError) as cause:
        tell(str(cause))
        return None


def _words(table: Mapping[str, Any], name: str = "") -> Words:
    start = f"{name}_" if name else ""
    return Words(str(table[f"{start}en"]), str(table[f"{start}uk"]))


def _field(table: dict[str, Any], tell: Tell) -> Field:
    return Field(
        table["name"],
        FieldKind(table["kind"]),
        _words(table),
        bool(table.get("required", True)),
        _words(table, "hint") if "hint_en" in table and "hint_uk" in table else None,
        table.get("pattern"),
        int(table.get("max_length", 200)),
        tuple(
            Choice(item["value"], _words(item))
            for item in _each("choice", table.get("choices", []), f"choice of {table['name']}", tell)
        ),
    )


def _leg(table: dict[str, Any], purpose: str, tell: Tell) -> Leg:
    poll = table.get("poll")
    if poll is not None and not _has_keys("poll", poll, f"poll of leg {table['id']}", tell):
        poll = None
    return Leg(
        table["id"],
        _words(table),
        table["service"],
        table["operation"],
        table["method"],
        table["path"],
        dict(table["inputs"]),
        tuple(_outputs(table, tell)),
        tuple(table.get("by", _CRITERIA)),
        bool(table.get("required", True)),
        Fallback(table.get("when_silent", "park")),
        Fallback(table.get("when_missing", "paper")),
        frozenset(table.get("optional_inputs", ())),
        table.get("items"),
        dict(table.get("where", {})),
        bool(table.get("one", False)),
        None
        if poll is None
        else Poll(
            poll["status"],
            tuple(poll["pending"]),
            tuple(poll.get("given", ())),
            tuple(poll.get("failed", ())),
            poll.get("ready_at"),
            poll.get("resubmit"),
        ),
        str(table.get("purpose", purpose)),
    )


def _outputs(leg: dict[str, Any], tell: Tell) -> Iterable[Output]:
    for item in leg["outputs"]:
        if isinstance(item, str):
            name, _, path = (part.strip() for part in item.partition("="))
            item = {"name": name, "path": path or name}
        if _has_keys("output", item, f"output of leg {leg['id']}", tell):
            yield Output(item["name"], item["path"], tuple(item.get("columns", ())), f"{LABELS}.{item['name']}")


def _lines(section: dict[str, Any], tell: Tell) -> Iterable[Line]:
    for item in _each("line", section["lines"], f"line of {section['name']}", tell):
        label = f"{LABELS}.{item.get('label', item['name'])}"
        yield Line(item["name"], section["name"], label, tuple(item["from"]), bool(item.get("required", False)))


def _check(recipe: Recipe, tell: Tell) -> None:
    """Tell of everything that would not work."""
    if not recipe.purpose or not recipe.ground or len(recipe.ground) > MAX_FACT_LENGTH:
        tell(f"purpose and ground must be there, the ground with at most {MAX_FACT_LENGTH} characters")
    for what, names in (
        ("field", [field.name for field in recipe.fields]),
        ("leg", [leg.id for leg in recipe.legs]),
        ("section", [section.name for section in recipe.sections]),
        ("line", [line.name for line in recipe.lines]),
        ("comparison", [comparison.name for comparison in recipe.comparisons]),
    ):
        _check_names(what, names, tell)
    fields = {field.name for field in recipe.fields}
    outputs = {leg.id: {output.name for output in leg.outputs} for leg in recipe.legs}
    for field in recipe.fields:
        _check_field(field, tell)
    for leg in recipe.legs:
        _check_leg(recipe, leg, fields, outputs, tell)
    _check_order(recipe, tell)
    known = {f"field.{name}" for name in fields} | {f"{leg}.{name}" for leg, names in outputs.items() for name in names}
    for line in recipe.lines:
        named = [reference for template in line.values for reference in references(template)]
        if not line.values or not all(list(references(template)) for template in line.values):
            tell(f"line {line.name}: from must name values in braces")
        for reference in sorted(set(named) - known):
            tell(f"line {line.name}: {reference} is nowhere")
    for comparison in recipe.comparisons:
        for reference in sorted({comparison.left, comparison.right} - known):
            tell(f"comparison {comparison.name}: {reference} is nowhere")
        if comparison.manner not in MANNERS:
            tell(f"comparison {comparison.name}: manner must be one of {', '.join(MANNERS)}")


def _check_names(what: str, names: list[str], tell: Tell) -> None:
    for name in sorted(set(names)):
        if not _NAME.fullmatch(name) or name in RESERVED:
            tell(f"{what} {name}: a name has small letters, digits and _, and is not {', '.join(sorted(RESERVED))}")
        if names.count(name) > 1:
            tell(f"{what} {name} is there {names.count(name)} times")


def _check_field(field: Field, tell: Tell) -> None:
    if (field.kind is FieldKind.CHOICE) != bool(field.choices):
        tell(f"field {field.name}: choices belong to the kind choice, which needs them")
    try:
        re.compile(field.pattern or "")
    except re.error as cause:
        tell(f"field {field.name}: the pattern is none: {cause}")


def _check_leg(recipe: Recipe, leg: Leg, fields: set[str], outputs: Mapping[str, set[str]], tell: Tell) -> None:
    where = f"leg {leg.id}"
    if leg.method not in _METHODS or not _SERVICE.fullmatch(leg.service) or not leg.path.startswith("/"):
        tell(f"{where}: needs a method ({', '.join(_METHODS)}), a service CLASS/CODE/SUBSYSTEM/SERVICE and a /path")
    for parameter in sorted(set(_PARAMETER.findall(leg.path)) - set(leg.inputs)):
        tell(f"{where}: the path asks for {parameter}, which is no input")
    for name in sorted(leg.optional_inputs - set(leg.inputs)):
        tell(f"{where}: optional input {name} is no input")
    for name, reference in {**leg.inputs, **leg.where}.items():
        flaw = _flaw_of_reference(recipe, leg, name, reference, fields, outputs)
        if flaw:
            tell(f"{where}: input {name}: {flaw}")
    if set(leg.by) - set(_CRITERIA):
        tell(f"{where}: by is made of {', '.join(_CRITERIA)}")
    if leg.where and leg.items is None:
        tell(f"{where}: where picks from items, which are not named")
    if leg.poll and leg.poll.resubmit is not None and leg.poll.resubmit not in refers_to(leg):
        tell(f"{where}: resubmit must be the leg it takes its ticket from")
    _check_names(f"{where}: output", [output.name for output in leg.outputs], tell)
    polled = (leg.poll.status, *((leg.poll.ready_at,) if leg.poll.ready_at else ())) if leg.poll else ()
    columns = [column for output in leg.outputs for column in output.columns]
    for path in (*(output.path for output in leg.outputs), *columns, *leg.where, *polled):
        try:
            check_path(path.removeprefix("!"))
        except ValueError as cause:
            tell(f"{where}: {cause}")
    for other in sorted(refers_to(leg) & set(outputs)):
        if leg.required and not recipe.leg(other).required:
            tell(f"{where} is required and builds on {other}, which is not")


def _flaw_of_reference(
    recipe: Recipe, leg: Leg, name: str, reference: object, fields: set[str], outputs: Mapping[str, set[str]]
) -> str | None:
    if isinstance(reference, bool | int) or (isinstance(reference, str) and reference.startswith("=")):
        return "a person is no constant" if name == "*" else None
    parts = str(reference).split(".")
    match parts:
        case ["field", field] if field in fields:
            is_person = any(item.name == field and item.kind is FieldKind.PERSON for item in recipe.fields)
            return None if is_person == (name == "*") else "persons are inputs *, and nothing else is"
        case ["period", part] if part in PERIOD and name != "*":
            return None
        case ["leg", other] if other in outputs and name == "*":
            known = outputs[other]
            ways = {"name": {"surname", "given_name", "birth_date"}}
            return None if any(ways.get(way, {way}) <= known for way in leg.by) else f"{other} tells nobody's {leg.by}"
        case ["leg", other, output] if output in outputs.get(other, ()) and name != "*":
            return None
    return f"{reference!r} is nowhere; a constant is written '=text'"


def _check_order(recipe: Recipe, tell: Tell) -> None:
    """Tell of legs that wait for each other."""
    waiting = {leg.id: set(refers_to(leg)) for leg in recipe.legs}
    while free := [name for name, others in waiting.items() if not others & set(waiting)]:
        for name in free:
            del waiting[name]
    if waiting:
        tell(f"legs wait for each other: {', '.join(sorted(waiting))}")


def labels_missing(recipe: Recipe) -> tuple[str, ...]:
    """Return the text ids that a recipe's values and lines have and the catalogues do not, in either language."""
    columns = (
        f"{LABELS}.{column.rpartition('.')[2]}" for leg in recipe.legs for out in leg.outputs for column in out.columns
    )
    named = {*(output.label for leg in recipe.legs for output in leg.outputs), *(line.label for line in recipe.lines)}
    known = texts.catalogue()
    return tuple(sorted(name for name in named | set(columns) if set(texts.LANGUAGES) - set(known.get(name, {}))))
