"""The holder's side of corrections: a queue by deadline, and one answer to each request.

A user with the role HOLDER sees what is addressed to the member or subsystem that the role was granted for.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from gateway.runtime.audit.model import Deed, TrailUnavailable
from gateway.runtime.audit.trail import Trail
from gateway.runtime.console.app import ConsolePart
from gateway.runtime.console.pages import NavItem, PageError, form_of, page, redirect, visitor_of
from registry_adapters.citizen.corrections import PAGE, AnsweredError, Corrections
from registry_adapters.citizen.deps import language_of
from registry_adapters.citizen.model import HOLDER, Correction, State
from registry_adapters.citizen.settings import CitizenSettings
from registry_adapters.citizen.sign_in_pages import PACKAGE

PREFIX: Final = "/queue"
ANSWER: Final = "Answer request for correction"
MAX_ANSWER: Final = 4000
MAX_OFFSET: Final = 1_000_000


def holder_pages(corrections: Corrections, settings: CitizenSettings, trail: Trail) -> ConsolePart:
    """Return the pages below /queue."""
    router = APIRouter()

    def title_of(request: Request, name: str) -> str:
        return settings.title(name, language_of(request))

    @router.get("")
    def queue(request: Request) -> Response:
        return listed(request, waiting=True)

    @router.get("/answered")
    def answered(request: Request) -> Response:
        return listed(request, waiting=False)

    def listed(request: Request, *, waiting: bool) -> Response:
        asked = request.query_params.get("offset", "0")
        offset = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 8 else 0
        found = corrections.queue(_scopes(request), waiting=waiting, offset=offset)
        rows = [(one, corrections.countdown(one), title_of(request, one.wish.registry)) for one in found[:PAGE]]
        here = PREFIX if waiting else f"{PREFIX}/answered"
        return page(
            request,
            "citizen/queue.html",
            rows=rows,
            waiting=waiting,
            first_url=here if offset else "",
            next_url=f"{here}?offset={offset + PAGE}" if len(found) > PAGE else "",
        )

    @router.get("/{number}")
    def show(request: Request, number: int) -> Response:
        return one_page(request, find(request, number))

    @router.post("/{number}")
    def answer(request: Request, number: int) -> Response:
        correction, form = find(request, number), form_of(request)
        chosen = {"accepted": State.ACCEPTED, "refused": State.REFUSED}.get(form.text("state"))
        text = form.text("text")
        if chosen is None:
            form.refuse("state", "citizen.choose_answer")
        if chosen is State.REFUSED and not text:
            form.refuse("text", "citizen.refusal_needs_reason")
        if len(text) > MAX_ANSWER:
            form.refuse("text", "citizen.too_long", limit=MAX_ANSWER)
        if chosen is None or not form.is_good:
            return one_page(request, correction, status=400)
        by = visitor_of(request).principal.name
        try:
            trail.write(
                Deed(ANSWER, by, auth="Session", url=PREFIX, data={"number": correction.number, "answer": chosen.value})
            )
        except TrailUnavailable as cause:
            raise PageError(500, "accounts.trail_unavailable") from cause
        try:
            corrections.answer(correction, chosen, by, text)
        except AnsweredError:
            return redirect(request, f"{PREFIX}/{number}", say_id="citizen.answered_already")
        return redirect(request, PREFIX, say_id="citizen.answer_given", number=correction.number)

    def find(request: Request, number: int) -> Correction:
        found = corrections.find_in(_scopes(request), number)
        if found is None:
            raise PageError(404, "console.not_found")
        return found

    def one_page(request: Request, correction: Correction, *, status: int = 200) -> Response:
        return page(
            request,
            "citizen/queue_one.html",
            status=status,
            correction=correction,
            registry=title_of(request, correction.wish.registry),
            left=corrections.countdown(correction),
            steps=corrections.history(correction),
        )

    return ConsolePart(
        PREFIX, router, PACKAGE, roles=(HOLDER,), navigation=(NavItem(PREFIX, "citizen.nav_queue", (HOLDER,)),)
    )


def _scopes(request: Request) -> frozenset[str]:
    return visitor_of(request).principal.scopes_of(HOLDER)
