"""A web console: the parts of several areas behind one door, one ASGI application.

The layer around the routes does what no page may forget: it bounds rate and size, finds out who is
signed in, sends others to sign in and back, lets a part be seen with its roles only, checks token and
origin of every form before a handler sees it, sets the headers that keep a browser from harm, and turns
every error into a page.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any, Final
from urllib.parse import quote

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.runtime import logs, texts
from gateway.runtime.admin_api import RateLimit, calling_from
from gateway.runtime.console import csrf
from gateway.runtime.console.cookies import cookie_name, delete_cookie, read_cookies, set_cookie
from gateway.runtime.console.forms import Form, read_form
from gateway.runtime.console.pages import (
    NavItem,
    PageError,
    Pages,
    PageState,
    begin_page,
    here_of,
    is_open_to,
    open_flash,
    open_page,
    page,
    pages_of,
    safe_path,
)
from gateway.runtime.console.visitors import Doorkeeper, OneVisitor

log = logging.getLogger(__name__)

LANGUAGE_COOKIE_S: Final = 365 * 24 * 3600
MAX_FORM_BYTES: Final = 64 * 1024
MAX_UPLOAD_BYTES: Final = 10 * 1024 * 1024
SECURITY_HEADERS: Final = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
        b"frame-ancestors 'none'; base-uri 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # no-referrer would make browsers hide the origin of our own forms
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_SCRIPTED: Final = b"; script-src 'self'; connect-src 'self'"
_SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS"))


@dataclass(frozen=True, slots=True)
class ConsolePart:
    """The pages of one area: all below `prefix`, seen with one of `roles` only; empty means anybody signed in.

    With `whole` the role counts only where it was granted for everything. `package` has a `templates` folder
    (whose files lie in a folder named for the area) and may have a `static` one. Paths in `public` need
    nobody to be signed in.
    """

    prefix: str
    router: APIRouter
    package: str
    roles: tuple[str, ...] = ()
    navigation: tuple[NavItem, ...] = ()
    public: frozenset[str] = frozenset()
    whole: bool = False
    scripted: bool = False


@dataclass(frozen=True, slots=True)
class Console:
    """What a console is made of; `secure` is whether it is served over HTTPS.

    `name_id` is the text of its name; whoever comes to `/` is led to `home` where there is one.
    """

    doorkeeper: Doorkeeper
    server: Callable[[], str]
    parts: Sequence[ConsolePart]
    zone: tzinfo = UTC
    secure: bool = True
    signs_in: bool = True
    requests_per_second: int = 20
    requests_per_minute: int = 600
    name_id: str = "console.name"
    home: str = "/"


def console_app(console: Console) -> ASGIApp:
    """Return the application."""
    navigation = [item for part in console.parts for item in part.navigation]
    pages = pages_of(
        [part.package for part in console.parts],
        navigation=navigation,
        zone=console.zone,
        server=console.server,
        secure=console.secure,
        signs_in=console.signs_in,
        name_id=console.name_id,
    )
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(_start_router(console.home))
    for part in _longest_first(console.parts):
        app.include_router(part.router, prefix=part.prefix)
    for kind in (PageError, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, _on_error)
    return _Door(app, console, pages)


def _longest_first(parts: Sequence[ConsolePart]) -> list[ConsolePart]:
    """Return parts so that one below another comes first: it has its own routes and roles."""
    return sorted(parts, key=lambda part: len(part.prefix), reverse=True)


def _start_router(home: str) -> APIRouter:
    router = APIRouter()

    @router.get("/")
    def start(request: Request) -> Response:
        return page(request, "start.html") if home == "/" else RedirectResponse(home, status_code=303)

    @router.get("/language/{code}")
    def choose_language(request: Request, code: str, next: str = "/") -> Response:
        if code not in texts.LANGUAGES:
            raise PageError(404, "console.not_found")
        state = open_page(request.scope)
        state.headers.append(
            set_cookie("lang", code, secure=state.pages.secure, max_age_s=LANGUAGE_COOKIE_S, same_site="Lax")
        )
        return RedirectResponse(safe_path(next), status_code=303)

    return router


def entrance(one: OneVisitor) -> ConsolePart:
    """Return the part by which the one visitor of a program comes in: `/enter?key=…`."""
    router = APIRouter()

    @router.get("")
    def enter(request: Request, key: str = "") -> Response:
        state = open_page(request.scope)
        state.headers.append(set_cookie("session", key if key == one.key else "-", secure=state.pages.secure))
        return RedirectResponse("/", status_code=303)

    return ConsolePart("/enter", router, "gateway.runtime.console", public=frozenset(("/enter",)))


def _on_error(request: Request, error: Exception) -> Response:
    return _error_page(request, error)


def _error_page(request: Request, error: Exception) -> Response:
    status, text_id, facts = _reason_of(error)
    if status >= 500:
        facts.setdefault("number", request.scope.get("surma.correlation", ""))
    return page(request, "error.html", status=status, code=status, text_id=text_id, facts=facts)


def _reason_of(error: Exception) -> tuple[int, str, dict[str, object]]:
    if isinstance(error, PageError):
        return error.status, error.text_id, dict(error.facts)
    if isinstance(error, RequestValidationError):
        return 400, "console.bad_request", {}
    if isinstance(error, HTTPException):
        known = {403: "console.forbidden", 404: "console.not_found", 405: "console.not_found", 413: "console.too_large"}
        return error.status_code, known.get(error.status_code, "console.bad_request"), {}
    return 500, "console.failure", {}


class _Door:
    """The ASGI layer that `console_app` returns."""

    def __init__(self, app: ASGIApp, console: Console, pages: Pages) -> None:
        self._app = app
        self._console = console
        self._pages = pages
        self._rate = RateLimit(console.requests_per_second, console.requests_per_minute)
        self._parts = _longest_first(console.parts)
        self._public = frozenset(("/",)).union(*(part.public for part in console.parts))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        correlation = scope["surma.correlation"] = scope.get("surma.correlation") or str(uuid.uuid4())
        static = self._pages.assets.find(scope["path"]) if scope["method"] in ("GET", "HEAD") else None
        request = Request(scope, receive)
        state = PageState(self._pages, self._language_of(request), None, None, Form())
        begin_page(scope, state)
        part = self._part_of(scope["path"])
        scripted = part is not None and part.scripted
        sender = _Dressed(send, state, cacheable=static is not None, scripted=scripted)
        with logs.exchange(correlation), calling_from(scope):
            try:
                if static is not None:
                    await static(scope, receive, sender)
                    return
                answer = await self._admit(request, state)
                await (answer or self._app)(scope, _replayed(receive, scope), sender)
            except (PageError, HTTPException) as error:
                await self._refuse(request, error, sender)
            except Exception as error:
                log.exception("console request failed", extra={"method": scope["method"], "path": scope["path"]})
                await self._refuse(request, error, sender)

    def _language_of(self, request: Request) -> str:
        chosen = read_cookies(request.scope["headers"]).get(cookie_name("lang", secure=self._console.secure))
        return chosen if chosen in texts.LANGUAGES else texts.choose_language(request.headers.get("accept-language"))

    async def _admit(self, request: Request, state: PageState) -> Response | None:
        """Check everything that stands before a page; return an answer that goes out instead of it."""
        await self._recognise(request, state)
        if not self._rate.admits(request.client.host if request.client else ""):
            raise PageError(429, "console.too_many_requests")
        path = request.url.path
        is_public = path in self._public or path.startswith("/language/")
        if state.visitor is None and not is_public:
            if not self._console.signs_in:
                raise PageError(403, "console.not_entered")
            back = here_of(request) if request.method in _SAFE else path
            return RedirectResponse(f"/login?next={quote(back, safe='')}", status_code=303)
        if request.method not in _SAFE:
            await self._check_form(request, state)
        if state.visitor is None:
            return None
        part = self._part_of(path)
        if part is not None and not is_public and not is_open_to(state.visitor.principal, part.roles, whole=part.whole):
            raise PageError(403, "console.forbidden")
        return None

    def _part_of(self, path: str) -> ConsolePart | None:
        return next((part for part in self._parts if _is_below(path, part.prefix)), None)

    async def _recognise(self, request: Request, state: PageState) -> None:
        secure = self._console.secure
        cookies = read_cookies(request.scope["headers"])
        secret = cookies.get(cookie_name("session", secure=secure))
        if secret is not None:
            state.visitor = await self._console.doorkeeper.find_visitor(secret)
        state.secret = state.visitor.secret if state.visitor else cookies.get(cookie_name("visit", secure=secure))
        flash = cookies.get(cookie_name("flash", secure=secure))
        if flash is not None and state.secret is not None and request.method in ("GET", "HEAD"):
            state.flash = open_flash(state.secret, flash, state.language)
            state.headers.append(delete_cookie("flash", secure=secure))
        if state.visitor is not None:
            request.scope["surma.principal"] = state.visitor.principal

    async def _check_form(self, request: Request, state: PageState) -> None:
        headers = request.headers
        if not csrf.is_own_origin(
            host=headers.get("host"), origin=headers.get("origin"), fetch_site=headers.get("sec-fetch-site")
        ):
            raise PageError(403, "console.foreign_form")
        is_upload = headers.get("content-type", "").startswith("multipart/form-data")
        limit = MAX_UPLOAD_BYTES if is_upload else MAX_FORM_BYTES
        try:
            state.form = await read_form(Request(request.scope, _bounded(request.receive, limit)), max_file_bytes=limit)
        except MultiPartException as cause:
            raise PageError(400, "console.bad_request") from cause
        if state.secret is None or not csrf.matches(state.secret, state.form.raw(csrf.FIELD)):
            raise PageError(403, "console.stale_form")

    @staticmethod
    async def _refuse(request: Request, error: Exception, sender: _Dressed) -> None:
        if not sender.started:
            answer = _error_page(request, error)
            if answer.status_code == 429:
                answer.headers["Retry-After"] = "60"
            await answer(request.scope, request.receive, sender)


def _is_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix.rstrip("/") + "/")


def _bounded(receive: Receive, limit: int) -> Receive:
    received = 0

    async def bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise PageError(413, "console.too_large")
        return message

    return bounded


def _replayed(receive: Receive, scope: Scope) -> Receive:
    """Return what a handler receives: the body of a form has been read already."""
    if scope["method"] in _SAFE:
        return receive
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": b"", "more_body": False}

    return replayed


def _scripted_headers() -> tuple[tuple[bytes, bytes], ...]:
    (name, policy), *others = SECURITY_HEADERS
    return (name, policy + _SCRIPTED), *others


class _Dressed:
    """Adds the headers of every answer on the way out; knows whether one has begun."""

    def __init__(self, send: Send, state: PageState, *, cacheable: bool, scripted: bool) -> None:
        self._send = send
        self._state = state
        self._cacheable = cacheable
        self._headers = _scripted_headers() if scripted else SECURITY_HEADERS
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            own: Any = [*self._headers, *self._state.headers]
            if not self._cacheable:
                own.append((b"cache-control", b"no-store"))
            message["headers"] = [*message.get("headers", ()), *own]
        await self._send(message)
