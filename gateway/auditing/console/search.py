"""Searching: a form whose address can be kept, and what it found, newest first, page by page."""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from gateway.auditing.console.desks import AuditRoute, desk_for
from gateway.auditing.console.names import names_of
from gateway.auditing.console.search_form import FIELDS, Search, read_cursor, read_search
from gateway.auditing.deps import AuditDeps
from gateway.auditing.model import Outcome
from gateway.messagelog.model import Side
from gateway.runtime.console.forms import form_of_query
from gateway.runtime.console.pages import formats_of, open_page, page, redirect, say

PATH: Final = "/audit/search"
PAGE_SIZE: Final = 50
COUNT_AT_MOST: Final = 10_000


def search_router(deps: AuditDeps) -> APIRouter:
    """Return the routes of searching."""
    router = APIRouter(route_class=AuditRoute)

    @router.get("/search")
    async def search(request: Request) -> Response:
        desk = desk_for(deps, request)
        asked = search_of(request)
        if asked.query is not None and any(not text for text in request.query_params.values()):
            return redirect(request, _address(asked, {}))  # an address to keep names only what was asked for
        found = total = None
        cursor = read_cursor(asked.form)
        if asked.query is not None and request.query_params:
            found = await desk.search(asked.query, before=cursor.before, limit=PAGE_SIZE)
            total = await desk.count(asked.query, at_most=COUNT_AT_MOST)
        newer = cursor.newer()
        return page(
            request,
            "audit/search.html",
            search=asked,
            found=found,
            total=total,
            newer=None if newer is None else _address(asked, newer),
            older=None
            if found is None or found.next_before is None
            else _address(asked, cursor.older(found.next_before)),
            names=await asyncio.to_thread(names_of, deps.source),
            labels=labels_of(request),
            any_outcome=[("", say(request, "audit.search.any"))],
            outcomes=[(one.value, say(request, f"audit.outcome.{one.value}")) for one in Outcome],
            any_side=[("", say(request, "audit.search.either"))],
            sides=[(one.value, say(request, f"audit.side.{one.value}")) for one in Side],
            scope=desk.scope,
            behind=0 if found is None or found.exchanges else await asyncio.to_thread(_behind, deps),
            can_export=deps.exports is not None,
        )

    return router


def search_of(request: Request) -> Search:
    """Return the search in the address of a page, whose errors the page shows."""
    state = open_page(request.scope)
    state.form = form_of_query(request)
    return read_search(state.form, formats_of(request))


def labels_of(request: Request) -> dict[str, str]:
    """Return the labels of the fields of a search."""
    return {name: say(request, f"audit.field.{name}") for name in FIELDS}


def _behind(deps: AuditDeps) -> int:
    status = deps.source.status()
    return max(0, status.last_sequence - status.indexed_through)


def _address(asked: Search, place: dict[str, str]) -> str:
    return f"{PATH}?{urlencode({**asked.values, **place} or {'search': '1'})}"
