"""The first page: what is here, from when to when, and what needs attention."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from gateway.auditing.console.attention import KINDS, notices_of
from gateway.auditing.console.desks import AuditRoute, desk_for
from gateway.auditing.console.names import names_of
from gateway.auditing.deps import AuditDeps
from gateway.auditing.model import Query, Scope
from gateway.auditing.ports import EvidenceSource
from gateway.runtime.console.pages import formats_of, page


def status_router(deps: AuditDeps, unreadable: int) -> APIRouter:
    """Return the route of the first page; `unreadable` is how many archives cannot be searched."""
    router = APIRouter(route_class=AuditRoute)

    @router.get("")
    async def status(request: Request) -> Response:
        desk = desk_for(deps, request)
        found = await desk.status()
        oldest, newest = await asyncio.to_thread(_ends, deps.source, desk.scope)
        names = await asyncio.to_thread(names_of, deps.source)
        return page(
            request,
            "audit/status.html",
            source=found,
            notices=notices_of(found, formats_of(request), deps.clock.now(), unreadable=unreadable),
            kinds=KINDS,
            oldest=oldest,
            newest=newest,
            scope=desk.scope,
            names=names,
            has_ledger=deps.ledger is not None,
        )

    return router


def _ends(source: EvidenceSource, scope: Scope) -> tuple[datetime | None, datetime | None]:
    """Return the times of the oldest and of the newest exchange within a scope."""
    newest = source.search(Query(), scope, limit=1).exchanges
    if not newest:
        return None, None
    exchanges: Any = iter(source.walk(Query(), scope))
    if not hasattr(exchanges, "close"):
        return next(exchanges).time, newest[0].time
    with closing(exchanges):
        return next(exchanges).time, newest[0].time
