from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from gateway.messagelog.completeness.model import Kind
from gateway.runtime.database import open_database
from tests.tampering.deeds import (
    Original,
    is_found,
    is_within,
    look,
    look_with_leaves,
    look_without_leaves,
    make_original,
)
from tests.tampering.recipes import RECIPES
from tests.tampering.superuser import Superuser
from tests.tampering.table import Recipe
from tests.tampering.untouched import EARLIER, LAST, TAKEN, Untouched, build, copy_of

ON_POSTGRES = [recipe for recipe in RECIPES if recipe.on_postgres]
# What is consistent in itself: without leaves nothing but the root tells.
CONSISTENT = [recipe for recipe in RECIPES if recipe.found.kind in (Kind.REPLACED, Kind.MOVED, Kind.CUT)]


def by_name(recipes: list[Recipe]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("recipe", recipes, ids=lambda recipe: recipe.name)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    return make_original(tmp_path_factory.mktemp("untouched"))


@pytest.fixture
def superuser(original: Original, tmp_path: Path) -> Iterator[Superuser]:
    with original.copied(tmp_path / "copy") as lent:
        yield lent


def test_there_are_recipes_enough() -> None:
    assert len(RECIPES) >= 60
    assert len({recipe.name for recipe in RECIPES}) == len(RECIPES)


@pytest.mark.parametrize("size", [EARLIER, TAKEN])
def test_nothing_is_found_where_nothing_was_done(superuser: Superuser, size: int) -> None:
    here = superuser.here
    for text in (here.exports[size], here.notes[size]):
        result = look(superuser.database, here, text, deep=True)
        assert result.findings == ()
        assert result.is_told
    assert (result.last, result.counts.entries, result.counts.archived, result.counts.unproven) == (LAST, LAST, 18, 2)


@by_name(RECIPES)
def test_deed_is_found_and_its_place_named(superuser: Superuser, recipe: Recipe) -> None:
    recipe.do(superuser)
    result = look_with_leaves(superuser, recipe)
    assert is_found(recipe, result), [finding.sentence() for finding in result.findings]


@by_name(CONSISTENT)
def test_deed_is_found_by_the_text_of_checkpoints_alone(superuser: Superuser, recipe: Recipe) -> None:
    recipe.do(superuser)
    result = look_without_leaves(superuser)
    assert is_within(recipe, result), [finding.sentence() for finding in result.findings]


@pytest.fixture(scope="module")
def served(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Untouched]]:
    """The untouched log in a database of a server, to be copied."""
    name = f"untouched_{secrets.token_hex(4)}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        database = open_database(_url_of(postgres_url, name))
        try:
            untouched = asyncio.run(build(database, tmp_path_factory.mktemp("served")))
        finally:
            database.close()
        yield name, untouched
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextlib.contextmanager
def a_copy(server: str, original: str) -> Iterator[str]:
    name = f"tampered_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {original}")
        yield _url_of(server, name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _url_of(server: str, name: str) -> str:
    return make_url(server).set(database=name).render_as_string(hide_password=False)


@by_name(ON_POSTGRES)
def test_deed_is_found_on_postgres(
    served: tuple[str, Untouched], postgres_url: str, tmp_path: Path, recipe: Recipe
) -> None:
    name, untouched = served
    with a_copy(postgres_url, name) as url:
        database = open_database(url)
        superuser = Superuser(database, copy_of(untouched, tmp_path))
        recipe.do(superuser)
        result = look_with_leaves(superuser, recipe)
        database.close()
    assert is_found(recipe, result), [finding.sentence() for finding in result.findings]
