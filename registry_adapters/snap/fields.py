"""What a clerk types: recognised, checked and brought to the form in which it is kept and sent.

One box takes a person by whatever is at hand: UNZR, RNOKPP, passport, or name and birth date. A wrong
check digit is a warning, since registries hold such numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from registry_adapters.sdk.identifiers import flaw_of_rnokpp, flaw_of_unzr, normalise_document
from registry_adapters.snap.errors import FieldsError
from registry_adapters.snap.model import Field, FieldKind, Recipe

_CADASTRAL: Final = re.compile(r"[0-9]{10}:[0-9]{2}:[0-9]{3}:[0-9]{4}")
_DATE_AT_END: Final = re.compile(r"(.+?)[\s,]+([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4})")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_UNZR: Final = re.compile(r"([0-9]{8})[-\s]?([0-9]{5})")


def criterion_of(text: str) -> dict[str, str]:
    """Return the one criterion that a typed text is, by the names that registries' questions have.

    Raises ValueError for a text that is none.
    """
    compact = " ".join(text.split())
    unzr = _UNZR.fullmatch(compact)
    if unzr:
        return {"unzr": f"{unzr[1]}-{unzr[2]}"}
    digits = compact.replace(" ", "")
    if len(digits) == 10 and digits.isascii() and digits.isdecimal():
        return {"rnokpp": digits}
    document = normalise_document(compact)
    if document is not None:
        return {"document": document[1]}
    named = _DATE_AT_END.fullmatch(compact)
    names = named[1].strip(" ,").split(" ") if named else []
    if named is None or not 2 <= len(names) <= 4 or any(any(sign.isdecimal() for sign in name) for name in names):
        raise ValueError(text)
    criterion = {"surname": names[0], "given_name": names[1], "birth_date": read_date(named[2])}
    return criterion if len(names) == 2 else {**criterion, "patronymic": " ".join(names[2:])}


def text_of_criterion(criterion: Mapping[str, str]) -> str:
    """Return a criterion as one text, which `criterion_of` reads again."""
    if "surname" not in criterion:
        return next(iter(criterion.values()))
    names = (criterion.get(name) for name in ("surname", "given_name", "patronymic"))
    return f"{' '.join(name for name in names if name)}, {criterion['birth_date']}"


def read_date(text: str) -> str:
    """Return a date in ISO form. Raises ValueError."""
    if "." in text:
        return datetime.strptime(text, "%d.%m.%Y").date().isoformat()
    return date.fromisoformat(text).isoformat()


def read_fields(recipe: Recipe, typed: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of a case in the form in which they are kept; what is left empty is left out.

    Raises FieldsError that tells of every field that cannot be used.
    """
    known = {field.name for field in recipe.fields}
    wrong = {str(name)[:100]: "snap_case.field_unknown" for name in typed if name not in known}
    read: dict[str, str] = {}
    for field in recipe.fields:
        text = typed.get(field.name, "")
        if not isinstance(text, str) or len(text) > field.max_length or _CONTROL.search(text):
            wrong[field.name] = "snap_case.field_text"
        elif not text.strip():
            if field.required:
                wrong[field.name] = "snap_case.field_missing"
        else:
            try:
                read[field.name] = _read(field, text.strip())
            except (ValueError, InvalidOperation):
                wrong[field.name] = f"snap_case.field_{field.kind}"
    if wrong:
        raise FieldsError(wrong)
    return read


def _read(field: Field, text: str) -> str:
    if field.pattern is not None and not re.fullmatch(field.pattern, text):
        raise ValueError(text)
    match field.kind:
        case FieldKind.PERSON:
            return text_of_criterion(criterion_of(text))
        case FieldKind.DATE:
            return read_date(text)
        case FieldKind.NUMBER:
            number = Decimal(text.replace(",", ".").replace(" ", ""))
            if not number.is_finite() or abs(number) >= 10**15:
                raise ValueError(text)
            return f"{number:f}"
        case FieldKind.CADASTRAL_NUMBER if not _CADASTRAL.fullmatch(text):
            raise ValueError(text)
        case FieldKind.CHOICE if text not in {choice.value for choice in field.choices}:
            raise ValueError(text)
    return text


def warnings_of(recipe: Recipe, fields: Mapping[str, str]) -> dict[str, str]:
    """Return of each person field whose number has a wrong check digit the text id that says so."""
    found: dict[str, str] = {}
    for field in recipe.fields:
        if field.kind is FieldKind.PERSON and field.name in fields:
            criterion = criterion_of(fields[field.name])
            unzr, rnokpp = criterion.get("unzr"), criterion.get("rnokpp")
            if (unzr and flaw_of_unzr(unzr)) or (rnokpp and flaw_of_rnokpp(rnokpp)):
                found[field.name] = "snap_case.check_digit"
    return found
