"""One case on one screen that fills itself, and what a clerk does about a registry that brings nothing.

The parts of the screen are made by the same template for the whole page and for `live`, which the script
asks for; without it a link leads to the same page again.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from gateway.runtime.console.pages import PageError, form_of, page, redirect
from registry_adapters.snap.cases import CaseService
from registry_adapters.snap.model import Case, CaseStatus, Leg
from registry_adapters.snap.pages_desk import Desk, SnapRoute, case_path, desk_of, reader_of
from registry_adapters.snap.plan import basis
from registry_adapters.snap.view import (
    STATUS_MARKS,
    Reader,
    answered,
    fingerprint,
    given_of,
    legs_of,
    missing_of,
    person_of,
    poll_ms,
    questions_of,
    sides_of,
    unsettled,
)

MAX_NOTE: Final = 500


def case_router(cases: CaseService) -> APIRouter:
    """Return the routes of one case."""
    router = APIRouter(route_class=SnapRoute, prefix="/cases/{number}")

    @router.get("")
    def show(request: Request, number: str) -> Response:
        return _show(request, desk_of(cases, request), number)

    @router.get("/live")
    def live(request: Request, number: str) -> Response:
        desk = desk_of(cases, request)
        case = desk.case(number)
        return page(request, "snap/live.html", **case_facts(desk, case, reader_of(request).of(case.recipe)))

    @router.post("/start")
    def start(request: Request, number: str) -> Response:
        desk = desk_of(cases, request)
        cases.start(desk.case(number).number, clerk=desk.clerk)
        return redirect(request, case_path(number))

    @router.post("/legs/{leg_id}/retry")
    def retry(request: Request, number: str, leg_id: str) -> Response:
        desk = desk_of(cases, request)
        leg = _leg(desk.case(number), leg_id)
        cases.retry_leg(number, leg.id, clerk=desk.clerk)
        return redirect(request, case_path(number, f"#leg-{leg.id}"))

    @router.get("/legs/{leg_id}/paper")
    def show_paper(request: Request, number: str, leg_id: str) -> Response:
        return _paper(request, desk_of(cases, request), number, leg_id)

    @router.post("/legs/{leg_id}/paper")
    def take_paper(request: Request, number: str, leg_id: str) -> Response:
        desk = desk_of(cases, request)
        leg = _leg(desk.case(number), leg_id)
        note = read_note(request, "note")
        if note is None:
            return _paper(request, desk, number, leg_id, status=422)
        cases.take_paper(number, leg.id, note, clerk=desk.clerk)
        return redirect(request, case_path(number, f"#leg-{leg.id}"))

    @router.post("/contradictions/{name}")
    def settle(request: Request, number: str, name: str) -> Response:
        desk = desk_of(cases, request)
        case = desk.case(number)
        if name not in {one.name for one in case.contradictions}:
            return redirect(request, case_path(number))  # the registries agree by now
        field = f"settle-{name}"
        reason = read_note(request, field)
        if reason is None:
            return _show(request, desk, number, status=422)
        cases.settle(number, name, reason, clerk=desk.clerk)
        return redirect(request, case_path(number, "#contradictions"))

    return router


def case_facts(desk: Desk, case: Case, reader: Reader) -> dict[str, Any]:
    """Return what the parts of a case's page show."""
    return {
        "case": case,
        "may_end": desk.may_end(case),
        "basis": basis(case.application, case.contradictions),
        "legs": legs_of(case, reader),
        "sides": {one.name: sides_of(one, case, reader) for one in case.contradictions},
        "poll_ms": poll_ms(case),
        "answered": answered(case),
        "unsettled": unsettled(case),
        "missing": missing_of(case, reader),
        "person": person_of(case),
        "marks": STATUS_MARKS,
        "fingerprint": fingerprint,
        "reader": reader,
    }


def read_note(request: Request, name: str) -> str | None:
    """Return a reason that was typed; without a usable one the form says so."""
    form = form_of(request)
    note = " ".join(form.text(name).split())
    if not note:
        form.refuse(name, "snap.reason_missing")
    elif len(note) > MAX_NOTE:
        form.refuse(name, "snap.reason_long", limit=MAX_NOTE)
    return note if form.is_good else None


def _show(request: Request, desk: Desk, number: str, *, status: int = 200) -> Response:
    case = desk.case(number)
    reader = reader_of(request).of(case.recipe)
    if case.status is CaseStatus.OPEN:
        return page(
            request,
            "snap/ask.html",
            given=given_of(case, reader),
            questions=questions_of(case.recipe, case.fields, reader),
            **case_facts(desk, case, reader),
        )
    return page(
        request,
        "snap/case.html",
        status=status,
        recipes=list(desk.cases.recipes.values()),
        settle_labels={f"settle-{one.name}": one.title.of(reader.language) for one in case.contradictions},
        **case_facts(desk, case, reader),
    )


def _paper(request: Request, desk: Desk, number: str, leg_id: str, *, status: int = 200) -> Response:
    case = desk.case(number)
    reader = reader_of(request).of(case.recipe)
    leg = _leg(case, leg_id)
    registry = reader.registry(leg.service)
    return page(request, "snap/paper.html", status=status, case=case, leg=leg, registry=registry, reader=reader)


def _leg(case: Case, leg_id: str) -> Leg:
    try:
        return case.recipe.leg(leg_id)
    except KeyError:
        raise PageError(404, "snap.case_not_found") from None
