"""`surma audit search`: exchanges in a table, newest first."""

from __future__ import annotations

from typing import Any, Final

from gateway.cli.audit.options import Asked, Place, Shown, Trust
from gateway.cli.audit.places import Api, answer, opened
from gateway.cli.audit.printing import Text, day_and_time, say, say_json, table, texts_of

_PAGE: Final = 500


def run(place: Place, trust: Trust, asked: Asked, shown: Shown, limit: int) -> None:
    """Search and print what was found."""
    words = shown.words

    async def question() -> tuple[list[dict[str, Any]], dict[str, Any]]:
        async with opened(place, trust, words) as api:
            found = await _find(api, asked, limit)
            return found, await api.get("/exchanges/count", **asked.texts())

    found, count = answer(words, question)
    if shown.as_json:
        say_json({"items": found, **count})
        return
    text = texts_of(words)
    for line in rows_of(found, text):
        say(line)
    number = count["count"]
    sentence = "found" if count["is_exact"] else "found_more"
    say(text(f"auditing.cli.{sentence}", shown=len(found), count=number))


def rows_of(found: list[dict[str, Any]], text: Text) -> list[str]:
    """Return the lines of a table of exchanges; none for none."""
    if not found:
        return []
    header = [
        text("auditing.export.column.number"),
        text("auditing.export.column.time"),
        text("audit.column.outcome"),
        text("audit.column.client"),
        text("audit.column.service"),
        text("audit.column.issue"),
        text("audit.field.query_id"),
    ]
    return list(table(header, (_row(one, text) for one in found)))


def _row(one: dict[str, Any], text: Text) -> list[object]:
    outcome = text(f"audit.outcome.{one['outcome']}")
    if one["count"] > 1:
        outcome += f" ×{one['count']}"
    return [
        one["id"],
        day_and_time(one["time"]),
        outcome,
        one["client"],
        one["service"] or one["provider"],
        one["issue"],
        one["query_id"],
    ]


async def _find(api: Api, asked: Asked, limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    before: int | None = None
    while len(found) < limit:
        page = await api.get("/exchanges", **asked.texts(), before=before, limit=min(_PAGE, limit - len(found)))
        found += page["items"]
        before = page["next_before"]
        if before is None:
            break
    return found
