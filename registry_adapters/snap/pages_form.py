"""The form of a life event: few fields, filled from what is known already, checked before anybody is asked.

A number with a wrong check digit is shown back once, with a box to say that the document has it so.
What was typed for one case goes on into the next one for the same citizen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, Request, Response

from gateway.runtime.console.forms import Form, form_of_query
from gateway.runtime.console.pages import form_of, open_page, page, redirect
from registry_adapters.snap.cases import CaseService
from registry_adapters.snap.errors import FieldsError
from registry_adapters.snap.fields import read_fields, warnings_of
from registry_adapters.snap.model import Case, FieldKind, Recipe
from registry_adapters.snap.pages_desk import Desk, SnapRoute, case_path, desk_of, is_centre, reader_of
from registry_adapters.snap.pages_search import Kind, recognise
from registry_adapters.snap.view import carried

SURE: Final = "sure_"  # the box beside a field with a wrong check digit


def form_router(cases: CaseService) -> APIRouter:
    """Return the routes on which cases are opened and corrected."""
    router = APIRouter(route_class=SnapRoute)

    @router.get("/new/{recipe_id}")
    def begin(request: Request, recipe_id: str) -> Response:
        desk = desk_of(cases, request)
        earlier = form_of_query(request).text("from")
        known = _known_of(desk.case(earlier)) if earlier else []
        return _blank(request, desk, desk.recipe(recipe_id), known)

    @router.post("/begin")
    def begin_with(request: Request) -> Response:
        desk = desk_of(cases, request)
        form = form_of(request)
        return begin_form(request, desk, desk.recipe(form.text("recipe")), form.text("value"))

    @router.post("/new/{recipe_id}")
    def open_case(request: Request, recipe_id: str) -> Response:
        desk = desk_of(cases, request)
        recipe = desk.recipe(recipe_id)
        form = form_of(request)
        centre = desk.centre or form.text("centre")
        if not is_centre(centre) or (desk.centres and centre not in desk.centres):
            form.refuse("centre", "snap.centre_unknown")
        fields = _read(form, recipe)
        if fields is None or not form.is_good:
            return _form_page(request, desk, recipe, None, status=422)
        case = cases.open_case(recipe.id, fields, clerk=desk.clerk, centre=centre, start=False)
        return redirect(request, case_path(case.number))

    @router.get("/cases/{number}/correct")
    def show_correct(request: Request, number: str) -> Response:
        desk = desk_of(cases, request)
        case = desk.case(number)
        _fill(request, case.fields)
        return _form_page(request, desk, case.recipe, case)

    @router.post("/cases/{number}/correct")
    def correct(request: Request, number: str) -> Response:
        desk = desk_of(cases, request)
        case = desk.case(number)
        fields = _read(form_of(request), case.recipe)
        if fields is None:
            return _form_page(request, desk, case.recipe, case, status=422)
        cases.correct_fields(case.number, fields, clerk=desk.clerk)
        return redirect(request, case_path(case.number))

    return router


def begin_form(request: Request, desk: Desk, recipe: Recipe, value: str) -> Response:
    """Show the form of a life event with what was typed into the search box in its place."""
    return _blank(request, desk, recipe, _known(value))


def _blank(request: Request, desk: Desk, recipe: Recipe, known: list[tuple[str, str]]) -> Response:
    _fill(request, carried(recipe, known))
    return _form_page(request, desk, recipe, None)


def _fill(request: Request, fields: Mapping[str, str]) -> None:
    open_page(request.scope).form = Form({name: (value,) for name, value in fields.items()})


def _form_page(request: Request, desk: Desk, recipe: Recipe, case: Case | None, *, status: int = 200) -> Response:
    reader = reader_of(request)
    filled = open_page(request.scope).form
    empty = (field.name for field in recipe.fields if field.name in filled.errors or not filled.text(field.name))
    return page(
        request,
        "snap/form.html",
        status=status,
        recipe=recipe,
        case=case,
        options={
            field.name: [("", "–"), *((choice.value, choice.title.of(reader.language)) for choice in field.choices)]
            for field in recipe.fields
        },
        centres=desk.centres,
        centre_options=[(centre, centre) for centre in desk.centres],
        asks_centre=case is None and desk.centre is None,
        first=next(empty, ""),
        sure=SURE,
        doubted=[name for name, error in filled.errors.items() if error.text_id == "snap_case.check_digit"],
        labels={field.name: field.title.of(reader.language) for field in recipe.fields},
        reader=reader,
    )


def _read(form: Form, recipe: Recipe) -> dict[str, str] | None:
    """Return the fields of a case; None when the form says what is wrong with them."""
    typed = {field.name: _tidy(field.kind, form.text(field.name)) for field in recipe.fields}
    try:
        fields = read_fields(recipe, typed)
    except FieldsError as refusal:
        for name, text_id in refusal.fields.items():
            form.refuse(name, text_id)
        return None
    for name, text_id in warnings_of(recipe, fields).items():
        if form.text(SURE + name) != fields[name]:
            form.values[name] = (fields[name],)
            form.refuse(name, text_id)
    return fields if form.is_good else None


def _tidy(kind: FieldKind, text: str) -> str:
    """Return what is recognised in a field for it, in the form registries store; else what was typed."""
    found = recognise(text)
    is_meant = found.is_person if kind is FieldKind.PERSON else found.kind.value == kind.value
    return found.value if is_meant else text


def _known(value: str) -> list[tuple[str, str]]:
    """Return a typed value as what it may fill."""
    found = recognise(value)
    if found.is_person:
        return [(FieldKind.PERSON, found.value)]
    return [(FieldKind.CADASTRAL_NUMBER, found.value)] if found.kind is Kind.CADASTRAL_NUMBER else []


def _known_of(case: Case) -> list[tuple[str, str]]:
    """Return the fields of an earlier case as what they may fill in the next."""
    return [(field.kind, case.fields[field.name]) for field in case.recipe.fields if field.name in case.fields]
