"""`surma audit verify`: fetch every signed document that a search finds, and verify all of them here."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from gateway.cli.audit.export import take
from gateway.cli.audit.options import Asked, Place, Shown, Trust
from gateway.cli.audit.places import answer, opened
from gateway.cli.verify import verify

_NAME: Final = "export.zip"


def run(
    place: Place,
    trust: Trust,
    asked: Asked,
    shown: Shown,
    reason: str | None,
    extract: Path | None,
    *,
    show_all: bool,
) -> None:
    """Verify with the configuration that the options name, else with the one that came with the documents."""
    words = shown.words
    with tempfile.TemporaryDirectory(prefix="surma-audit-") as folder:
        path = Path(folder) / _NAME

        async def question() -> None:
            async with opened(place, trust, words) as api:
                await take(api, asked, path, reason, words)

        answer(words, question)
        is_named = trust.conf is not None or trust.history is not None or trust.anchor is not None
        verify(
            [path],
            conf=trust.conf if is_named else path,
            history=trust.history,
            anchor=trust.anchor,
            extract=extract,
            show_all=show_all,
            as_json=shown.as_json,
            language=words,
        )
