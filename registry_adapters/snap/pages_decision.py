"""What ends a case: lines changed with a reason, a decision that is confirmed once, an extract to take away."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from gateway.runtime.console.forms import Form, form_of_query
from gateway.runtime.console.pages import PageError, form_of, open_page, page, redirect
from registry_adapters.snap.cases import CaseService
from registry_adapters.snap.model import Case, CaseStatus, Outcome, Prefilled
from registry_adapters.snap.pages_case import case_facts, read_note
from registry_adapters.snap.pages_desk import Desk, SnapRoute, case_path, desk_of, reader_of
from registry_adapters.snap.values import text_of

# What a clerk can decide; the last gives the papers back without a decision on the matter.
OUTCOMES: Final = {"grant": Outcome.GRANTED, "refuse": Outcome.REFUSED, "return": None}
MAX_VALUE: Final = 1000


def decision_router(cases: CaseService) -> APIRouter:
    """Return the routes that change and end a case."""
    router = APIRouter(route_class=SnapRoute, prefix="/cases/{number}")

    @router.get("/lines/{name}")
    def show_line(request: Request, number: str, name: str) -> Response:
        case = desk_of(cases, request).case(number)
        line = _line(case, name)
        open_page(request.scope).form = Form({"value": (text_of(line.value),)})
        return _line_page(request, case, line)

    @router.post("/lines/{name}")
    def edit(request: Request, number: str, name: str) -> Response:
        desk = desk_of(cases, request)
        case = desk.case(number)
        line = _line(case, name)
        form = form_of(request)
        value = form.text("value")
        if not value:
            form.refuse("value", "snap.value_missing")
        elif len(value) > MAX_VALUE:
            form.refuse("value", "snap.reason_long", limit=MAX_VALUE)
        reason = read_note(request, "reason")
        if reason is None:
            return _line_page(request, case, line, status=422)
        cases.edit(number, line.name, value, reason, clerk=desk.clerk)
        return redirect(request, case_path(number, f"#line-{line.name}"))

    @router.get("/decide/{what}")
    def show_decision(request: Request, number: str, what: str) -> Response:
        return _decision_page(request, desk_of(cases, request), number, what)

    @router.post("/decide/{what}")
    def decide(request: Request, number: str, what: str) -> Response:
        desk = desk_of(cases, request)
        case = desk.case(number)
        if what not in OUTCOMES:
            raise PageError(404, "snap.case_not_found")
        _check_may_end(desk, case)
        has_reason = bool(form_of(request).text("reason"))
        reason = read_note(request, "reason") if has_reason or what != "grant" else ""
        if reason is None:
            return _decision_page(request, desk, number, what, status=422)
        outcome = OUTCOMES[what]
        if outcome is None:
            cases.cancel(case.number, reason, clerk=desk.clerk)
        else:
            cases.decide(case.number, outcome, reason, clerk=desk.clerk, seen=form_of(request).text("seen") or None)
        return redirect(request, case_path(number), say_id=f"snap.done.{what}", number=number)

    @router.get("/extract")
    def extract(request: Request, number: str) -> Response:
        desk = desk_of(cases, request)
        case = desk.case(number)
        reader = reader_of(request).of(case.recipe)
        receipt = cases.receipt(case.number, centre=desk.centre)
        return page(request, "snap/extract.html", receipt=receipt, clerk=desk.clerk, **case_facts(desk, case, reader))

    return router


def _line_page(request: Request, case: Case, line: Prefilled, *, status: int = 200) -> Response:
    return page(request, "snap/line.html", status=status, case=case, line=line, reader=reader_of(request))


def _decision_page(request: Request, desk: Desk, number: str, what: str, *, status: int = 200) -> Response:
    case = desk.case(number)
    reader = reader_of(request).of(case.recipe)
    if what not in OUTCOMES:
        raise PageError(404, "snap.case_not_found")
    if case.status.is_closed:
        raise PageError(409, "snap.closed_already")
    _check_may_end(desk, case)
    facts = case_facts(desk, case, reader)
    seen = open_page(request.scope).form.text("seen") or form_of_query(request).text("seen") or facts["basis"]
    if seen != facts["basis"] and what != "return":
        raise PageError(409, "snap_case.changed", number=case.number)
    is_complete = what != "grant" or not (facts["unsettled"] or facts["missing"])
    can = what == "return" or (case.status is CaseStatus.READY and is_complete)
    return page(request, "snap/decide.html", status=status, what=what, can=can, **facts)


def _check_may_end(desk: Desk, case: Case) -> None:
    if not desk.may_end(case):
        raise PageError(403, "snap.ended_by_others", clerk=case.clerk)


def _line(case: Case, name: str) -> Prefilled:
    found = next((line for line in case.application if line.name == name), None)
    if found is None:
        raise PageError(404, "snap.case_not_found")
    if case.status.is_closed:
        raise PageError(409, "snap.closed_already")
    return found
