"""Who stands at the counter, which cases are theirs, and what the engine refuses as a page that says why.

A clerk has the role CLERK or SENIOR within centres; a case of another centre is not found, as if there were none.
Whoever is at the centre may go on with a case; it is ended by who opened it, or by a SENIOR of the centre.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute

from gateway.runtime.accounts.model import EVERYTHING
from gateway.runtime.console.pages import PageError, formats_of, open_page, say, visitor_of
from registry_adapters.snap.accounts import ROLES, SENIOR
from registry_adapters.snap.cases import CaseService
from registry_adapters.snap.errors import CaseNotFoundError, SnapError
from registry_adapters.snap.model import Case, Recipe
from registry_adapters.snap.view import Reader

_CENTRE: Final = re.compile("SN[0-9]{8}")

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class SnapRoute(APIRoute):
    """A route whose handler may leave it to us to say what the engine refuses."""

    def get_route_handler(self) -> Handler:
        """Return the handler, with the refusals of the engine turned into pages."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except CaseNotFoundError:
                raise PageError(404, "snap.case_not_found") from None
            except SnapError as refusal:
                raise PageError(409, refusal.text_id, **refusal.facts) from refusal

        return answer


@dataclass(frozen=True, slots=True)
class Desk:
    """The counter as the clerk of one request has it."""

    cases: CaseService
    clerk: str
    centres: tuple[str, ...]  # empty: every centre
    senior_at: frozenset[str] = frozenset()

    @property
    def centre(self) -> str | None:
        """The one centre of this clerk; None when there are several or all."""
        return self.centres[0] if len(self.centres) == 1 else None

    def case(self, number: str) -> Case:
        """Return a case of this clerk's centres. Raises CaseNotFoundError."""
        found = self.cases.case(number, centre=self.centre)
        if self.centres and found.centre not in self.centres:
            raise CaseNotFoundError("snap_case.not_found", number=number)
        return found

    def may_end(self, case: Case) -> bool:
        """Tell whether this clerk may decide or return a case."""
        return case.clerk == self.clerk or not self.senior_at.isdisjoint((EVERYTHING, case.centre))

    def recipe(self, recipe_id: str) -> Recipe:
        """Return a life event. Raises PageError for one that there is not."""
        recipe = self.cases.recipes.get(recipe_id)
        if recipe is None:
            raise PageError(404, "snap.no_life_event")
        return recipe


def desk_of(cases: CaseService, request: Request) -> Desk:
    """Return the desk of who is signed in. Raises PageError for somebody without a centre."""
    principal = visitor_of(request).principal
    scopes = frozenset().union(*(principal.scopes_of(role) for role in ROLES))
    if not scopes:
        raise PageError(403, "console.forbidden")
    centres = () if EVERYTHING in scopes else tuple(sorted(scopes))
    return Desk(cases, principal.name, centres, principal.scopes_of(SENIOR))


def reader_of(request: Request) -> Reader:
    """Return how the visitor reads."""
    return Reader(
        open_page(request.scope).language,
        formats_of(request),
        lambda text_id, **facts: say(request, text_id, **facts),
    )


def case_path(number: str, rest: str = "") -> str:
    """Return the address of a case's page."""
    return f"/snap/cases/{number}{rest}"


def is_centre(text: str) -> bool:
    """Tell whether a text is the code of a service centre: SN and eight digits."""
    return _CENTRE.fullmatch(text) is not None
