"""`surma audit completeness`: take a checkpoint away, or ask whether the log still is what one says.

Exit status: 0 complete, 1 something is missing or was changed, 2 it cannot be told: no answer, or parts
of what the checkpoint covers are not here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer

from gateway.cli.audit.options import Place, Shown, Trust
from gateway.cli.audit.places import Exit, Unanswered, answer, opened, telling
from gateway.cli.audit.printing import Text, day_and_time, say, say_json, texts_of


def run(place: Place, trust: Trust, shown: Shown, checkpoints: list[Path], take: Path | None, *, make: bool) -> None:
    """Compare the log with checkpoints, and end with 1 when something was found; or write the newest one."""
    words, is_local = shown.words, place.archives is not None
    with telling(words):
        if not checkpoints and take is None:
            raise Unanswered("no_checkpoint_named")
        notes = [(path, path.read_bytes()) for path in checkpoints]

    async def question() -> tuple[list[dict[str, Any]], bytes]:
        async with opened(place, trust, words) as api:
            api.http.headers["Accept-Language"] = words
            found = [{"file": str(path), **(await api.post("/completeness", note)).json()} for path, note in notes]
            if make:
                await api.post("/checkpoints", {})
            return found, b"" if take is None else await api.get_bytes("/checkpoints/newest")

    found, newest = answer(words, question)
    if take is not None:
        with telling(words):
            take.write_bytes(newest)
    if shown.as_json:
        say_json({"results": found, "written": None if take is None else str(take)})
    else:
        text = texts_of(words)
        for one in found:
            for line in _lines(one, is_local, text):
                say(line)
        if take is not None:
            say(text("auditing.cli.written", path=take))
    statuses = {_status_of(one, is_local) for one in found}
    raise typer.Exit(Exit.NO if Exit.NO in statuses else max(statuses, default=Exit.ANSWERED))


def _status_of(found: dict[str, Any], is_local: bool) -> Exit:
    """Say whether the log is complete, is not, or whether that cannot be told of all of it.

    A server knows the hashes of what lies in archives elsewhere; archives alone have to be here.
    """
    if not found["holds"]:
        return Exit.NO
    is_here = not (is_local and found["counts"]["elsewhere"])
    return Exit.ANSWERED if is_here and not found["untold"] else Exit.UNANSWERED


_WORDS: Final = {Exit.ANSWERED: "complete", Exit.NO: "not_complete", Exit.UNANSWERED: "partly_complete"}


def _lines(found: dict[str, Any], is_local: bool, text: Text) -> Iterator[str]:
    sentence = text(f"auditing.cli.{_WORDS[_status_of(found, is_local)]}", entries=found["counts"]["entries"])
    yield f"{found['file']}: {sentence}"
    for one in found["against"]:
        time = day_and_time(one["time"])
        yield f"  {text('auditing.cli.against', origin=one['origin'], size=one['size'], time=time)}"
    for name in ("elsewhere", "closed"):
        if found["counts"][name]:
            yield f"  {text(f'auditing.cli.{name}', count=found['counts'][name])}"
    for finding in found["findings"]:
        yield f"  {finding['text']}"
    if found["more"]:
        yield f"  {text('auditing.cli.more_findings', count=found['more'])}"
    for first, last in found["untold"]:
        yield f"  {text('auditing.cli.untold', first=first, last=last)}"
