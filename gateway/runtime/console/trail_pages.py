"""The audit log as a page: who did what, newest first; reading it is a deed as well."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from gateway.runtime.audit.model import Deed, TrailUnavailable
from gateway.runtime.audit.trail import Trail
from gateway.runtime.console.app import ConsolePart
from gateway.runtime.console.forms import form_of_query
from gateway.runtime.console.pages import NavItem, PageError, here_of, page, visitor_of

log = logging.getLogger(__name__)

PATH: Final = "/audit-log"
PAGE_SIZE: Final = 50
VIEWED: Final = "View audit log"
_MAX_NUMBER_DIGITS: Final = 15


def trail_pages(trail: Trail, roles: tuple[str, ...]) -> ConsolePart:
    """Return /audit-log, for those who have one of `roles` for everything."""
    router = APIRouter()

    @router.get("")
    def show(request: Request) -> Response:
        visitor = visitor_of(request)
        before = _number(form_of_query(request).text("before"))
        try:
            trail.write(Deed(VIEWED, visitor.principal.name, auth=visitor.auth, url=PATH, data={"before": before}))
        except TrailUnavailable as cause:
            log.error("the audit log cannot be written: %s", cause)
            raise PageError(500, "accounts.trail_unavailable") from cause
        events = trail.read(before=before, limit=PAGE_SIZE)
        has_more = len(events) == PAGE_SIZE and events[-1]["n"] > 1
        older = here_of(request, before=str(events[-1]["n"])) if has_more else ""
        return page(request, "audit_log.html", events=[_shown(event) for event in events], before=before, older=older)

    navigation = NavItem(PATH, "accounts.audit_log", roles, whole=True)
    return ConsolePart(PATH, router, "gateway.runtime.console", roles, (navigation,), whole=True)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MAX_NUMBER_DIGITS else None


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def _shown(event: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of an event; whatever a line holds is text here."""
    data = event.get("data")
    return {
        "number": str(event["n"]),
        "at": _time(str(event.get("time", ""))),
        "event": str(event.get("event", "")),
        "user": str(event.get("user") or ""),
        "place": str(event.get("ipaddress") or ""),
        "reason": str(event.get("reason") or ""),
        "data": json.dumps(data, ensure_ascii=False, indent=1) if data else "",
    }
