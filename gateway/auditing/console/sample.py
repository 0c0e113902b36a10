"""A random sample for a statistical opinion; its address draws it again, whatever has come since."""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from gateway.auditing.console.desks import AuditRoute, desk_for
from gateway.auditing.console.names import names_of
from gateway.auditing.console.search import COUNT_AT_MOST, labels_of, search_of
from gateway.auditing.console.search_form import MAX_CURSOR
from gateway.auditing.deps import AuditDeps
from gateway.auditing.export_texts import csv_header, csv_line
from gateway.auditing.sample import MAX_SEED_CHARACTERS
from gateway.runtime.console.forms import Form
from gateway.runtime.console.pages import download, open_page, page, redirect

PATH: Final = "/audit/sample"
MAX_SHOWN: Final = 1000  # a table that a person works through; larger ones are made by command


def sample_router(deps: AuditDeps) -> APIRouter:
    """Return the routes of samples."""
    router = APIRouter(route_class=AuditRoute)

    @router.get("/sample")
    async def sample(request: Request) -> Response:
        desk = desk_for(deps, request)
        asked = search_of(request)
        size, seed, through = _read(asked.form)
        drawn = total = None
        if asked.query is not None and size is not None and seed is not None:
            if through is None:
                # From now on the address names the last entry considered, so that it always gives the same draw.
                last = (await asyncio.to_thread(deps.source.status)).indexed_through
                place = {**asked.values, "size": str(size), "seed": seed, "through": str(max(last, 1))}
                return redirect(request, f"{PATH}?{urlencode(place)}")
            drawn = await desk.sample(asked.query, size, seed, through=through)
        elif asked.query is not None:
            total = await desk.count(asked.query, at_most=COUNT_AT_MOST)
        return page(
            request,
            "audit/sample.html",
            search=asked,
            sample=drawn,
            total=total,
            labels=labels_of(request),
            limit=MAX_SHOWN,
            seed_limit=MAX_SEED_CHARACTERS,
            query=request.url.query,
            names=await asyncio.to_thread(names_of, deps.source),
        )

    @router.get("/sample.csv")
    async def table(request: Request) -> Response:
        asked = search_of(request)
        size, seed, through = _read(asked.form)
        if asked.query is None or size is None or seed is None or through is None:
            return redirect(request, f"{PATH}?{request.url.query}")
        drawn = await desk_for(deps, request).sample(asked.query, size, seed, through=through)
        language = open_page(request.scope).language
        lines = [csv_header(language), *(csv_line(exchange, language) for exchange in drawn.exchanges)]
        return download(b"".join(lines), f"sample-{size}-of-{drawn.population}.csv", "text/csv; charset=utf-8")

    return router


def _read(form: Form) -> tuple[int | None, str | None, int | None]:
    """Return size, seed and last number; what is missing or wrong is None, and said when a draw was asked for."""
    if not form.text("size") and not form.text("seed"):
        return None, None, None
    size = _number(form.text("size"), MAX_SHOWN)
    if size is None:
        form.refuse("size", "audit.sample.error.size", limit=MAX_SHOWN)
    seed: str | None = form.text("seed")
    if not seed or len(seed) > MAX_SEED_CHARACTERS or not seed.isprintable():
        form.refuse("seed", "audit.sample.error.seed", limit=MAX_SEED_CHARACTERS)
        seed = None
    return size, seed, _number(form.text("through"), MAX_CURSOR)


def _number(text: str, largest: int) -> int | None:
    if not (text.isascii() and text.isdecimal() and len(text) <= 19):
        return None
    number = int(text)
    return number if 1 <= number <= largest else None
