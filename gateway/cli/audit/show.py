"""`surma audit show`: one exchange with its messages and verdicts; a report and the documents where asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.cli.audit.options import Place, Shown, Trust
from gateway.cli.audit.places import Api, NotThere, answer, grounds_of, opened, telling
from gateway.cli.audit.printing import Text, day_and_time, pairs, say, say_json, texts_of
from gateway.cli.audit.search import rows_of


def run(
    exchange: int,
    place: Place,
    trust: Trust,
    shown: Shown,
    reason: str | None,
    report: Path | None,
    documents: Path | None,
) -> None:
    """Show an exchange."""
    words = shown.words

    async def question() -> tuple[dict[str, Any], dict[Path, bytes]]:
        async with opened(place, trust, words) as api:
            api.http.headers["Accept-Language"] = words
            found: dict[str, Any] = await api.get(f"/exchanges/{exchange}")
            found["messages"] = [await _message(api, entry, reason) for entry in _entries(found)]
            files: dict[Path, bytes] = {}
            if report is not None:
                files[report] = await api.get_bytes(f"/exchanges/{exchange}/report", language=words)
            if documents is not None:
                files |= await _documents(api, found, documents, reason)
            return found, files

    found, files = answer(words, question)
    with telling(words):
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    if shown.as_json:
        say_json({**found, "written": list(map(str, files))})
        return
    text = texts_of(words)
    for line in _lines(found, text):
        say(line)
    for path in files:
        say(text("auditing.cli.written", path=path))


def _entries(found: dict[str, Any]) -> list[dict[str, Any]]:
    entries = found["entries"]
    return [entries[name] for name in ("request", "response") if entries[name] is not None]


async def _message(api: Api, entry: dict[str, Any], reason: str | None) -> dict[str, Any]:
    """Return a message as people read it, and its verdict; or why it cannot be read."""
    sequence = entry["sequence"]
    if "unreadable" in entry:
        return {"sequence": sequence, "parts": [], "verdict": None}
    try:
        shown = await api.get(f"/entries/{sequence}/message", reason=reason)
        return {**shown, "verdict": await api.get(f"/entries/{sequence}/verdict")}
    except NotThere:
        return {"sequence": sequence, "parts": [], "verdict": None}


async def _documents(api: Api, found: dict[str, Any], folder: Path, reason: str | None) -> dict[Path, bytes]:
    """Return the containers by the file each goes to."""
    grounds = grounds_of(api, reason)
    documents: dict[Path, bytes] = {}
    for message in found["messages"]:
        if message["verdict"] is not None:
            # The name is the server's: only its last part may be that of a file here.
            path = folder / Path(message["verdict"]["container"]).name
            documents[path] = await api.get_bytes(f"/entries/{message['sequence']}/container", reason=grounds)
    return documents


def _lines(found: dict[str, Any], text: Text) -> Iterator[str]:
    yield text("auditing.report.what")
    yield from pairs(
        [
            (text("auditing.export.column.number"), found["id"]),
            (text("audit.column.time"), f"{day_and_time(found['time'])} UTC"),
            (text("audit.field.client"), found["client"]),
            (text("audit.field.service"), found["service"] or found["provider"]),
            (text("audit.field.outcome"), text(f"audit.outcome.{found['outcome']}")),
            (text("audit.field.fault_code"), found["fault_code"]),
            (text("audit.field.side"), text(f"audit.side.{found['side']}")),
            (text("audit.field.issue"), found["issue"]),
            (text("audit.field.purpose"), found["purpose"]),
            (text("audit.field.user_id"), found["user_id"]),
            (text("audit.field.represented_party"), found["represented_party"]),
            (text("audit.field.query_id"), found["query_id"]),
            (text("audit.field.x_request_id"), found["x_request_id"]),
        ]
    )
    for entry, message in zip(_entries(found), found["messages"], strict=True):
        yield ""
        yield from _message_lines(entry, message, text)
    refusal = found["entries"]["refusal"]
    if refusal is not None:
        yield ""
        yield from _refusal_lines(refusal, text)
    if found["related"]:
        yield ""
        yield text("auditing.cli.related")
        yield from rows_of(found["related"], text)


def _message_lines(entry: dict[str, Any], message: dict[str, Any], text: Text) -> Iterator[str]:
    yield text(f"auditing.report.{entry.get('kind', 'request')}")
    if message["verdict"] is None:
        why = entry.get("unreadable")
        yield f"  {text('auditing.report.unreadable')} {'' if why is None else why['text']}".rstrip()
        return
    verdict = message["verdict"]
    yield from pairs(
        [
            (text("auditing.report.entry"), entry["sequence"]),
            (text("auditing.report.recorded_at"), f"{day_and_time(entry['time'])} UTC"),
            (text("auditing.report.stamped_at"), entry["stamped_at"] and f"{day_and_time(entry['stamped_at'])} UTC"),
            (text("auditing.report.authority"), entry["authority"]),
            (text("auditing.report.archive_file"), entry["archive_file"]),
            (text("auditing.report.container"), verdict["container"]),
        ]
    )
    for part in message["parts"]:
        yield f"  --- {part['name']}"
        yield from (f"  {line}" for line in part["text"].splitlines())
        if part["kind"] == "nothing":
            yield f"  {text('auditing.cli.not_shown', size=part['size'])}"
    yield f"  --- {text('auditing.report.' + verdict['result'])}"
    if verdict["fault"] is not None:
        yield f"  {verdict['fault']['text']}"
    for check in verdict["checks"]:
        measured = ", ".join(check["facts"].values()) if check["outcome"] == "passed" else ""
        outcome = text(f"asic.outcome.{check['outcome']}")
        yield f"  [{outcome}] {check['text']}{f' ({measured})' if measured else ''}"


def _refusal_lines(refusal: dict[str, Any], text: Text) -> Iterator[str]:
    yield text("auditing.report.refusal")
    yield from pairs(
        [
            (text("auditing.report.entry"), refusal["sequence"]),
            (text("audit.field.fault_code"), refusal["fault_code"]),
            (text("auditing.report.since"), f"{day_and_time(refusal['time'])} UTC"),
            (text("auditing.export.column.count"), refusal["times"]),
            (text("auditing.report.address"), refusal["address"]),
        ]
    )
    yield f"  {refusal['text'][text('auditing.cli.language')]}"
