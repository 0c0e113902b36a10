"""The archives of a source: which files there are, what each holds, how they are chained, and whether they are here.

Names of files may name members, so the list is for those who may see everything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from fastapi import APIRouter, Request, Response

from gateway.auditing.console.desks import AuditRoute, desk_for
from gateway.auditing.deps import AuditDeps
from gateway.messagelog.archive.journal import read_files
from gateway.messagelog.archive.model import StoredFile
from gateway.messagelog.archive.names import parse_archive_name
from gateway.messagelog.archive.places import Place
from gateway.runtime.clock import from_epoch_ms
from gateway.runtime.console.forms import form_of_query
from gateway.runtime.console.pages import page
from gateway.runtime.database import Database
from gateway.xroad.faults import LoggingUnavailable

PATH: Final = "/audit/archives"
PAGE_SIZE: Final = 50
MAX_START: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class ListedFile:
    """An archive file; None for what only its content tells. `trouble` is the text id of why it cannot be read."""

    name: str
    location: str
    size: int | None
    is_encrypted: bool
    is_here: bool = True
    first: int | None = None
    last: int | None = None
    entries: int | None = None
    created_at: datetime | None = None
    digest: str | None = None
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """Some of the files, the newest first, and how many there are."""

    files: tuple[ListedFile, ...]
    total: int


# Returns files from a position on; raises LoggingUnavailable when their place cannot be reached.
ListFiles = Callable[[int, int], Listing]


def stored_files(database: Database, open_place: Callable[[str], Place]) -> ListFiles:
    """List the archives that a server made, and look whether each still lies where it was put."""

    def list_files(start: int, count: int) -> Listing:
        with database.reading() as connection:
            every = read_files(connection)
        shown = every[::-1][start : start + count]
        present = {location: _names_in(open_place, location) for location in {file.location for file in shown}}
        return Listing(tuple(_listed(file, present[file.location]) for file in shown), len(every))

    return list_files


def files_in(place: Place, troubles: Mapping[str, str]) -> ListFiles:
    """List the archives that lie in a place; `troubles` tells by text ids why some could not be read."""

    def list_files(start: int, count: int) -> Listing:
        names = [name for text in place.names() if (name := parse_archive_name(text)) is not None]
        shown = names[::-1][start : start + count]
        files = (
            ListedFile(
                name=name.text,
                location=place.url,
                size=place.size(name.text),
                is_encrypted=name.is_encrypted,
                trouble=troubles.get(name.text),
            )
            for name in shown
        )
        return Listing(tuple(files), len(names))

    return list_files


def archives_router(deps: AuditDeps, list_files: ListFiles | None) -> APIRouter:
    """Return the route of archives; none where nothing lists them."""
    router = APIRouter(route_class=AuditRoute)
    if list_files is None:
        return router

    @router.get("/archives")
    async def show(request: Request) -> Response:
        if not desk_for(deps, request).scope.is_everything:
            return page(request, "audit/archives.html", status=403, listing=None, older=None, newer=None)
        start = _start(form_of_query(request).text("start"))
        listing = await asyncio.to_thread(list_files, start, PAGE_SIZE)
        older = start + PAGE_SIZE if start + PAGE_SIZE < listing.total else None
        newer = max(0, start - PAGE_SIZE) if start else None
        return page(request, "audit/archives.html", listing=listing, older=older, newer=newer)

    return router


def _start(text: str) -> int:
    return min(int(text), MAX_START) if text.isascii() and text.isdecimal() and len(text) <= 9 else 0


def _names_in(open_place: Callable[[str], Place], location: str) -> frozenset[str] | None:
    """Return the names of the files in a place, None when it cannot be reached."""
    if not location:
        return frozenset()
    try:
        return frozenset(open_place(location).names())
    except LoggingUnavailable:
        return None


def _listed(file: StoredFile, present: frozenset[str] | None) -> ListedFile:
    name = parse_archive_name(file.name)
    return ListedFile(
        name=file.name,
        location=file.location,
        size=file.size,
        is_encrypted=name is not None and name.is_encrypted,
        is_here=present is not None and file.name in present,
        first=file.first_sequence,
        last=file.last_sequence,
        entries=file.entries,
        created_at=from_epoch_ms(file.created_ms),
        digest=file.last_digest,
    )
