"""Diagnostics of the message log: what stands in the way of exchanges or soon will, and how each TSA does.

`/diagnostics/timestamping-services` and `/diagnostics/addon-status` are the reference's (X-Road
openapi-definition.yaml); `/diagnostics/message-log` is ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request

from gateway.admin import roles
from gateway.admin.deps import AdminDeps
from gateway.messagelog.authorities import AuthorityHealth
from gateway.messagelog.model import LogStatus
from gateway.messagelog.status import DAYS_LEFT
from gateway.runtime.admin_api import api_time, not_found
from gateway.runtime.texts import choose_language, render


def message_log_router(deps: AdminDeps) -> APIRouter:
    """Return the routes of the message log's diagnostics."""
    router = APIRouter()

    @router.get("/diagnostics/message-log", dependencies=roles.VIEW_DIAGNOSTICS)
    async def message_log_status(request: Request) -> dict[str, Any]:
        if deps.log_watch is None:
            raise not_found("message_log_not_found")
        language = choose_language(request.headers.get("accept-language"))
        return show_status(await deps.log_watch.look(), language)

    @router.get("/diagnostics/timestamping-services", dependencies=roles.VIEW_DIAGNOSTICS)
    def authorities(request: Request) -> list[dict[str, Any]]:
        language = choose_language(request.headers.get("accept-language"))
        return [show_authority(health, language) for health in deps.authorities()]

    @router.get("/diagnostics/addon-status", dependencies=roles.VIEW_DIAGNOSTICS)
    def addons() -> dict[str, bool]:
        return {"messagelog_enabled": True, "opmonitoring_enabled": False}

    return router


def show_status(status: LogStatus, language: str) -> dict[str, Any]:
    """Return the status as the API shows it; `error` is the first trouble, `troubles` all of them."""
    troubles = [
        {"code": text_id.rpartition(".")[2], "metadata": [render(text_id, facts, language)], "stops_exchanges": stops}
        for text_id, facts, stops in troubles_of(status)
    ]
    stops = any(trouble["stops_exchanges"] for trouble in troubles)
    stamping, growth = status.stamping, status.growth
    shown: dict[str, Any] = {
        "status_class": "FAIL" if stops else "WAITING" if troubles else "OK",
        "entries": status.last_sequence,
        "refusals_in_memory": status.refusals_held_back,
        "stamping": {
            "unstamped": stamping.unstamped,
            "oldest_unstamped_at": _time(stamping.oldest_unstamped_at),
            "failing_since": _time(stamping.failing_since),
            "refuses_at": _time(stamping.refuses_at),
            "refuses_in_s": _left_s(status),
        },
        "growth": {
            "log_bytes": growth.log_bytes,
            "free_bytes": growth.free_bytes,
            "bytes_per_day": _rounded(growth.bytes_per_day, 0),
            "entries_per_day": _rounded(growth.entries_per_day, 1),
            "days_left": _rounded(growth.days_left, 1),
        },
        "troubles": troubles,
    }
    if troubles:
        shown["error"] = {name: troubles[0][name] for name in ("code", "metadata")}
    return shown


def troubles_of(status: LogStatus) -> Iterator[tuple[str, dict[str, object], bool]]:
    """Yield what is wrong, the worst first: the sentence, its facts, and whether it stops exchanges."""
    if not status.is_readable:
        yield "messagelog.status.not_readable", {}, True
    elif not status.is_writable:
        yield "messagelog.status.not_writable", {"count": status.refusals_held_back}, True
    stamping = status.stamping
    if stamping.failing_since is not None:
        facts: dict[str, object] = {"count": stamping.unstamped, "since": api_time(stamping.failing_since)}
        left_s = _left_s(status)
        if left_s is None:
            yield "messagelog.status.not_stamped", facts, False
        elif left_s > 0:
            yield "messagelog.status.stops_soon", {**facts, "left": _duration(left_s)}, False
        else:
            yield "messagelog.status.stopped", facts, True
    days = status.growth.days_left
    if days is not None and days < DAYS_LEFT[0]:
        yield "messagelog.status.disk_fills", {"days": f"{days:.1f}"}, False


def show_authority(health: AuthorityHealth, language: str) -> dict[str, Any]:
    """Return a time-stamping service as the reference's diagnostics show it."""
    failure = health.last_failure
    asked = [at for at in (health.last_success_at, None if failure is None else failure.at) if at is not None]
    shown: dict[str, Any] = {
        "url": health.url,
        "cost_type": "UNDEFINED",
        "status_class": "FAIL" if health.is_failing else "OK" if asked else "WAITING",
        "prev_update_at": _time(max(asked, default=None)) or "",
    }
    if health.is_failing and failure is not None:
        shown["error"] = {"code": failure.code, "metadata": [render(failure.text_id, failure.facts, language)]}
    return shown


def _left_s(status: LogStatus) -> int | None:
    until = status.stamping.refuses_at
    return None if until is None else max(0, int((until - status.at).total_seconds()))


def _duration(seconds: int) -> str:
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _time(at: datetime | None) -> str | None:
    return None if at is None else api_time(at)
