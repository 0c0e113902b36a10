from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from gateway.runtime import texts
from registry_adapters.sdk.fields import RecordSpec, describe
from registry_adapters.sdk.purposes import EVERY_FIELD, withheld_paths
from registry_adapters.snap.model import Leg, Recipe
from registry_adapters.snap.recipes import RecipeError, labels_missing, load_recipes, read_recipe
from registry_adapters.snap.values import alternatives
from tests.registry_adapters.snap.world import REGISTRIES, registry_of

RECIPES = load_recipes()
TEXT = (resources.files("registry_adapters.snap") / "recipes" / "land-extract.toml").read_text(encoding="utf-8")
LEGS = [(recipe, leg) for recipe in RECIPES.values() for leg in recipe.legs]
EVENTS = {
    "birth-of-child", "housing-subsidy", "residence-registration", "land-extract", "sole-trader", "displaced-status",
    "lost-passport", "inheritance-of-land",
}  # fmt: skip


def plain_path(path: str) -> str:
    """Return a path without its brackets: the field as a registry declares it."""
    return re.sub(r"\[[^\]]*\]", "", path)


@pytest.fixture(scope="module")
def declared() -> dict[str, Any]:
    """The registries' declarations by the beginning of their services' identifiers."""
    return {beginning: registry_of(*place) for beginning, place in REGISTRIES.items()}


def paths_of(leg: Leg) -> Iterator[str]:
    """Every field of the answer that a leg looks at."""
    start = f"{leg.items}." if leg.items else ""
    yield from (start + plain_path(path.removeprefix("!")) for path in leg.where)
    if leg.poll:
        yield from (path for path in (leg.poll.status, leg.poll.ready_at) if path)
    for output in leg.outputs:
        for path in map(plain_path, alternatives(output.path)):
            yield from ([f"{path}.{plain_path(column)}" for column in output.columns] or [path])


def test_all_life_events_are_there_and_have_a_name_for_every_value() -> None:
    texts.register("registry_adapters")
    assert set(RECIPES) == EVENTS
    assert [name for recipe in RECIPES.values() for name in labels_missing(recipe)] == []


@pytest.mark.parametrize(("recipe", "leg"), LEGS, ids=lambda one: one.id)
def test_leg_asks_an_operation_in_the_way_its_registry_declares(
    recipe: Recipe, leg: Leg, declared: dict[str, Any]
) -> None:
    registry = declared[leg.service.rpartition("/")[0]]
    routes = {(route.method, route.path): route for route in registry.rest.routes}
    route = routes[leg.method, leg.path]
    assert route.operation.name == leg.operation
    known = {*describe(route.operation.request).by_name, *route.path_parameters}
    assert set(leg.inputs) - {"*"} <= known
    by = {"name": {"surname", "given_name", "patronymic", "birth_date"}}
    if "*" in leg.inputs:
        assert set().union(*(by.get(way, {way}) for way in leg.by)) <= known


@pytest.mark.parametrize(("recipe", "leg"), LEGS, ids=lambda one: one.id)
def test_every_field_a_leg_looks_at_is_allowed_for_its_purpose(
    recipe: Recipe, leg: Leg, declared: dict[str, Any]
) -> None:
    registry = declared[leg.service.rpartition("/")[0]]
    purposes = registry.rules.by_id if registry.rules is not None else {}
    purpose = purposes[leg.purpose]
    assert not purpose.clients or "GOV/10000001/SNAP" in purpose.clients
    allowed = purpose.operations[leg.operation]
    answer: RecordSpec = describe(registry.soap.operations[leg.operation].response)
    withheld = set() if EVERY_FIELD in allowed else set(withheld_paths(answer, allowed))
    known = set(fields_of(answer))
    for path in paths_of(leg):
        assert path in known, f"{leg.operation} has no field {path}"
        beginnings = {path.rsplit(".", n)[0] for n in range(path.count(".") + 1)}
        assert not beginnings & withheld, f"{path} is withheld for {leg.purpose}"


# What goes out with an answer though no recipe shows it: an extract has the parcel's plan and fate by law.
WITH_AN_ANSWER = {
    "failure",
    *(f"parcel.{name}" for name in ("boundary_geojson", "picture_svg", "ended_on", "successors")),
}


def test_purpose_of_a_life_event_lets_out_only_what_its_recipe_asks_for(declared: dict[str, Any]) -> None:
    looked_at: dict[tuple[str, str, str], set[str]] = {}
    for _, leg in LEGS:
        asked = looked_at.setdefault((leg.service.rpartition("/")[0], leg.purpose, leg.operation), set())
        asked |= {*paths_of(leg), *chosen_by(leg)}
    events = {recipe.purpose for recipe in RECIPES.values()}
    for beginning, registry in declared.items():
        for purpose in (one for one in registry.rules.by_id.values() if one.id in events):
            for operation, allowed in purpose.operations.items():
                asked = looked_at[beginning, purpose.id, operation]
                needed = {path.rsplit(".", n)[0] for path in asked for n in range(path.count(".") + 1)}
                assert allowed - needed - WITH_AN_ANSWER <= {EVERY_FIELD}, f"{beginning} {purpose.id} {operation}"


def chosen_by(leg: Leg) -> Iterator[str]:
    """The fields by which items of a list are chosen, as in `documents[status=in_force]`."""
    for output in leg.outputs:
        yield from (f"{found[1]}.{found[2]}" for found in re.finditer(r"([a-z_.]+)\[([a-z_.]+)=", output.path))


def fields_of(record: RecordSpec, start: str = "") -> Iterator[str]:
    """The paths of all fields that hold a plain value, or a list of them."""
    for spec in record.fields:
        if spec.record:
            yield from fields_of(spec.record, f"{start}{spec.name}.")
        else:
            yield f"{start}{spec.name}"


@pytest.mark.parametrize(
    ("old", "new", "flaw"),
    [
        ('purpose = "LAND-EXTRACT"', "", "purpose is missing"),
        ("term_days = 10", "term_day = 10", "unknown key term_day"),
        ('kind = "cadastral_number"', 'kind = "parcel"', "'parcel' is not a valid FieldKind"),
        ('inputs = { "*" = "field.applicant" }', 'inputs = { "*" = "field.nobody" }', "'field.nobody' is nowhere"),
        ('{ rnokpp = "leg.applicant.rnokpp" }', '{ rnokpp = "leg.applicant.code" }', "'leg.applicant.code' is nowhere"),
        ('inputs = { "*" = "field.applicant" }', 'inputs = { rnokpp = "field.applicant" }', "persons are inputs *"),
        ('"{parcel.area_ha}"', '"{parcel.area}"', "parcel.area is nowhere"),
        ('left = "parcel.holder_names"', 'left = "parcel.holders"', "parcel.holders is nowhere"),
        ('manner = "name"', 'manner = "sound"', "manner must be one of"),
        (
            'method = "GET"\npath = "/parcels/{',
            'timeout_s = 3\nmethod = "GET"\npath = "/parcels/{',
            "unknown key timeout_s",
        ),
        ('method = "GET"\npath = "/parcels/{', 'method = "FETCH"\npath = "/parcels/{', "needs a method"),
        ('path = "/parcels/{cadastral_number}"', 'path = "/parcels/{number}"', "the path asks for number"),
        ('id = "rights"', 'id = "parcel"', "leg parcel is there 2 times"),
        ('id = "rights"', 'id = "field"', "a name has small letters"),
        ('"area_ha = parcel.area_ha"', '"area_ha = parcel..area_ha"', "is no path"),
        ('when_missing = "go_on"', 'when_missing = "shrug"', "'shrug' is not a valid Fallback"),
        ('ground = "Закон', f'ground = "{"З" * 300}', "at most 255 characters"),
        ("[[leg]]", "[[leg", "is not TOML"),
    ],
)
def test_recipe_with_a_flaw_is_refused_by_name(old: str, new: str, flaw: str) -> None:
    assert old in TEXT
    with pytest.raises(RecipeError, match="land-extract") as refused:
        read_recipe("land-extract", TEXT.replace(old, new, 1))
    assert flaw in str(refused.value)


def test_legs_that_wait_for_each_other_are_refused() -> None:
    circle = TEXT.replace('cadastral_number = "field.cadastral_number" }', 'cadastral_number = "leg.rights.state" }', 1)
    circle = circle.replace('cadastral_number = "field.cadastral_number" }', 'cadastral_number = "leg.parcel.status" }')
    with pytest.raises(RecipeError, match="legs wait for each other: organisation, parcel, rights"):
        read_recipe("land-extract", circle)


def test_required_leg_builds_on_required_legs_only() -> None:
    text = TEXT.replace('id = "applicant"\nen', 'id = "applicant"\nrequired = false\nen')
    text = text.replace(
        'required = false\nwhen_silent = "go_on"\nwhen_missing = "go_on"\noutputs = ["cad', 'outputs = ["cad'
    )
    with pytest.raises(RecipeError, match="leg parcels is required and builds on applicant, which is not"):
        read_recipe("land-extract", text)


def test_all_flaws_of_all_recipes_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(TEXT.replace("{parcel.area_ha}", "{parcel.x}"), encoding="utf-8")
    (tmp_path / "b.toml").write_text("title_en = 1", encoding="utf-8")
    with pytest.raises(RecipeError) as refused:
        load_recipes(tmp_path)
    assert "a: line area_ha" in str(refused.value)
    assert "b: recipe: purpose is missing" in str(refused.value)


def test_recipes_are_written_in_toml_that_says_nothing_twice() -> None:
    for entry in (resources.files("registry_adapters.snap") / "recipes").iterdir():
        table = tomllib.loads(entry.read_text(encoding="utf-8"))
        assert len({leg["en"] for leg in table["leg"]}) == len(table["leg"])
