"""Archiving of the message log: how it does, and a request to archive now. Ours: the reference has no such routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request

from gateway.admin import roles
from gateway.messagelog.archive.service import ArchiveState
from gateway.runtime.admin_api import api_time
from gateway.runtime.texts import choose_language, render


def archive_router(state: Callable[[], Awaitable[ArchiveState]], archive_soon: Callable[[], None]) -> APIRouter:
    """Return the routes; `archive_soon` begins a run, or another one behind that in progress."""
    router = APIRouter()

    @router.get("/message-log/archive", dependencies=roles.VIEW_DIAGNOSTICS)
    async def show(request: Request) -> dict[str, Any]:
        return show_state(await state(), choose_language(request.headers.get("accept-language")))

    @router.post("/message-log/archive", status_code=202, dependencies=roles.ADMINISTER)
    async def archive(request: Request) -> dict[str, Any]:
        before = await state()
        archive_soon()
        return show_state(before, choose_language(request.headers.get("accept-language")))

    return router


def show_state(state: ArchiveState, language: str) -> dict[str, Any]:
    """Return the state as the API shows it."""
    failure, transfer = state.failure, state.transfer_failure
    return {
        "place": state.place,
        "is_running": state.is_running,
        "finished_runs": state.finished_runs,
        "finished_at": None if state.finished_at is None else api_time(state.finished_at),
        "archived_through": state.archived_through,
        "archivable_through": state.archivable_through,
        "last_sequence": state.last_sequence,
        "files": state.files,
        "waiting_file": state.waiting_file,
        "run": {**asdict(state.tally), "removed": asdict(state.removed)},
        "error": None
        if failure is None
        else {"code": failure.text_id, "message": render(failure.text_id, failure.facts, language)},
        "transfer_error": None
        if transfer is None
        else {
            "file": transfer.file,
            "at": api_time(transfer.at),
            "message": render("archive.transfer", {"file": transfer.file, "reason": transfer.reason}, language),
        },
        "unverified_count": state.unverified_count,
        "unverified": [{"sequence": sequence, "reason": reason} for sequence, reason in state.unverified],
    }
