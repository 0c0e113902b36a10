"""One exchange: what was asked, the messages, whether they are genuine, when what happened, what to take away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response

from gateway.auditing.console.desks import AuditRoute, desk_for, read_reason
from gateway.auditing.console.messages import OPEN_BELOW, MessageView, view_of
from gateway.auditing.console.names import names_of
from gateway.auditing.console.places import places_of
from gateway.auditing.console.reveals import Reveals
from gateway.auditing.console.steps import duration_of, steps_of
from gateway.auditing.deeds import Deed, Missing
from gateway.auditing.deps import AuditDeps
from gateway.auditing.desk import Desk
from gateway.auditing.dossier import Signed
from gateway.auditing.report import Report, report_html, report_of
from gateway.auditing.shapes import inclusion_shape
from gateway.messagelog.reasons import facts_of
from gateway.runtime.clock import from_epoch_ms
from gateway.runtime.console.formats import Formats
from gateway.runtime.console.pages import download, form_of, open_page, page, redirect, say, visitor_of
from gateway.xroad.asic.verdict import Check, Outcome
from gateway.xroad.pki.certificates import subject_of

CONTAINER_TYPE: Final = "application/vnd.etsi.asic-e+zip"
MARKS: Final = {"passed": "good", "failed": "bad", "not_applicable": "", "not_reached": "open"}
_MAX_NUMBER: Final = 2**63 - 1
_TIMES: Final = frozenset({"time", "signing_time", "produced_at"})  # facts of checks, in ISO 8601

Number = Annotated[int, Path(ge=1, le=_MAX_NUMBER)]


def exchange_router(deps: AuditDeps, reveals: Reveals) -> APIRouter:
    """Return the routes of one exchange."""
    router = APIRouter(route_class=AuditRoute, prefix="/exchanges/{exchange_id}")

    def reason_of(request: Request, exchange_id: int) -> str | None:
        return reveals.find(visitor_of(request).secret, exchange_id)

    @router.get("")
    async def show(request: Request, exchange_id: Number) -> Response:
        return await _show(deps, request, exchange_id, reason_of(request, exchange_id), status=200)

    @router.post("/reveal")
    async def reveal(request: Request, exchange_id: Number) -> Response:
        desk = desk_for(deps, request)
        reason = read_reason(form_of(request), "reason")
        if reason is None:
            return await _show(deps, request, exchange_id, None, status=422)
        await desk.open(exchange_id, reason=reason, deed=Deed.REVEAL)
        reveals.give(visitor_of(request).secret, exchange_id, reason)
        return redirect(request, _path(exchange_id))

    @router.post("/hide")
    async def hide(request: Request, exchange_id: Number) -> Response:
        reveals.take_back(visitor_of(request).secret, exchange_id)
        return redirect(request, _path(exchange_id))

    @router.get("/{sequence}/container")
    async def container(request: Request, exchange_id: Number, sequence: Number) -> Response:
        reason = reason_of(request, exchange_id)
        if reason is None:
            return _ask_first(request, exchange_id)
        desk = await _desk_of_message(deps, request, exchange_id, sequence)
        document = await desk.container(sequence, reason=reason)
        return download(document.container, document.name, CONTAINER_TYPE)

    @router.get("/{sequence}/attachments/{number}")
    async def attachment(request: Request, exchange_id: Number, sequence: Number, number: Number) -> Response:
        reason = reason_of(request, exchange_id)
        if reason is None:
            return _ask_first(request, exchange_id)
        desk = await _desk_of_message(deps, request, exchange_id, sequence)
        content = await desk.attachment(sequence, number, reason=reason)
        return download(content, f"{sequence}-attachment{number}.bin")

    @router.get("/{sequence}/proof")
    async def proof(request: Request, exchange_id: Number, sequence: Number) -> Response:
        desk = await _desk_of_message(deps, request, exchange_id, sequence)
        inclusion, note = await desk.prove(sequence)
        shown = json.dumps(inclusion_shape(inclusion, note), ensure_ascii=False, indent=1)
        return download(shown.encode(), f"proof-{sequence}.json", "application/json")

    @router.get("/report")
    async def report(request: Request, exchange_id: Number) -> Response:
        facts = await report_of(desk_for(deps, request), exchange_id)
        return page(request, "audit/report.html", **await _facts(deps, request, facts))

    @router.get("/report.html")
    async def report_file(request: Request, exchange_id: Number) -> Response:
        facts = await report_of(desk_for(deps, request), exchange_id)
        html = report_html(facts, open_page(request.scope).language)
        return download(html.encode(), f"report-{exchange_id}.html", "text/html; charset=utf-8")

    return router


async def _show(deps: AuditDeps, request: Request, exchange_id: int, reason: str | None, *, status: int) -> Response:
    desk = desk_for(deps, request)
    report = await report_of(desk, exchange_id, deed=Deed.VIEW, reason=reason)
    dossier = report.dossier
    hidden = say(request, "audit.message.masked")

    def views() -> dict[str, MessageView | None]:
        def view(signed: Signed | None) -> MessageView | None:
            if signed is None:
                return None
            return view_of(signed, desk, is_masked=reason is None, hidden=hidden)

        return {"request": view(dossier.request), "response": view(dossier.response)}

    return page(
        request,
        "audit/exchange.html",
        status=status,
        views=await asyncio.to_thread(views),
        proven=[place.number for place in places_of(report) if place.inclusion is not None],
        open_below=OPEN_BELOW,
        **await _facts(deps, request, report),
    )


async def _facts(deps: AuditDeps, request: Request, report: Report) -> dict[str, Any]:
    """Return what the page of an exchange and its report share."""
    refusal = report.dossier.refusal
    content = None if refusal is None else refusal.refusal.content
    return {
        "report": report,
        "dossier": report.dossier,
        "exchange": report.dossier.exchange,
        "step_list": steps_of(report),
        "duration": duration_of(report),
        "measured": {} if content is None else facts_of(content, open_page(request.scope).language),
        "from_ms": from_epoch_ms,
        "names": await asyncio.to_thread(names_of, deps.source),
        "marks": MARKS,
        "measured_by": _measured_by,
        "subject_of": subject_of,
        "places": places_of(report),
        "has_ledger": deps.ledger is not None,
    }


async def _desk_of_message(deps: AuditDeps, request: Request, exchange_id: int, sequence: int) -> Desk:
    """Return the desk, once it is sure that a message belongs to the exchange a reason was given for."""
    desk = desk_for(deps, request)
    exchange = await asyncio.to_thread(deps.source.find_exchange, exchange_id, desk.scope)
    if exchange is None or sequence not in (exchange.request, exchange.response, exchange.refusal):
        raise Missing
    return desk


def _ask_first(request: Request, exchange_id: int) -> Response:
    return redirect(request, f"{_path(exchange_id)}#personal", say_id="audit.reveal.before_download")


def _path(exchange_id: int) -> str:
    return f"/audit/exchanges/{exchange_id}"


def _measured_by(check: Check, text: Callable[..., str], formats: Formats) -> str:
    """Return what a check that passed has measured; of one that failed the fault tells."""
    if check.outcome is not Outcome.PASSED:
        return ""

    def shown(name: str, value: object) -> str:
        if name == "direction":
            return text(f"asic.verify.direction.{value}")
        return formats.time(datetime.fromisoformat(str(value))) if name in _TIMES else str(value)

    return ", ".join(shown(name, value) for name, value in check.facts.items())
