"""Completeness: take a checkpoint away, and compare the log with one that was kept outside."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import APIRouter, Request, Response

from gateway.auditing.console.checks import Busy, LogChecks
from gateway.auditing.console.desks import AuditRoute, desk_for
from gateway.auditing.deeds import Missing
from gateway.auditing.deps import AuditDeps
from gateway.runtime.console.pages import download, form_of, page, redirect
from gateway.xroad.checkpoint import CONTENT_TYPE
from gateway.xroad.faults import XRoadFault

PATH: Final = "/audit/completeness"
REFRESH_S: Final = 2


def completeness_router(deps: AuditDeps, checks: LogChecks) -> APIRouter:
    """Return the routes of completeness; without a ledger there are none."""
    router = APIRouter(route_class=AuditRoute)
    ledger = deps.ledger
    if ledger is None:
        return router

    @router.get("/checkpoint")
    async def checkpoint(request: Request) -> Response:
        note = await desk_for(deps, request).checkpoint()
        name = f"checkpoint-{deps.server.replace('/', '-')}-{ledger.size_of(note)}.txt"
        return download(note, name, CONTENT_TYPE)

    @router.get("/completeness")
    async def ask(request: Request) -> Response:
        return await _asking(deps, checks, request, status=200)

    @router.post("/completeness")
    async def start(request: Request) -> Response:
        desk, form = desk_for(deps, request), form_of(request)
        upload = form.file("note")
        if upload is None or not upload.content:
            form.refuse("note", "audit.completeness.error.no_file")
            return await _asking(deps, checks, request, status=422)
        try:
            size = await asyncio.to_thread(ledger.size_of, upload.content)
            check = checks.start(desk, upload.content, upload.name[:200], size)
        except XRoadFault as fault:
            form.refuse("note", fault.text_id, **fault.facts)
            return await _asking(deps, checks, request, status=422)
        except Busy:
            form.refuse("note", "audit.completeness.error.busy")
            return await _asking(deps, checks, request, status=409)
        return redirect(request, f"{PATH}/{check.id}")

    @router.get("/completeness/{check_id}")
    async def show(request: Request, check_id: str) -> Response:
        check = checks.find(check_id, desk_for(deps, request).user)
        if check is None:
            raise Missing
        return page(
            request,
            "audit/completeness_run.html",
            refresh_s=REFRESH_S if check.finished_at is None else None,
            check=check,
        )

    return router


async def _asking(deps: AuditDeps, checks: LogChecks, request: Request, *, status: int) -> Response:
    desk = desk_for(deps, request)
    return page(
        request,
        "audit/completeness.html",
        status=status,
        source=await desk.status(),
        checks=checks.of(desk.user),
    )
