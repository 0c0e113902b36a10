"""What was asked about me: a list from all registries with filters and pages, and the same as a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from gateway.runtime import texts
from gateway.runtime.console.app import ConsolePart
from gateway.runtime.console.forms import Form, form_of_query
from gateway.runtime.console.pages import NavItem, PageError, download, formats_of, here_of, page
from registry_adapters.citizen.deps import CitizenDeps, language_of, subject_of
from registry_adapters.citizen.downloads import as_csv, as_json
from registry_adapters.citizen.gathering import Look, Told, Wanted, marks_of, page_of, total_of
from registry_adapters.citizen.model import CITIZEN, Citizen
from registry_adapters.citizen.settings import AskedRegistry, CitizenSettings
from registry_adapters.citizen.sign_in_pages import PACKAGE
from registry_adapters.sdk.usage import Usage

PREFIX: Final = "/mine"
_DAY: Final = timedelta(days=1)
_TICK: Final = timedelta(microseconds=1)
MARK: Final = "mark"  # name~id of the newest look that the first page had
MAX_OFFSET: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, read from an address."""

    wanted: Wanted
    registries: tuple[AskedRegistry, ...]
    offset: int = 0


@dataclass(frozen=True, slots=True)
class ShownLook:
    """One look in the reader's words."""

    at: datetime
    registry: str
    organisation: str
    system: str
    why: str
    what: str | None
    ground: str | None
    case_number: str | None
    message_id: str | None


def usage_pages(deps: CitizenDeps) -> ConsolePart:
    """Return the pages below /mine."""
    router = APIRouter()

    @router.get("")
    def show(request: Request) -> Response:
        citizen, form = deps.citizen_of(request), form_of_query(request)
        asked = _read(request, form, citizen, deps.settings)
        if asked is None:
            return _page(request, deps, citizen, form, status=400)
        size = deps.settings.page_size
        told = deps.gathering.gather(citizen.oneself.code, asked.wanted, asked.registries, asked.offset + size)
        looks, total = page_of(told, asked.offset, size), total_of(told)
        if asked.offset == 0:
            marks = [f"{name}~{mark}" for name, mark in marks_of(told).items()]
        else:
            marks = list(form.all(MARK))
        further = asked.offset + size < total
        return _page(
            request,
            deps,
            citizen,
            form,
            told=told,
            looks=shown_looks(looks, language_of(request), deps.settings),
            total=total,
            first=asked.offset + 1,
            first_url=_address(request, asked, 0, ()) if asked.offset else "",
            next_url=_address(request, asked, asked.offset + size, marks) if further else "",
            left_out=[one for one in _chosen(form, deps.settings) if one not in asked.registries],
            subject=asked.wanted.subject,
        )

    @router.get("/looks.csv")
    def csv_file(request: Request) -> Response:
        told, asked = _all(request)
        looks = shown_looks(page_of(told, 0, total_of(told)), language_of(request), deps.settings)
        return download(as_csv(told, looks, language_of(request)), _file_name(asked, "csv"), "text/csv; charset=utf-8")

    @router.get("/looks.json")
    def json_file(request: Request) -> Response:
        told, asked = _all(request)
        return download(as_json(told, asked.wanted, deps.clock.now()), _file_name(asked, "json"), "application/json")

    def _all(request: Request) -> tuple[list[Told], Asked]:
        citizen, form = deps.citizen_of(request), form_of_query(request)
        asked = _read(request, form, citizen, deps.settings)
        if asked is None or asked.offset:
            raise PageError(400, "console.bad_request")
        return deps.gathering.gather(
            citizen.oneself.code, asked.wanted, asked.registries, deps.settings.most_rows
        ), asked

    def _file_name(asked: Asked, kind: str) -> str:
        return f"looks-{deps.today().isoformat()}.{kind}"

    return ConsolePart(
        PREFIX, router, PACKAGE, roles=(CITIZEN,), navigation=(NavItem(PREFIX, "citizen.nav_mine", (CITIZEN,)),)
    )


def shown_looks(looks: Sequence[Look], language: str, settings: CitizenSettings) -> list[ShownLook]:
    """Return looks in the words of a language."""
    return [_shown(look.registry, look.usage, language, settings) for look in looks]


def _shown(registry: AskedRegistry, usage: Usage, language: str, settings: CitizenSettings) -> ShownLook:
    name = usage.receiver_name or settings.organisation(usage.receiver_code, language)
    title = usage.title_uk if language == "uk" else usage.title_en
    return ShownLook(
        usage.logtime,
        registry.title(language),
        f"{name} ({usage.receiver_code})" if name else usage.receiver_code,
        usage.receiver_system,
        title or usage.action,
        _operation(usage.operation, language),
        usage.ground,
        usage.case_number,
        usage.message_id,
    )


def _operation(operation: str | None, language: str) -> str | None:
    """Return what was asked for in words; the operation's name where nobody has put it into words."""
    text_id = f"citizen.operation_{operation}"
    return texts.render(text_id, {}, language) if text_id in texts.catalogue() else operation


def _chosen(form: Form, settings: CitizenSettings) -> list[AskedRegistry]:
    name = form.text("registry")
    one = settings.registry(name)
    if name and one is None:
        raise PageError(404, "console.not_found")
    return [one] if one is not None else list(settings.registries)


def _read(request: Request, form: Form, citizen: Citizen, settings: CitizenSettings) -> Asked | None:
    """Return the question; None when a field of the form is refused."""
    formats, subject = formats_of(request), subject_of(citizen, form)
    days = {}
    for name in ("since", "until"):
        days[name] = formats.read_time(form.text(name))
        if form.text(name) and days[name] is None:
            form.refuse(name, "citizen.no_day")
    since, until = days["since"], days["until"]
    if since is not None and until is not None and until < since:
        form.refuse("until", "citizen.period_reversed")
    registries = _chosen(form, settings)
    if not form.is_good:
        return None
    offset = _number(form.text("offset")) or 0
    if offset > MAX_OFFSET:
        raise PageError(404, "console.not_found")
    marks = _marks(form)
    if offset:  # what did not answer for the first page has no place on the next
        registries = [one for one in registries if one.name in marks]
    end = None if until is None else until + _DAY - _TICK
    return Asked(Wanted(subject, since, end, marks if offset else {}), tuple(registries), offset)


def _marks(form: Form) -> dict[str, int]:
    pairs = [text.partition("~") for text in form.all(MARK)]
    return {name: number for name, _, mark in pairs if (number := _number(mark)) is not None}


def _number(text: str) -> int | None:
    """Return a number out of an address; None for what is none, or is larger than any of ours."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _address(request: Request, asked: Asked, offset: int, marks: Sequence[str]) -> str:
    here = here_of(request, offset=str(offset) if offset else None, **{MARK: None})
    kept = "&".join(f"{MARK}={mark}" for mark in marks)
    return here if not kept else f"{here}{'&' if '?' in here else '?'}{kept}"


def _page(
    request: Request, deps: CitizenDeps, citizen: Citizen, form: Form, *, status: int = 200, **facts: Any
) -> Response:
    language = language_of(request)
    given: dict[str, Any] = {
        "subject": citizen.oneself, "told": (), "looks": (), "total": 0, "first": 1, "first_url": "", "next_url": "",
        "left_out": (), "registries": [(one.name, one.title(language)) for one in deps.settings.registries],
        "made_at": deps.clock.now(),
    }  # fmt: skip
    return page(request, "citizen/mine.html", status=status, **{**given, **facts, "form": form, "citizen": citizen})
