"""A small console: an open part, a part for keepers, one visitor."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import APIRouter, Request, Response

from gateway.runtime.accounts.model import Principal
from gateway.runtime.console.app import Console, ConsolePart, console_app
from gateway.runtime.console.forms import form_of_query
from gateway.runtime.console.pages import (
    NavItem,
    PageError,
    download,
    form_of,
    page,
    redirect,
    visitor_of,
)
from gateway.runtime.console.visitors import Visitor

PACKAGE = "tests.gateway.runtime.console"
TOKEN = re.compile(r'name="csrf_token" value="([0-9a-f]+)"')
HOST = "ss.test"


@dataclass
class Site:
    """A console over these visitors, by the secret in their cookie."""

    visitors: dict[str, Visitor] = field(default_factory=dict)
    seen: list[Any] = field(default_factory=list)
    per_second: int = 0

    async def find_visitor(self, secret: str) -> Visitor | None:
        return self.visitors.get(secret)

    def app(self) -> Any:
        keepers = ("KEEPER",)
        parts = [
            ConsolePart(
                "/things", self._things(), PACKAGE, ("READER", "KEEPER"), (NavItem("/things", "console.name"),)
            ),
            ConsolePart(
                "/things/keep", self._keep(), PACKAGE, keepers, (NavItem("/things/keep", "console.skip", keepers),)
            ),
            ConsolePart("/open", self._open(), PACKAGE, public=frozenset(("/open",))),
            ConsolePart("/moving", self._open(), PACKAGE, public=frozenset(("/moving",)), scripted=True),
        ]
        return console_app(Console(self, lambda: "UA/GOV/1/SS1", parts, requests_per_second=self.per_second))

    def client(self, roles: str | None = None, **headers: str) -> httpx.AsyncClient:
        """A browser; with roles (words) somebody is signed in."""
        cookies = {}
        if roles is not None:
            secret = f"secret-{len(self.visitors)}"
            self.visitors[secret] = Visitor(Principal("олена", frozenset(roles.split())), secret)
            cookies = {"__Host-surma-session": secret}
        transport = httpx.ASGITransport(self.app(), raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=f"https://{HOST}", cookies=cookies, headers=headers)

    def _open(self) -> APIRouter:
        router = APIRouter()

        @router.get("")
        def show(request: Request) -> Response:
            return page(request, "things.html", form=form_of_query(request))

        return router

    def _things(self) -> APIRouter:
        router = APIRouter()

        @router.get("")
        def show(request: Request) -> Response:
            return page(request, "things.html", refresh_s=5)

        @router.post("")
        def change(request: Request) -> Response:
            form = form_of(request)
            self.seen.append((visitor_of(request).principal.name, form.text("name"), form.file("file")))
            if not form.text("name"):
                form.refuse("name", "console.required")
                return page(request, "things.html", status=400)
            return redirect(request, "/things?a=1", say_id="console.progress", done=form.text("name"), total=2)

        @router.get("/file")
        def file() -> Response:
            return download(b"content", 'звіт "1".txt', "text/plain")

        @router.get("/{what}")
        def fail(what: str) -> Response:
            if what == "refused":
                raise PageError(404, "console.not_found")
            raise RuntimeError(f"the secret of {what}")

        return router

    def _keep(self) -> APIRouter:
        router = APIRouter()

        @router.get("")
        def show(request: Request) -> Response:
            return page(request, "things.html")

        return router


async def token_in(http: httpx.AsyncClient, path: str) -> str:
    """The token in the form of a page."""
    found = TOKEN.search((await http.get(path)).text)
    assert found is not None
    return found[1]
