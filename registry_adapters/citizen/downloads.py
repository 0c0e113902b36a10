"""The list of looks as a file: CSV for a spreadsheet, JSON for a program.

Both say which registry was silent and how many looks are sealed, so that a short list does not pass for a whole one.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from gateway.runtime import texts
from registry_adapters.citizen.gathering import Told, Wanted
from registry_adapters.sdk.fields import to_json

if TYPE_CHECKING:
    from registry_adapters.citizen.usage_pages import ShownLook

_COLUMNS: Final = (
    "registry", "when", "organisation", "system", "why", "what", "ground", "case_number", "message_id", "remark",
)  # fmt: skip
# A spreadsheet takes a cell that begins so for a formula; what others wrote must not become one.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def as_csv(told: Iterable[Told], looks: Sequence[ShownLook], language: str) -> bytes:
    """Return a table with one row for each look, then one for each registry that is silent or has sealed looks."""

    def said(name: str, **facts: object) -> str:
        return texts.render(f"citizen.{name}", facts, language)

    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow([said(f"column_{name}") for name in _COLUMNS])
    for look in looks:
        row = (
            look.registry, _written(look.at), look.organisation, look.system, look.why, look.what, look.ground,
            look.case_number, look.message_id,
        )  # fmt: skip
        writer.writerow([_harmless(value) for value in row])
    for one in told:
        remark = None
        if one.answer is None:
            remark = said("state_silent")
        elif one.answer.restricted_usages:
            remark = said("file_sealed", count=one.answer.restricted_usages)
        if remark is not None:
            writer.writerow([_harmless(one.registry.title(language)), *[""] * (len(_COLUMNS) - 2), remark])
    return file.getvalue().encode("utf-8-sig")  # without the mark spreadsheets guess another encoding


def as_json(told: Iterable[Told], wanted: Wanted, made_at: datetime) -> bytes:
    """Return every answer as its registry gave it."""
    document: dict[str, Any] = {
        "madeAt": _written(made_at),
        "person": {"code": wanted.subject.code, "name": wanted.subject.name},
        "periodStart": _written(wanted.since) if wanted.since else None,
        "periodEnd": _written(wanted.until) if wanted.until else None,
        "registries": [_told(one) for one in told],
    }
    return json.dumps(document, ensure_ascii=False, indent=2).encode()


def _told(one: Told) -> dict[str, Any]:
    named = {"name": one.registry.name, "titleEn": one.registry.title_en, "titleUk": one.registry.title_uk}
    if one.answer is None:
        return {**named, "silent": True}
    return {
        **named,
        "silent": False,
        "totalUsages": one.answer.total_usages,
        "restrictedUsages": one.answer.restricted_usages,
        "usages": [to_json(usage) for usage in one.usages],
    }


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _harmless(value: str | None) -> str:
    text = value or ""
    return f"'{text}" if text.startswith(_FORMULA) else text
