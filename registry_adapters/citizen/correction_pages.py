"""Asking a holder to correct what a registry holds, and seeing how far that is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from fastapi import APIRouter, Request, Response

from gateway.runtime.console.app import ConsolePart
from gateway.runtime.console.forms import Form, form_of_query
from gateway.runtime.console.pages import NavItem, PageError, form_of, page, redirect
from registry_adapters.citizen.corrections import TooManyError
from registry_adapters.citizen.deps import CitizenDeps, language_of, subject_of
from registry_adapters.citizen.model import CITIZEN, Citizen, Wish
from registry_adapters.citizen.sign_in_pages import PACKAGE

PREFIX: Final = "/corrections"
LIMITS: Final = {"field": 200, "wrong": 2000, "right": 2000, "reason": 4000}


def correction_pages(deps: CitizenDeps) -> ConsolePart:
    """Return the pages below /corrections."""
    router = APIRouter()

    @router.get("")
    def list_all(request: Request) -> Response:
        found = deps.corrections.of_asker(deps.citizen_of(request).oneself.code)
        listed = [(one, deps.corrections.countdown(one)) for one in found]
        return page(request, "citizen/corrections.html", listed=listed, title_of=_title_of(request, deps))

    @router.get("/new")
    def new(request: Request) -> Response:
        return _form_page(request, deps, deps.citizen_of(request), form_of_query(request))

    @router.post("/new")
    def ask(request: Request) -> Response:
        citizen, form = deps.citizen_of(request), form_of(request)
        subject, registry = subject_of(citizen, form), deps.settings.registry(form.text("registry"))
        if registry is None:
            form.refuse("registry", "citizen.choose_registry")
        for name, limit in LIMITS.items():
            if not form.text(name):
                form.refuse(name, "citizen.say_something")
            elif len(form.text(name)) > limit:
                form.refuse(name, "citizen.too_long", limit=limit)
        if registry is None or not form.is_good:
            return _form_page(request, deps, citizen, form, status=400)
        wish = Wish(registry.name, *(form.text(name) for name in LIMITS))
        try:
            taken = deps.corrections.open(citizen, subject, registry, wish)
        except TooManyError:
            form.refuse("reason", "citizen.too_many_waiting", limit=deps.settings.corrections.open_at_once)
            return _form_page(request, deps, citizen, form, status=429)
        return redirect(request, f"{PREFIX}/{taken.id}", say_id="citizen.correction_taken", number=taken.number)

    @router.get("/{number}")
    def show(request: Request, number: int) -> Response:
        found = deps.corrections.find_of_asker(deps.citizen_of(request).oneself.code, number)
        if found is None:
            raise PageError(404, "console.not_found")
        return page(
            request,
            "citizen/correction.html",
            correction=found,
            left=deps.corrections.countdown(found),
            steps=deps.corrections.history(found),
            title_of=_title_of(request, deps),
            working_days=deps.settings.corrections.working_days,
        )

    return ConsolePart(
        PREFIX, router, PACKAGE, roles=(CITIZEN,), navigation=(NavItem(PREFIX, "citizen.nav_corrections", (CITIZEN,)),)
    )


def _title_of(request: Request, deps: CitizenDeps) -> Callable[[str], str]:
    return partial(deps.settings.title, language=language_of(request))


def _form_page(request: Request, deps: CitizenDeps, citizen: Citizen, form: Form, *, status: int = 200) -> Response:
    language = language_of(request)
    return page(
        request,
        "citizen/correction_new.html",
        status=status,
        form=form,
        citizen=citizen,
        registries=[("", "–"), *((one.name, one.title(language)) for one in deps.settings.registries)],
        working_days=deps.settings.corrections.working_days,
    )
