"""`surma audit sample`: exchanges drawn at random, in a way that anybody can repeat."""

from __future__ import annotations

import secrets
from typing import Any

from gateway.cli.audit.options import Asked, Place, Shown, Trust
from gateway.cli.audit.places import answer, opened
from gateway.cli.audit.printing import say, say_json, texts_of
from gateway.cli.audit.search import rows_of


def run(
    size: int, place: Place, trust: Trust, asked: Asked, shown: Shown, seed: str | None, through: int | None
) -> None:
    """Draw a sample and print it, with all that is needed to draw it again."""
    words = shown.words
    chosen = seed or secrets.token_hex(16)

    async def question() -> dict[str, Any]:
        async with opened(place, trust, words) as api:
            drawn: dict[str, Any] = await api.get(
                "/exchanges/sample", **asked.texts(), size=size, seed=chosen, through=through
            )
            return drawn

    drawn = answer(words, question)
    if shown.as_json:
        say_json(drawn)
        return
    text = texts_of(words)
    for line in rows_of(drawn["items"], text):
        say(line)
    say(text("auditing.cli.drawn", size=drawn["size"], population=drawn["population"]))
    say(text("auditing.cli.draw_again", size=size, seed=chosen, through=drawn["through"]))
    say(text("auditing.cli.algorithm", algorithm=drawn["algorithm"]))
