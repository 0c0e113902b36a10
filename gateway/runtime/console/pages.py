"""Pages from templates: escaped by default, in the visitor's language, with what every page shows.

A handler ends in `page(request, "area/name.html", fact=…)` or `redirect(request, "/area/…")`. Templates
extend `base.html`, import `macros.html` with context, and are given, beside the facts:

    t(id, **facts)      the sentence of a catalogue in the visitor's language
    tn(id, n, **facts)  the same for a number: id_one, id_few or id_many
    fmt                 Formats: fmt.time(at), fmt.number(n), fmt.size(bytes), fmt.duration(s), fmt.date(at)
    language, visitor, here, query, navigation, server, csrf_token(), asset(name), flash, form
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import partial
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from gateway.runtime import texts
from gateway.runtime.accounts.model import EVERYTHING, Principal
from gateway.runtime.console import csrf
from gateway.runtime.console.assets import Assets
from gateway.runtime.console.cookies import set_cookie
from gateway.runtime.console.formats import Formats, plural_form
from gateway.runtime.console.forms import Form
from gateway.runtime.console.visitors import Visitor

CONSOLE: Final = "gateway.runtime.console"
LANGUAGE_NAMES: Final = {"en": "English", "uk": "Українська"}
MAX_FLASH_CHARACTERS: Final = 1500
STILL: Final = "still"  # the query parameter of a page that shall not reload itself
_SCOPE_KEY: Final = "surma.page"


@dataclass(frozen=True, slots=True)
class NavItem:
    """A link in the navigation; shown to callers with one of `roles`, or to all who are signed in.

    With `whole` the role counts only where it was granted for everything.
    """

    path: str
    text_id: str
    roles: tuple[str, ...] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Pages:
    """Templates and style of a console; `server` says which server this is, for the foot of each page."""

    environment: Environment
    assets: Assets
    navigation: tuple[NavItem, ...]
    zone: tzinfo
    server: Callable[[], str]
    secure: bool
    signs_in: bool  # whether there are accounts: a program for one person has none
    name_id: str  # the text of the console's name


@dataclass(slots=True)
class PageState:
    """What is known of the request while its page is made."""

    pages: Pages
    language: str
    visitor: Visitor | None
    secret: str | None  # of the session, or of the visit before it
    form: Form
    flash: str | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    @property
    def formats(self) -> Formats:
        """How this visitor reads times and numbers."""
        return Formats(self.language, self.pages.zone)

    def csrf_token(self) -> str:
        """Return the token for a form; a visitor without session is given a secret of the visit first."""
        if self.secret is None:
            self.secret = csrf.new_secret()
            self.headers.append(set_cookie("visit", self.secret, secure=self.pages.secure))
        return csrf.token_of(self.secret)


class PageError(Exception):
    """A page that cannot be shown: a status and the sentence that says why."""

    def __init__(self, status: int, text_id: str, **facts: object) -> None:
        super().__init__(status, text_id)
        self.status = status
        self.text_id = text_id
        self.facts = facts


def pages_of(
    packages: Sequence[str],
    *,
    navigation: Sequence[NavItem] = (),
    zone: tzinfo,
    server: Callable[[], str],
    secure: bool,
    signs_in: bool,
    name_id: str,
) -> Pages:
    """Return the pages of a console: our templates first, then those of `packages`."""
    every = list(dict.fromkeys((CONSOLE, *packages)))
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package, "templates") for package in every]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    return Pages(environment, Assets(every), tuple(navigation), zone, server, secure, signs_in, name_id)


def open_page(request_scope: Mapping[str, Any]) -> PageState:
    """Return the state of a request; only inside a console."""
    state = request_scope.get(_SCOPE_KEY)
    if not isinstance(state, PageState):
        raise RuntimeError("this request does not belong to a console")
    return state


def begin_page(scope: MutableMapping[str, Any], state: PageState) -> None:
    """Attach the state to a request."""
    scope[_SCOPE_KEY] = state


def visitor_of(request: Request) -> Visitor:
    """Return who is signed in; only for pages that are not public."""
    visitor = open_page(request.scope).visitor
    if visitor is None:
        raise PageError(403, "console.forbidden")
    return visitor


def is_open_to(principal: Principal, roles: tuple[str, ...], *, whole: bool) -> bool:
    """Tell whether a caller has one of `roles`, with `whole` for everything; no roles are open to all."""
    if not roles or not whole:
        return not roles or principal.has_any(*roles)
    return any(EVERYTHING in principal.scopes_of(role) for role in roles)


def form_of(request: Request) -> Form:
    """Return the form of a POST, whose token has been checked."""
    return open_page(request.scope).form


def formats_of(request: Request) -> Formats:
    """Return how the visitor reads and types times."""
    return open_page(request.scope).formats


def say(request: Request, text_id: str, **facts: object) -> str:
    """Return a sentence in the visitor's language."""
    return texts.render(text_id, facts, open_page(request.scope).language)


def page(
    request: Request, template: str, *, status: int = 200, refresh_s: int | None = None, **facts: object
) -> HTMLResponse:
    """Return the page that a template makes of `facts`.

    With `refresh_s` the browser asks again after so many seconds, unless the visitor stopped that
    (`?still=1`); the template shows the `progress` macro, which says so.
    """
    state = open_page(request.scope)
    reloads = refresh_s is not None and STILL not in request.query_params
    html = state.pages.environment.get_template(template).render(_context(request, state, reloads=reloads), **facts)
    answer = HTMLResponse(html, status_code=status)
    if reloads:
        answer.headers["Refresh"] = str(refresh_s)
    return answer


def redirect(request: Request, path: str, *, say_id: str | None = None, **facts: object) -> RedirectResponse:
    """Return a redirection (303) to a path of ours; the next page shows the sentence `say_id` once."""
    answer = RedirectResponse(safe_path(path), status_code=303)
    state = open_page(request.scope)
    if say_id is not None and state.secret is not None:
        sealed = seal_flash(state.secret, say_id, facts)
        state.headers.append(set_cookie("flash", sealed, secure=state.pages.secure))
    return answer


def download(content: bytes, name: str, media_type: str = "application/octet-stream") -> Response:
    """Return a file to be kept; a browser never opens it within this origin."""
    ascii_name = name.encode("ascii", "replace").decode().translate(str.maketrans('"\\', "__"))
    disposition = f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name, safe='')}"
    return Response(content, media_type=media_type, headers={"Content-Disposition": disposition})


def safe_path(target: str | None, default: str = "/") -> str:
    """Return `target` when it is a path on this server, else `default`; never an address of others."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return default
    if any(ord(sign) < 0x20 or sign in "\\\x7f" for sign in target):
        return default
    try:
        parts = urlsplit(target)
    except ValueError:
        return default
    return default if parts.scheme or parts.netloc else quote(target, safe="/?&=%:@!$'()*+,;~#[]-._")


def here_of(request: Request, **changes: str | None) -> str:
    """Return path and query of the present page, with parameters changed, or left out where None."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in changes]
    query = urlencode([*kept, *((name, value) for name, value in changes.items() if value is not None)])
    return quote(request.url.path, safe="/:@!$&'()*+,;=-._~") + (f"?{query}" if query else "")


def seal_flash(secret: str, text_id: str, facts: Mapping[str, object]) -> str:
    """Return a sentence as the value of a cookie that only `secret` opens; empty facts when they are too long."""
    shown = {name: value if isinstance(value, int) else str(value) for name, value in facts.items()}
    content = json.dumps([text_id, shown], ensure_ascii=False).encode()
    if len(content) > MAX_FLASH_CHARACTERS // 2:
        content = json.dumps([text_id, {}]).encode()
    return f"{base64.urlsafe_b64encode(content).decode().rstrip('=')}.{_seal(secret, content)}"


def open_flash(secret: str, value: str, language: str) -> str | None:
    """Return the sentence in a cookie; None when it was not sealed with `secret`."""
    encoded, _, seal = value.partition(".")
    try:
        content = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except ValueError:
        return None
    if not hmac.compare_digest(_seal(secret, content).encode(), seal.encode()):
        return None
    text_id, facts = json.loads(content)
    return texts.render(text_id, facts, language)


def _seal(secret: str, content: bytes) -> str:
    return hmac.new(secret.encode(), b"surma console flash" + content, hashlib.sha256).hexdigest()


def _context(request: Request, state: PageState, *, reloads: bool) -> dict[str, Any]:
    language = state.language
    visitor = state.visitor

    def t(text_id: str, /, **facts: object) -> str:
        return texts.render(text_id, facts, language)

    def tn(text_id: str, number: int, /, **facts: object) -> str:
        facts.setdefault("n", state.formats.number(number))
        return texts.render(f"{text_id}_{plural_form(number, language)}", facts, language)

    return {
        "t": t,
        "tn": tn,
        "fmt": state.formats,
        "language": language,
        "languages": LANGUAGE_NAMES,
        "visitor": visitor,
        "navigation": [
            item
            for item in state.pages.navigation
            if visitor is not None and is_open_to(visitor.principal, item.roles, whole=item.whole)
        ],
        "here": here_of(request),
        "here_with": partial(here_of, request),
        "path": request.url.path,
        "still_url": here_of(request, **{STILL: "1"}),
        "moving_url": here_of(request, **{STILL: None}),
        "reloads": reloads,
        "server": state.pages.server(),
        "name_id": state.pages.name_id,
        "signs_in": state.pages.signs_in,
        "csrf_field": csrf.FIELD,
        "csrf_token": state.csrf_token,
        "asset": state.pages.assets.path,
        "flash": state.flash,
        "form": state.form,
    }
