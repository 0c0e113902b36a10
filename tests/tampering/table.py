"""The table of recipes: what is done, what must be found, and where.

Each expects its findings against a checkpoint of 40 entries with their leaves, taken away before the
deed: the one it is about first, then whatever follows from it, and nothing else. With the text of the
checkpoints alone the deed must be found, too, in a range that holds its place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from gateway.messagelog.completeness.model import Kind
from tests.tampering.superuser import Superuser

Deed = Callable[[Superuser], None]


class Found(NamedTuple):
    """A finding as a recipe expects it; without entries where none is meant."""

    kind: Kind
    first: int | None = None
    last: int | None = None

    @property
    def ends(self) -> tuple[int | None, int | None]:
        """First and last entry."""
        return self.first, self.first if self.last is None else self.last

    @property
    def place(self) -> str:
        """The entries as people read them."""
        first, last = self.ends
        return "-" if first is None else str(first) if first == last else f"{first}-{last}"


# The server's own checkpoints were signed anew, from the one of 12 entries on.
ANEW = Found(Kind.CHECKPOINT, 12)


@dataclass(frozen=True)
class Recipe:
    """A deed, and what is expected of it: `found` first of all, `also` what follows.

    `deep`: found only when every proof is verified. `on_postgres`: done there, too.
    """

    name: str
    do: Deed
    found: Found
    also: tuple[Found, ...] = ()
    deep: bool = False
    on_postgres: bool = False


RECIPES: list[Recipe] = []


def recipe(
    name: str, found: Found, *also: Found, deep: bool = False, on_postgres: bool = False
) -> Callable[[Deed], Deed]:
    """Add a recipe to the table."""

    def add(do: Deed) -> Deed:
        RECIPES.append(Recipe(name, do, found, also, deep, on_postgres))
        return do

    return add


def changing(sequence: int, **columns: Any) -> Deed:
    """Change columns of an entry."""
    return lambda s: s.set(sequence, **columns)


def running(statement: str, **values: Any) -> Deed:
    """Run a statement."""
    return lambda s: s.sql(statement, **values)
