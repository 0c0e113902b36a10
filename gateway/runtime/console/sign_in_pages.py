"""Signing in and out, and one's own account: the pages of a console with accounts.

Every attempt is on record before it is answered. The reason of a refusal is told to the record and not
to the caller; a name is recorded only when somebody has it, for people type passwords into the wrong
field.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from gateway.runtime.accounts.passwords import MAX_CHARACTERS, MIN_CHARACTERS, WeakPassword, check_password
from gateway.runtime.accounts.sign_in import Refusal, SignedIn, SignIn, SignInRefused
from gateway.runtime.audit.model import Deed, TrailUnavailable
from gateway.runtime.audit.trail import Trail
from gateway.runtime.console.app import ConsolePart
from gateway.runtime.console.cookies import delete_cookie, set_cookie
from gateway.runtime.console.pages import (
    PageError,
    form_of,
    formats_of,
    open_page,
    page,
    redirect,
    safe_path,
    visitor_of,
)
from gateway.runtime.console.visitors import Visitor

log = logging.getLogger(__name__)

LOG_IN: Final = "Log in user"
LOG_OUT: Final = "Log out user"
PAUSE: Final = "Pause sign-in"
CHANGE_PASSWORD: Final = "Change own password"  # noqa: S105  an event
SESSION: Final = "Session"


class SessionDoor:
    """The doorkeeper of a server: whoever holds the token of a living session."""

    def __init__(self, sign_in: SignIn) -> None:
        self._sign_in = sign_in

    async def find_visitor(self, secret: str) -> Visitor | None:
        """Return who is signed in."""
        principal = await asyncio.to_thread(self._sign_in.find, secret)
        return None if principal is None else Visitor(principal, secret)


def account_pages(sign_in: SignIn, trail: Trail) -> ConsolePart:
    """Return /login, /logout and /account."""
    router = APIRouter()

    @router.get("/login")
    def show_sign_in(request: Request, next: str = "/") -> Response:
        state = open_page(request.scope)
        if state.visitor is not None:
            return RedirectResponse(safe_path(next), status_code=303)
        # A link on another site brings no cookie along, though there may be a session: one click more finds it.
        from_elsewhere = request.headers.get("sec-fetch-site") == "cross-site"
        return page(request, "login.html", next=safe_path(next), from_elsewhere=from_elsewhere)

    @router.post("/login")
    def begin(request: Request) -> Response:
        form = form_of(request)
        target = safe_path(form.text("next"))
        try:
            done = sign_in.sign_in(form.text("name"), form.raw("password"), _address_of(request))
        except SignInRefused as refusal:
            _record_refusal(trail, LOG_IN, refusal)
            status = _refuse(request, "sign_in", refusal)
            return page(request, "login.html", status=status, next=target, from_elsewhere=False)
        _record_or_undo(trail, sign_in, done, LOG_IN)
        before = open_page(request.scope).visitor
        if before is not None:
            sign_in.sign_out(before.secret)
        return _entering(request, done, target)

    @router.post("/logout")
    def end(request: Request) -> Response:
        visitor = visitor_of(request)
        _record(trail, Deed(LOG_OUT, visitor.principal.name, auth=SESSION, url="/logout"))
        sign_in.sign_out(visitor.secret)
        state = open_page(request.scope)
        state.headers.append(delete_cookie("session", secure=state.pages.secure))
        return RedirectResponse("/", status_code=303)

    @router.get("/account")
    def show_account(request: Request) -> Response:
        return _account_page(request)

    @router.post("/account")
    def change_password(request: Request) -> Response:
        principal = visitor_of(request).principal
        form = form_of(request)
        new = form.raw("new")
        try:
            check_password(new, principal.name)
        except WeakPassword as weakness:
            form.refuse("new", weakness.text_id, **weakness.facts)
        if new != form.raw("again"):
            form.refuse("again", "accounts.passwords_differ")
        if new and new == form.raw("old"):
            form.refuse("new", "accounts.password_same")
        if not form.is_good or principal.user_id is None:
            return _account_page(request, status=400)
        try:
            done = sign_in.change_password(principal.user_id, form.raw("old"), new, _address_of(request))
        except SignInRefused as refusal:
            _record_refusal(trail, CHANGE_PASSWORD, refusal)
            return _account_page(request, status=_refuse(request, "old", refusal))
        _record_or_undo(trail, sign_in, done, CHANGE_PASSWORD)
        return _entering(request, done, "/account", say_id="accounts.password_changed")

    return ConsolePart("", router, "gateway.runtime.console", public=frozenset(("/login",)))


def _account_page(request: Request, *, status: int = 200) -> Response:
    grants = sorted(visitor_of(request).principal.grants, key=lambda grant: (grant.role, grant.scope))
    return page(request, "account.html", status=status, grants=grants, minimum=MIN_CHARACTERS, maximum=MAX_CHARACTERS)


def _entering(request: Request, done: SignedIn, target: str, *, say_id: str | None = None) -> Response:
    """Return the answer that hands the new session to the browser, whose old secrets it replaces."""
    state = open_page(request.scope)
    secure = state.pages.secure
    state.secret = done.token
    answer = redirect(request, target, say_id=say_id)
    state.headers.append(set_cookie("session", done.token, secure=secure))
    state.headers.append(delete_cookie("visit", secure=secure))
    return answer


def _refuse(request: Request, field: str, refusal: SignInRefused) -> int:
    """Say why nobody was let in, as far as that may be told; return the status."""
    form = form_of(request)
    if refusal.paused_until is not None:
        form.refuse(field, "accounts.paused", until=formats_of(request).time(refusal.paused_until))
        return 429
    form.refuse(field, "accounts.refused" if field == "sign_in" else "accounts.old_password_wrong")
    return 403


def _record_refusal(trail: Trail, event: str, refusal: SignInRefused) -> None:
    if refusal.reason is not Refusal.PAUSED:  # those within a pause are not looked at, so there is nothing to tell
        _record(trail, Deed(event, refusal.user, auth=SESSION, url="/login", reason=refusal.reason.value))
        if refusal.paused_until is not None:
            until = {"until": refusal.paused_until.isoformat(timespec="seconds")}
            _record(trail, Deed(PAUSE, refusal.user, auth=SESSION, url="/login", data=until))


def _record_or_undo(trail: Trail, sign_in: SignIn, done: SignedIn, event: str) -> None:
    """Put a new session on record, or end it again."""
    try:
        _record(trail, Deed(event, done.principal.name, auth=SESSION, url="/login"))
    except PageError:
        sign_in.sign_out(done.token)
        raise


def _record(trail: Trail, deed: Deed) -> None:
    try:
        trail.write(deed)
    except TrailUnavailable as cause:
        log.error("the audit log cannot be written: %s", cause)
        raise PageError(500, "accounts.trail_unavailable") from cause


def _address_of(request: Request) -> str:
    return request.client.host if request.client else ""
