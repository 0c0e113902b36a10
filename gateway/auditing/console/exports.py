"""Exports of searches: asked for with a reason, followed while they are written, fetched, deleted.

A page that renews itself while an export is written is not a deed each time: only what is shown of a
finished export goes into the trail.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from starlette.responses import FileResponse

from gateway.auditing.console.desks import AuditRoute, desk_for, read_reason
from gateway.auditing.console.search import COUNT_AT_MOST, labels_of, search_of
from gateway.auditing.console.search_form import Search, read_search, values_of
from gateway.auditing.deeds import Missing
from gateway.auditing.deps import AuditDeps
from gateway.auditing.export_job import ExportJob
from gateway.auditing.exports import Exports, TooManyExports
from gateway.runtime.console.pages import form_of, formats_of, page, redirect

PATH: Final = "/audit/exports"
REFRESH_S: Final = 3


def exports_router(deps: AuditDeps) -> APIRouter:
    """Return the routes of exports; without exports there are none."""
    router = APIRouter(route_class=AuditRoute, prefix="/exports")
    exports = deps.exports
    if exports is None:
        return router

    @router.get("")
    async def list_all(request: Request) -> Response:
        desk = desk_for(deps, request)
        jobs = exports.of(desk.user, desk.scope)
        is_moving = any(not job.is_over for job in jobs)
        if not is_moving:
            jobs = await desk.exports()
        formats = formats_of(request)
        return page(
            request,
            "audit/exports.html",
            refresh_s=REFRESH_S if is_moving else None,
            jobs=[(job, values_of(job.query, formats)) for job in jobs],
            renews=is_moving,
            kept=formats.duration(exports.settings.keep_s),
        )

    @router.get("/new")
    async def ask(request: Request) -> Response:
        return await _asking(deps, request, search_of(request), status=200)

    @router.post("/new")
    async def create(request: Request) -> Response:
        desk, form = desk_for(deps, request), form_of(request)
        asked = read_search(form, formats_of(request))
        grounds = read_reason(form, "grounds")
        if asked.query is None or grounds is None:
            return await _asking(deps, request, asked, status=422)
        try:
            job = await desk.export(asked.query, reason=grounds)
        except TooManyExports as refusal:
            form.refuse("grounds", "audit.exports.error.too_many", limit=refusal.limit)
            return await _asking(deps, request, asked, status=409)
        return redirect(request, f"{PATH}/{job.id}", say_id="audit.exports.new.started")

    @router.get("/{export_id}")
    async def show(request: Request, export_id: str) -> Response:
        job = await _job(deps, exports, request, export_id)
        return page(
            request,
            "audit/export.html",
            refresh_s=None if job.is_over else REFRESH_S,
            job=job,
            values=values_of(job.query, formats_of(request)),
        )

    @router.get("/{export_id}/file")
    async def fetch(request: Request, export_id: str) -> Response:
        job, path = await desk_for(deps, request).export_file(export_id)
        return FileResponse(path, filename=f"surma-export-{job.id}.zip", media_type="application/zip")

    @router.get("/{export_id}/delete")
    async def confirm(request: Request, export_id: str) -> Response:
        return page(request, "audit/export_delete.html", job=await _job(deps, exports, request, export_id))

    @router.post("/{export_id}/delete")
    async def delete(request: Request, export_id: str) -> Response:
        job = await _job(deps, exports, request, export_id)
        await desk_for(deps, request).delete_export(export_id)
        time = formats_of(request).time(job.created_at)
        return redirect(request, PATH, say_id="audit.exports.deleted", time=time)

    return router


async def _asking(deps: AuditDeps, request: Request, asked: Search, *, status: int) -> Response:
    desk = desk_for(deps, request)
    total: Any = None
    if asked.query is not None:
        total = await desk.count(asked.query, at_most=COUNT_AT_MOST)
    return page(
        request,
        "audit/export_new.html",
        status=status,
        search=asked,
        total=total,
        labels=labels_of(request),
    )


async def _job(deps: AuditDeps, exports: Exports, request: Request, export_id: str) -> ExportJob:
    desk = desk_for(deps, request)
    job = exports.find(export_id, desk.user, desk.scope)
    if job is None:
        raise Missing
    return await desk.export_job(export_id) if job.is_over else job
