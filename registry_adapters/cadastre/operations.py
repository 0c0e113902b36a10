"""What the land cadastre does, whatever form it is asked in; and whom each look was at.

A look at a parcel is a look at every person who holds a right in it; where none does, at the parcel. What a person
holds is a look at that person, found or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection

from registry_adapters.cadastre.model import (
    HolderQuestion,
    ParcelAnswer,
    ParcelQuestion,
    ParcelsAnswer,
)
from registry_adapters.cadastre.picture import draw
from registry_adapters.cadastre.store import (
    codes_of_document,
    codes_of_unzr,
    find_held_by_code,
    find_held_by_document,
    find_parcel,
    find_quarter,
)
from registry_adapters.sdk.access_log import Look, Outcome
from registry_adapters.sdk.errors import RequestError
from registry_adapters.sdk.identifiers import (
    Flaw,
    flaw_of_edrpou,
    flaw_of_rnokpp,
    flaw_of_unzr,
    normalise_cadastral_number,
    normalise_document,
)
from registry_adapters.sdk.operations import Call

MAX_LIMIT: Final = 100


def find_by_number(asked: ParcelQuestion, call: Call) -> ParcelAnswer:
    """Return the parcel of a number with its picture. Raises RequestError for what is no cadastral number."""
    number = normalise_cadastral_number(asked.cadastral_number)
    if number is None:
        raise RequestError("registry.cadastral_number_invalid")
    found = find_parcel(call.connection, number)
    if found is None:
        call.note(Look(Outcome.NOT_FOUND, "cadastral_number", number))
        return ParcelAnswer(found=False)
    for subject in found.natural_holders or (number,):
        call.note(Look(Outcome.FOUND, "cadastral_number", subject))
    others = [other for other in find_quarter(call.connection, found.quarter) if other[0] != number]
    return ParcelAnswer(found=True, parcel=replace(found.parcel, picture_svg=draw(number, found.ring, others)))


def find_of_holder(asked: HolderQuestion, call: Call) -> ParcelsAnswer:
    """Return one page of what a person or organisation holds.

    Raises RequestError when there is not exactly one criterion, or it or the page is ill-formed.
    """
    if not 1 <= asked.limit <= MAX_LIMIT or asked.offset < 0:
        raise RequestError("registry.page_invalid", limit=MAX_LIMIT)
    kind, holder, warnings = _holder(asked)
    if kind == "document":
        held = find_held_by_document(call.connection, holder, asked.limit, asked.offset)
        subjects = codes_of_document(call.connection, holder) or [holder]
    else:
        held, subjects = find_held_by_code(call.connection, holder, asked.limit, asked.offset), [holder]
    for subject in subjects:
        call.note(Look(Outcome.FOUND if held.count else Outcome.NOT_FOUND, kind, subject))
    return ParcelsAnswer(held.count, asked.limit, asked.offset, warnings, held.parcels)


def subjects_of(connection: Connection, code: str) -> Sequence[str]:
    """Return the texts under which the access log knows the person of an RNOKPP or UNZR."""
    return codes_of_unzr(connection, code) if flaw_of_unzr(code) is not Flaw.FORMAT else [code]


def _holder(asked: HolderQuestion) -> tuple[str, str, tuple[str, ...]]:
    """Return the one criterion that is given, its value in the form it is stored in, and what looked odd."""
    given = [name for name in ("rnokpp", "edrpou", "document") if getattr(asked, name)]
    if not given:
        raise RequestError("registry.no_holder")
    if len(given) > 1:
        raise RequestError("registry.several_criteria", criteria=", ".join(given))
    if asked.document:
        normalised = normalise_document(asked.document)
        if normalised is None:
            raise RequestError("registry.document_invalid")
        return "document", normalised[1], ()
    kind, code = given[0], asked.rnokpp or asked.edrpou or ""
    flaw = flaw_of_rnokpp(code) if asked.rnokpp else flaw_of_edrpou(code)
    if flaw is Flaw.FORMAT:
        raise RequestError("registry.rnokpp_invalid" if asked.rnokpp else "registry.edrpou_invalid")
    return kind, code, () if flaw is None else (f"{kind}_{flaw.value}",)
