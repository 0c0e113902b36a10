"""The front office of a service centre as a part of a web console, beginning with the clerk's queue.

The first thing on the screen is one box: a case number, a person, a parcel, or the number of a life event
with or without what it is about. Personal numbers are sent in the body of a form and never stand in an
address, where a browser would remember them.
"""

from __future__ import annotations

import re
from typing import Final

from fastapi import APIRouter, Request, Response

from gateway.runtime import texts
from gateway.runtime.console.app import ConsolePart
from gateway.runtime.console.forms import form_of_query
from gateway.runtime.console.pages import NavItem, form_of, page, redirect
from registry_adapters.snap.accounts import ROLES
from registry_adapters.snap.cases import CaseService
from registry_adapters.snap.model import CaseRow, CaseStatus
from registry_adapters.snap.pages_case import case_router
from registry_adapters.snap.pages_decision import decision_router
from registry_adapters.snap.pages_desk import Desk, SnapRoute, case_path, desk_of, reader_of
from registry_adapters.snap.pages_form import begin_form, form_router
from registry_adapters.snap.pages_search import Kind, recognise
from registry_adapters.snap.view import QUEUE, STATUS_MARKS, mask

PREFIX: Final = "/snap"
PAGE_SIZE: Final = 25
MAX_OFFSET: Final = 1_000_000
_NUMBERED: Final = re.compile(r"([1-9])(?:[ .)]+(.+))?")


def snap_pages(cases: CaseService) -> ConsolePart:
    """Return the pages under /snap; a clerk sees the cases of the centres the role was granted for."""
    texts.register("registry_adapters")
    router = _queue_router(cases)
    for part in (case_router, form_router, decision_router):
        router.include_router(part(cases))
    navigation = (NavItem(PREFIX, "snap.nav.queue", ROLES),)
    return ConsolePart(PREFIX, router, "registry_adapters.snap", ROLES, navigation, scripted=True)


def _queue_router(cases: CaseService) -> APIRouter:
    router = APIRouter(route_class=SnapRoute)

    @router.get("")
    def queue(request: Request) -> Response:
        desk = desk_of(cases, request)
        asked = form_of_query(request)
        status = next((one for one in CaseStatus if one.value == asked.text("status")), None)
        mine = asked.is_checked("mine")
        offset = _offset(asked.text("offset"))
        rows, total = _find(desk, (status,) if status else QUEUE, mine=mine, offset=offset)
        return page(
            request,
            "snap/queue.html",
            recipes=list(cases.recipes.values()),
            titles_of=_titles(desk, request),
            rows=rows,
            total=total,
            chosen=status,
            ended=[one for one in CaseStatus if one.is_closed],
            counts={one: _find(desk, (one,), mine=mine, limit=1)[1] for one in QUEUE},
            mine=mine,
            offset=offset,
            next_offset=offset + PAGE_SIZE if offset + PAGE_SIZE < total else None,
            marks=STATUS_MARKS,
            mask=mask,
            reader=reader_of(request),
        )

    @router.post("/search")
    def search(request: Request) -> Response:
        desk = desk_of(cases, request)
        typed = form_of(request).text("q")
        numbered = _NUMBERED.fullmatch(typed)
        recipes = list(cases.recipes.values())
        if numbered is not None and int(numbered[1]) <= len(recipes):
            return begin_form(request, desk, recipes[int(numbered[1]) - 1], numbered[2] or "")
        found = recognise(typed)
        if found.kind is Kind.NOTHING:
            return redirect(request, PREFIX)
        rows, total = _find(desk, (), text=found.value)
        if found.kind is Kind.CASE and total == 1:
            return redirect(request, case_path(rows[0].number))
        return page(
            request,
            "snap/found.html",
            titles_of=_titles(desk, request),
            typed=typed,
            found=found,
            rows=rows,
            total=total,
            can_begin=found.is_person or found.kind is Kind.CADASTRAL_NUMBER,
            recipes=recipes,
            marks=STATUS_MARKS,
            mask=mask,
            reader=reader_of(request),
        )

    @router.get("/search")
    @router.get("/recognise")
    def back(request: Request) -> Response:
        return redirect(request, PREFIX)

    @router.post("/recognise")
    def tell(request: Request) -> Response:
        typed = form_of(request).text("q")
        recipes = list(cases.recipes.values())
        numbered = _NUMBERED.fullmatch(typed)
        event = recipes[int(numbered[1]) - 1] if numbered and int(numbered[1]) <= len(recipes) else None
        found = recognise((numbered[2] or "") if numbered and event else typed)
        return page(request, "snap/recognised.html", event=event, found=found, reader=reader_of(request))

    return router


def _find(
    desk: Desk,
    statuses: tuple[CaseStatus, ...],
    *,
    text: str = "",
    mine: bool = False,
    offset: int = 0,
    limit: int = PAGE_SIZE,
) -> tuple[tuple[CaseRow, ...], int]:
    """Return cases of the clerk's centres, and how many there are."""
    clerk = desk.clerk if mine else None
    return desk.cases.find(centres=desk.centres, clerk=clerk, statuses=statuses, text=text, offset=offset, limit=limit)


def _titles(desk: Desk, request: Request) -> dict[str, str]:
    language = reader_of(request).language
    return {recipe.id: recipe.title.of(language) for recipe in desk.cases.recipes.values()}


def _offset(text: str) -> int:
    return min(int(text), MAX_OFFSET) if text.isascii() and text.isdecimal() and len(text) < 9 else 0
