"""`surma audit export`: ask for an export, follow it, fetch it, and compare it with what was announced."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, Final

from gateway.cli.audit.options import Asked, Place, Shown, Trust
from gateway.cli.audit.places import Api, Unanswered, answer, grounds_of, opened
from gateway.cli.audit.printing import progress, say, say_json, texts_of

_PAUSE_S: Final = 0.5
_LOCAL_PAUSE_S: Final = 0.05


def run(
    output: Path, place: Place, trust: Trust, asked: Asked, shown: Shown, reason: str | None, *, keep: bool
) -> None:
    """Write an export to a file."""
    words = shown.words

    async def question() -> dict[str, Any]:
        async with opened(place, trust, words) as api:
            return await take(api, asked, output, reason, words, keep=keep)

    job = answer(words, question)
    if shown.as_json:
        say_json({**job, "file": str(output)})
        return
    text = texts_of(words)
    say(text("auditing.cli.written", path=output))
    counts = job["counts"]
    say(text("auditing.export.counts", **{name: counts[name] for name in ("exchanges", "containers", "refusals")}))
    if counts["missing"]:
        say(text("auditing.export.missing", missing=counts["missing"]))
    say(f"SHA-256 {job['sha256']}")


async def take(
    api: Api, asked: Asked, output: Path, reason: str | None, words: str, *, keep: bool = False
) -> dict[str, Any]:
    """Return how an export ended, which lies in `output` then. Raises Unanswered when it cannot be had whole."""
    api.http.headers["Accept-Language"] = words
    job = (await api.post("/exports", {**asked.texts(), "reason": grounds_of(api, reason)})).json()
    path = f"/exports/{job['id']}"
    try:
        job = await _followed(api, path, words)
        await _fetched(api, path, job, output, words)
    finally:
        if not keep:
            await api.delete(path)
    return job


async def _followed(api: Api, path: str, words: str) -> dict[str, Any]:
    with progress(texts_of(words)("auditing.cli.exporting")) as advance:
        while True:
            job: dict[str, Any] = await api.get(path)
            advance(job["done"], job["total"])
            if job["state"] == "failed":
                raise Unanswered("export_failed", told=job["failure"]["text"])
            if job["state"] == "done":
                return job
            await asyncio.sleep(_LOCAL_PAUSE_S if api.is_local else _PAUSE_S)


async def _fetched(api: Api, path: str, job: dict[str, Any], output: Path, words: str) -> None:
    """Fetch the file beside its place, so that whatever stood there stays until all of it is here."""
    partial = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with progress(texts_of(words)("auditing.cli.fetching"), in_bytes=True) as advance:
            done = 0

            def count(size: int) -> None:
                nonlocal done
                done += size
                advance(done, job["size"])

            digest = await api.fetch(f"{path}/file", partial, count)
        if digest != job["sha256"]:
            raise Unanswered("export_differs", sha256=job["sha256"], found=digest)
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
