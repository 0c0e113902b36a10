"""From a request to the auditor's desk, and from what the desk refuses to a page that says why."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from gateway.auditing.deeds import MAX_REASON_CHARACTERS, Missing, checked
from gateway.auditing.deps import AuditDeps
from gateway.auditing.desk import Desk, desk_of
from gateway.runtime.audit.model import TrailUnavailable
from gateway.runtime.console.forms import Form
from gateway.runtime.console.pages import PageError, visitor_of
from gateway.xroad.faults import XRoadFault

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class AuditRoute(APIRoute):
    """A route whose handler may leave it to us to say that there is nothing to see."""

    def get_route_handler(self) -> Handler:
        """Return the handler, with the refusals of the desk turned into pages."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except Missing:
                raise PageError(404, "audit.not_found") from None
            except TrailUnavailable as cause:
                raise PageError(503, "audit.trail_unavailable") from cause
            except XRoadFault as fault:
                raise PageError(503, fault.text_id, **fault.facts) from fault

        return answer


def desk_for(deps: AuditDeps, request: Request) -> Desk:
    """Return the desk of the auditor who is signed in."""
    desk = desk_of(deps, visitor_of(request).principal, url=request.url.path)
    if desk is None:
        raise PageError(403, "console.forbidden")
    return desk


def read_reason(form: Form, name: str) -> str | None:
    """Return the reason that was given for seeing personal data; without a usable one the form says so."""
    if len(form.text(name)) > MAX_REASON_CHARACTERS:
        form.refuse(name, "audit.reveal.too_long", limit=MAX_REASON_CHARACTERS)
        return None
    reason = checked(form.text(name))
    if reason is None:
        form.refuse(name, "audit.reveal.error")
    return reason
