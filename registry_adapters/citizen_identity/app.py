"""The provider as an ASGI application: discovery, authorization code with PKCE, tokens, userinfo, signing out.

    GET  /.well-known/openid-configuration   OpenID Connect Discovery 1.0
    GET  /authorize                          the list of persons; /choose goes back to the site with a code
    POST /token                              code and verifier for tokens (RFC 6749, 4.1.3; RFC 7636, 4.5)
    GET  /userinfo, /jwks, /logout

Its pages say that it is for tests. Choosing a person is a link and no form: browsers hold a form to its own site,
also where the answer sends it on.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlencode

from fastapi import APIRouter
from starlette.applications import Starlette
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from gateway.runtime import texts
from gateway.runtime.accounts.model import Principal
from gateway.runtime.clock import Clock, SystemClock
from gateway.runtime.console.app import Console, ConsolePart, console_app
from gateway.runtime.console.pages import open_page, page
from gateway.runtime.console.visitors import OneVisitor
from registry_adapters.citizen_identity.persons import accounts
from registry_adapters.citizen_identity.settings import ClientSettings, IdentitySettings
from registry_adapters.citizen_identity.tokens import ALGORITHM, TOKEN_LIVES, AuthorizationRequest, Grant, Tokens

PACKAGE: Final = "registry_adapters.citizen_identity"
FOR_TESTS: Final = "for tests only · лише для випробувань"  # in the title and at the foot of every page
MAX_BODY_BYTES: Final = 16 * 1024
_PRIVATE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_PAGES: Final = frozenset(("/about", "/authorize", "/choose", "/logout"))


@dataclass(frozen=True, slots=True)
class _Provider:
    settings: IdentitySettings
    tokens: Tokens
    clock: Clock

    def issuer(self, request: Request) -> str:
        return (self.settings.issuer or str(request.base_url)).rstrip("/")


def build_identity(settings: IdentitySettings, clock: Clock | None = None) -> Starlette:
    """Return the application."""
    texts.register("registry_adapters")
    clock = clock or SystemClock()
    provider = _Provider(settings, Tokens(clock), clock)
    nobody = OneVisitor(Principal("nobody", frozenset()))
    console = Console(
        nobody,
        lambda: FOR_TESTS,
        [_pages(provider)],
        secure=False,
        name_id="identity.site",
        signs_in=False,
        requests_per_second=0,
        requests_per_minute=0,
    )
    return Starlette(
        routes=[
            Route("/", lambda _request: RedirectResponse("/about", 303)),
            Route("/.well-known/openid-configuration", _discovery(provider)),
            Route("/jwks", lambda _request: JSONResponse(provider.tokens.jwks())),
            Route("/token", _token(provider), methods=["POST"]),
            Route("/userinfo", _userinfo(provider)),
            Mount("/", console_app(console)),
        ]
    )


def _discovery(provider: _Provider) -> Any:
    def discovery(request: Request) -> Response:
        issuer = provider.issuer(request)
        return JSONResponse(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token",
                "userinfo_endpoint": f"{issuer}/userinfo",
                "jwks_uri": f"{issuer}/jwks",
                "end_session_endpoint": f"{issuer}/logout",
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": [ALGORITHM],
                "code_challenge_methods_supported": ["S256"],
                "scopes_supported": ["openid", "profile"],
                "claims_supported": ["sub", "name", "rnokpp", "unzr", "represents"],
                "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
                "authorization_response_iss_parameter_supported": True,
                "ui_locales_supported": list(texts.LANGUAGES),
            }
        )

    return discovery


def _pages(provider: _Provider) -> ConsolePart:
    router, settings, tokens = APIRouter(), provider.settings, provider.tokens

    @router.get("/about")
    def about(request: Request) -> Response:
        return page(request, "identity/about.html")

    @router.get("/authorize")
    def authorize(request: Request) -> Response:
        query = request.query_params
        _speak(request, query.get("ui_locales", ""))
        client = settings.client(query.get("client_id", ""))
        if client is None or query.get("redirect_uri") not in client.redirect_uris:
            return page(request, "identity/bad.html", status=400, text_id="identity.bad_client")
        error = _error_of(query)
        if error is not None:
            back = {"error": error, "state": query.get("state"), "iss": provider.issuer(request)}
            return _back(query["redirect_uri"], back)
        asked = AuthorizationRequest(
            client.client_id, query["redirect_uri"], query.get("state"), query.get("nonce"), query["code_challenge"]
        )
        listed = accounts(settings.seed, provider.clock.now().date())
        return page(
            request, "identity/choose.html", client=client.client_id, accounts=listed, key=tokens.requests.put(asked)
        )

    @router.get("/choose")
    def choose(request: Request, request_key: str = "", person: int = 0) -> Response:
        asked = tokens.requests.take(request_key)
        if asked is None:
            return page(request, "identity/bad.html", status=400, text_id="identity.bad_request")
        back = {"state": asked.state, "iss": provider.issuer(request)}
        listed = accounts(settings.seed, provider.clock.now().date())
        chosen = next((one for one in listed if one.number == person), None)
        if chosen is None:
            return _back(asked.redirect_uri, {"error": "access_denied", **back})
        return _back(asked.redirect_uri, {"code": tokens.codes.put(Grant(asked, chosen)), **back})

    @router.get("/logout")
    def logout(request: Request) -> Response:
        query = request.query_params
        _speak(request, query.get("ui_locales", ""))
        client, back = settings.client(query.get("client_id", "")), query.get("post_logout_redirect_uri")
        known = client is not None and back in client.post_logout_redirect_uris
        return page(request, "identity/signed_out.html", back=back if known else None)

    return ConsolePart("", router, PACKAGE, public=_PAGES)


def _error_of(query: Mapping[str, str]) -> str | None:
    """Return what a site is told when its request is wrong (RFC 6749, 4.1.2.1)."""
    if query.get("response_type") != "code":
        return "unsupported_response_type"
    if "openid" not in query.get("scope", "").split():
        return "invalid_scope"
    if not query.get("code_challenge") or query.get("code_challenge_method") != "S256":
        return "invalid_request"
    return None


def _token(provider: _Provider) -> Any:
    async def token(request: Request) -> Response:
        if int(request.headers.get("content-length") or MAX_BODY_BYTES + 1) > MAX_BODY_BYTES:
            return _refusal("invalid_request")
        form = await request.form()
        client = _client_of(request, form, provider.settings)
        if client is None:
            return _refusal("invalid_client", 401)
        if form.get("grant_type") != "authorization_code":
            return _refusal("unsupported_grant_type")
        words = {name: str(form.get(name, "")) for name in ("code", "redirect_uri", "code_verifier")}
        grant = provider.tokens.redeem(words["code"], client.client_id, words["redirect_uri"], words["code_verifier"])
        if grant is None:
            return _refusal("invalid_grant")
        answer = {
            "access_token": provider.tokens.access.put(grant.account),
            "token_type": "Bearer",
            "expires_in": int(TOKEN_LIVES.total_seconds()),
            "id_token": provider.tokens.id_token(provider.issuer(request), grant),
        }
        return JSONResponse(answer, headers=_PRIVATE)

    return token


def _userinfo(provider: _Provider) -> Any:
    def userinfo(request: Request) -> Response:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        account = provider.tokens.access.find(token) if kind.lower() == "bearer" else None
        if account is None:
            return Response(status_code=401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
        return JSONResponse(account.claims(), headers=_PRIVATE)

    return userinfo


def _client_of(request: Request, form: FormData, settings: IdentitySettings) -> ClientSettings | None:
    """Return the client that calls, its secret checked where it has one."""
    stated, secret = str(form.get("client_id", "")), str(form.get("client_secret", ""))
    kind, _, encoded = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeError):
            return None
        stated, secret = unquote(name), unquote(password)
    client = settings.client(stated)
    if client is None or not secrets.compare_digest(client.client_secret.encode(), secret.encode()):
        return None
    return client


def _refusal(error: str, status: int = 400) -> Response:
    return JSONResponse({"error": error}, status_code=status, headers=_PRIVATE)


def _back(redirect_uri: str, facts: Mapping[str, str | None]) -> Response:
    query = urlencode({name: value for name, value in facts.items() if value is not None})
    return RedirectResponse(f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{query}", status_code=303)


def _speak(request: Request, locales: str) -> None:
    """Use the first language we have of those that the site asked for."""
    found = next((one for one in locales.split() if one in texts.LANGUAGES), None)
    if found is not None:
        open_page(request.scope).language = found
