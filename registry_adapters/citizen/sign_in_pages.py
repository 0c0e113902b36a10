"""Signing in at the identity provider and out here, and one's own account: whom one speaks for."""

from __future__ import annotations

import logging
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from gateway.runtime.console.app import ConsolePart
from gateway.runtime.console.cookies import cookie_name, delete_cookie, read_cookies, set_cookie
from gateway.runtime.console.pages import open_page, page, redirect, safe_path, visitor_of
from registry_adapters.citizen.deps import CitizenDeps, language_of
from registry_adapters.citizen.oidc import SignInError
from registry_adapters.citizen.representation import CivilStatusSilentError, find_children
from registry_adapters.citizen.sign_in import ATTEMPT_LIVES

log = logging.getLogger(__name__)

PACKAGE: Final = "registry_adapters.citizen"
CALLBACK: Final = "/login/callback"
SIGNED_OUT: Final = "/signed-out"
FIRST_PAGE: Final = "/mine"
_PUBLIC: Final = frozenset(("/login", "/login/begin", CALLBACK, SIGNED_OUT))


def sign_in_pages(deps: CitizenDeps) -> ConsolePart:
    """Return /login, /logout and /account."""
    router = APIRouter()

    @router.get("/login")
    def show_sign_in(request: Request, next: str = FIRST_PAGE) -> Response:
        if open_page(request.scope).visitor is not None:
            return RedirectResponse(safe_path(next, FIRST_PAGE), status_code=303)
        return page(request, "citizen/login.html", next=safe_path(next, FIRST_PAGE), issuer=deps.settings.oidc.issuer)

    # A link and no form: browsers hold a form to its own site, also where the answer sends it on.
    @router.get("/login/begin")
    def begin(request: Request, next: str = FIRST_PAGE) -> Response:
        state = open_page(request.scope)
        try:
            begun = deps.sign_in.begin(safe_path(next, FIRST_PAGE), state.language)
        except SignInError as refusal:
            return _refused(request, refusal)
        # Lax: the browser comes back from another site, and brings no stricter cookie along.
        state.headers.append(
            set_cookie(
                "oidc",
                begun.browser,
                secure=state.pages.secure,
                max_age_s=int(ATTEMPT_LIVES.total_seconds()),
                same_site="Lax",
            )
        )
        return RedirectResponse(begun.url, status_code=303)

    @router.get(CALLBACK)
    def finish(request: Request, state: str = "", code: str | None = None, iss: str | None = None) -> Response:
        here = open_page(request.scope)
        browser = read_cookies(request.scope["headers"]).get(cookie_name("oidc", secure=here.pages.secure))
        try:
            entered = deps.sign_in.finish(state=state, browser=browser, code=code, issuer=iss)
        except SignInError as refusal:
            return _refused(request, refusal)
        if here.visitor is not None:
            deps.sign_in.sign_out(here.visitor.secret)
        secure = here.pages.secure
        # Lax: a link to this page, as in a message that tells of a look, finds the session.
        here.headers.append(set_cookie("session", entered.token, secure=secure, same_site="Lax"))
        here.headers.append(delete_cookie("oidc", secure=secure))
        here.headers.append(delete_cookie("visit", secure=secure))
        return RedirectResponse(safe_path(entered.target, FIRST_PAGE), status_code=303)

    @router.post("/logout")
    def end(request: Request) -> Response:
        deps.sign_in.sign_out(visitor_of(request).secret)
        state = open_page(request.scope)
        state.headers.append(delete_cookie("session", secure=state.pages.secure))
        return RedirectResponse(SIGNED_OUT, status_code=303)

    @router.get(SIGNED_OUT)
    def signed_out(request: Request) -> Response:
        back = deps.sign_in.oidc.redirect_uri.removesuffix(CALLBACK) + SIGNED_OUT
        return page(
            request, "citizen/signed_out.html", provider=deps.sign_in.oidc.end_session_url(back, language_of(request))
        )

    @router.get("/account")
    def account(request: Request) -> Response:
        citizen = deps.citizen_of(request)
        return page(
            request, "citizen/account.html", citizen=citizen, asks_civil_status=bool(deps.settings.civil_status)
        )

    @router.post("/account/children")
    def children(request: Request) -> Response:
        citizen = deps.citizen_of(request)
        try:
            found = find_children(deps.client, deps.settings, citizen.oneself.code, deps.today())
        except CivilStatusSilentError as cause:
            log.warning("the civil-status registry does not answer: %s", type(cause.__cause__).__name__)
            return redirect(request, "/account", say_id="citizen.children_silent")
        added = deps.sign_in.add_children(citizen, found)
        if not added:
            return redirect(request, "/account", say_id="citizen.children_none")
        return redirect(request, "/account", say_id="citizen.children_found", count=added)

    return ConsolePart("", router, PACKAGE, public=_PUBLIC)


def _refused(request: Request, refusal: SignInError) -> Response:
    log.info("a sign-in is refused: %s", refusal.text_id)
    return page(request, "citizen/refused.html", status=refusal.status, text_id=refusal.text_id, facts=refusal.facts)
