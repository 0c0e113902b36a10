"""Checkpoints of the ledger: how they do, one on demand, the newest to be taken away. Ours: the reference has none.

Hashes of the ledger that were lost or damaged are made anew from the entries, on demand only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from gateway.admin import roles
from gateway.messagelog.checkpoints import Checkpointer, CheckpointStatus, export_checkpoint
from gateway.runtime.admin_api import ApiError, api_time, not_found
from gateway.runtime.database import Database
from gateway.runtime.group_commit import CommitUnavailable
from gateway.runtime.texts import choose_language, render
from gateway.xroad.checkpoint import CONTENT_TYPE
from gateway.xroad.faults import LoggingUnavailable, XRoadFault


def checkpoint_router(checkpointer: Checkpointer, database: Database) -> APIRouter:
    """Return the routes; a checkpoint is made of everything that is in the log when it is asked for."""
    router = APIRouter()

    async def status(request: Request) -> dict[str, Any]:
        return show_status(await checkpointer.status(), choose_language(request.headers.get("accept-language")))

    @router.get("/message-log/checkpoints", dependencies=roles.VIEW_DIAGNOSTICS)
    async def show(request: Request) -> dict[str, Any]:
        return await status(request)

    @router.post("/message-log/checkpoints", status_code=201, dependencies=roles.ADMINISTER)
    async def make(request: Request) -> dict[str, Any]:
        with _api_errors(request):
            await checkpointer.make_checkpoint()
        return await status(request)

    @router.post("/message-log/ledger/rebuild", dependencies=roles.ADMINISTER)
    async def rebuild(request: Request) -> dict[str, Any]:
        with _api_errors(request):
            await checkpointer.rebuild_ledger()
        return await status(request)

    @router.get("/message-log/checkpoints/newest", dependencies=roles.VIEW_DIAGNOSTICS)
    def export(leaves: bool = True) -> StreamingResponse:
        pieces = export_checkpoint(database, with_leaves=leaves)
        try:
            first = next(pieces)
        except LoggingUnavailable as fault:
            raise not_found("checkpoint_not_found") from fault
        return StreamingResponse(_joined(first, pieces), media_type=CONTENT_TYPE)

    return router


def show_status(status: CheckpointStatus, language: str) -> dict[str, Any]:
    """Return the status as the API shows it."""
    newest, failure = status.newest, status.failure
    return {
        "ledger_size": status.ledger_size,
        "newest": None
        if newest is None
        else {"size": newest.size, "time": api_time(newest.time), "root": newest.root.hex()},
        "error": None
        if failure is None
        else {"code": failure.text_id, "message": render(failure.text_id, failure.facts, language)},
        "deliveries": [
            {
                "destination": one.destination,
                "delivered": one.delivered,
                "failing_since": None if one.failing_since is None else api_time(one.failing_since),
                "error": None
                if one.reason is None
                else render("ledger.undelivered", {"destination": one.destination, "reason": one.reason}, language),
            }
            for one in status.deliveries
        ],
    }


@contextmanager
def _api_errors(request: Request) -> Iterator[None]:
    """Say why a checkpoint cannot be made."""
    try:
        yield
    except CommitUnavailable as cause:
        raise ApiError(503, "logging_failed", str(cause)) from cause
    except XRoadFault as fault:
        language = choose_language(request.headers.get("accept-language"))
        sentence = render(fault.text_id, fault.facts, language)
        raise ApiError(409, fault.code.rpartition(".")[2], sentence) from fault


def _joined(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
