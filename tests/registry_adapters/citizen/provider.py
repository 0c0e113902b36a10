"""A small identity provider of somebody else's making, which can be told to misbehave: one thing at a time."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.registry_adapters.citizen.site import NOW
from tests.registry_adapters.citizen.watched import MARIANA
from tests.registry_adapters.shim import listening

Claims = dict[str, Any]
KEY = ECKey.generate_key("P-256", {"kid": "one", "use": "sig", "alg": "ES256"})
OTHER_KEY = ECKey.generate_key("P-256", {"kid": "one", "use": "sig", "alg": "ES256"})
RSA_KEY = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})


def _segment(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def signed(claims: Claims) -> str:
    """As it should be."""
    return jwt.encode({"alg": "ES256", "kid": "one"}, claims, KEY)


def signed_by_another_key(claims: Claims) -> str:
    return jwt.encode({"alg": "ES256", "kid": "one"}, claims, OTHER_KEY)


def unsigned(claims: Claims) -> str:
    return f"{_segment({'alg': 'none'})}.{_segment(claims)}."


def signed_with_the_public_key_as_a_secret(claims: Claims) -> str:
    """The old confusion of a public key with a shared secret."""
    secret = OctKey.import_key(json.dumps(KEY.as_dict(private=False)).encode())
    return jwt.encode({"alg": "HS256", "kid": "one"}, claims, secret, algorithms=["HS256"])


def signed_by_a_key_it_brings(claims: Claims) -> str:
    header = {"alg": "ES256", "kid": "one", "jwk": OTHER_KEY.as_dict(private=False)}
    return jwt.encode(header, claims, OTHER_KEY)


def changed_after_signing(claims: Claims) -> str:
    head, _, tail = signed(claims).split(".")
    return f"{head}.{_segment({**claims, 'rnokpp': '3288701236'})}.{tail}"


@dataclass
class Misbehaving:
    """A provider that signs everybody in as Mariana; each field is a way to go wrong."""

    url: str = ""
    edit: Callable[[Claims], Claims] = lambda claims: claims
    write: Callable[[Claims], str] = signed
    keys: Any = field(default_factory=lambda: KeySet([KEY]).as_dict(private=False))
    metadata: Claims = field(default_factory=dict)
    back: Claims = field(default_factory=dict)  # what it adds to, or takes from, the way back
    token_answer: Response | None = None
    userinfo: Claims = field(default_factory=dict)
    asked: list[Claims] = field(default_factory=list)  # the forms the token endpoint was sent

    def behave(self) -> None:
        """Forget all that went wrong."""
        fresh = Misbehaving(self.url)
        for name in ("edit", "write", "keys", "metadata", "back", "token_answer", "userinfo", "asked"):
            setattr(self, name, getattr(fresh, name))

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/jwks", lambda _request: JSONResponse(self.keys)),
                Route("/userinfo", lambda _request: JSONResponse(self.userinfo)),
            ]
        )

    def _discovery(self, _request: Request) -> Response:
        known = {name: f"{self.url}/{path}" for name, path in (
            ("authorization_endpoint", "authorize"), ("token_endpoint", "token"), ("jwks_uri", "jwks"),
            ("userinfo_endpoint", "userinfo"),
        )}  # fmt: skip
        return JSONResponse({"issuer": self.url, **known, **self.metadata})

    def _authorize(self, request: Request) -> Response:
        query = request.query_params
        self.nonce = query["nonce"]
        back = {"code": "c-1", "state": query["state"], **self.back}
        kept = {name: value for name, value in back.items() if value is not None}
        return RedirectResponse(f"{query['redirect_uri']}?{urlencode(kept)}", 303)

    async def _token(self, request: Request) -> Response:
        self.asked.append(dict(await request.form()))
        if self.token_answer is not None:
            return self.token_answer
        now = int(NOW.timestamp())
        claims = {
            "iss": self.url, "aud": "surma-citizen", "sub": "1", "iat": now, "exp": now + 300, "nonce": self.nonce,
            "name": "Ткаченко Мар'яна", "rnokpp": MARIANA,
        }  # fmt: skip
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": self.write(self.edit(claims))})


@contextmanager
def a_provider() -> Iterator[Misbehaving]:
    """Serve one."""
    provider = Misbehaving()
    with listening(provider.app()) as url:
        provider.url = url
        yield provider
