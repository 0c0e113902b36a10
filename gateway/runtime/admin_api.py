"""What both admin APIs share: errors, ids, correlation, authentication and limits (X-Road common-admin-api).

`protect` puts one ASGI layer around an application. It numbers every answer, refuses a caller without
a key before a byte of the body is read, bounds requests in rate and size, and turns every exception
into the reference's error object. Routes say which roles they need with `requires`.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, unquote

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.runtime import logs
from gateway.runtime.accounts.model import Principal
from gateway.runtime.admin_api_settings import AdminApiSettings as AdminApiSettings
from gateway.runtime.audit.model import TrailUnavailable, caller_address

log = logging.getLogger(__name__)

API_PREFIX: Final = "/api/v1"
CORRELATION_HEADER: Final = "x-road-ui-correlation-id"
_KEY_SCHEME: Final = re.compile(r"X-Road-ApiKey\s+token=(\S+)", re.IGNORECASE)
# X-Road's two identifier checks: the alphabet for new names, and what no name may hold.
_STRICT_ALPHABET: Final = re.compile(r"[a-zA-Z0-9'()+,\-.=?_]+")
_FORBIDDEN: Final = re.compile(r"[:;/\\%\x00-\x1f\x7f-\x9f\u200b\ufeff]")
_MAX_PART: Final = 255

Authenticate = Callable[[str], Awaitable[Principal | None]]
# Hears of a caller who is let in by no key.
OnRefused = Callable[[Scope], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ApiWarning:
    """Something a caller may decide to ignore."""

    code: str
    metadata: tuple[str, ...] = ()


class ApiError(Exception):
    """A refusal with the status and code of the reference."""

    def __init__(
        self,
        status: int,
        code: str,
        *metadata: object,
        validation_errors: dict[str, list[str]] | None = None,
        warnings: Sequence[ApiWarning] = (),
    ) -> None:
        super().__init__(status, code, *metadata)
        self.status = status
        self.code = code
        self.metadata = tuple(str(item) for item in metadata)
        self.validation_errors = validation_errors
        self.warnings = tuple(warnings)

    def body(self) -> dict[str, Any]:
        """Return the error object."""
        error: dict[str, Any] = {"code": self.code}
        if self.metadata:
            error["metadata"] = list(self.metadata)
        if self.validation_errors is not None:
            error["validation_errors"] = self.validation_errors
        body: dict[str, Any] = {"status": self.status, "error": error}
        if self.warnings:
            body["warnings"] = [{"code": item.code, "metadata": list(item.metadata)} for item in self.warnings]
        return body


def bad_request(code: str, *metadata: object) -> ApiError:
    """400: what is asked for makes no sense or is not allowed."""
    return ApiError(400, code, *metadata)


def not_found(code: str, *metadata: object) -> ApiError:
    """404: what is named is not there."""
    return ApiError(404, code, *metadata)


def conflict(code: str, *metadata: object) -> ApiError:
    """409: it collides with what is there."""
    return ApiError(409, code, *metadata)


def validation_failure(errors: dict[str, list[str]]) -> ApiError:
    """400: fields of the request are not as the API says; keys are dotted paths."""
    return ApiError(400, "validation_failure", validation_errors=errors)


def warnings_detected(warnings: Sequence[ApiWarning]) -> ApiError:
    """400: nothing was done; the caller may repeat with `ignore_warnings=true`."""
    return ApiError(400, "warnings_detected", warnings=warnings)


def encode_id(parts: Iterable[str]) -> str:
    """Join the parts of an identifier with `:`, each URL-encoded."""
    return ":".join(quote(part, safe="") for part in parts)


def decode_id(text: str, *lengths: int, code: str = "invalid_encoded_id") -> tuple[str, ...]:
    """Return the parts of an encoded identifier, which must be one of `lengths` many and none empty."""
    parts = tuple(unquote(part, errors="replace") for part in text.split(":"))
    if (lengths and len(parts) not in lengths) or not all(part.strip() for part in parts):
        raise bad_request(code, text)
    return parts


def check_identifier(name: str, value: str, *, strict: bool = True) -> str:
    """Return `value`, a part of an identifier that is about to be registered, without outer blanks.

    Raises ApiError (validation_failure) naming the field.
    """
    text = value.strip()
    if not text or len(text) > _MAX_PART:
        raise validation_failure({name: ["Size"]})
    if _FORBIDDEN.search(text) or (strict and not _STRICT_ALPHABET.fullmatch(text)):
        raise validation_failure({name: ["IdentifierChars"]})
    return text


def api_time(at: datetime) -> str:
    """Return a time as the API writes it: ISO-8601, UTC, milliseconds, Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def add_header(request: Request, name: str, value: str) -> None:
    """Add a header to the answer of a request behind `protect`; what is not ASCII is replaced."""
    shown = value.encode("ascii", "replace").replace(b"\r", b" ").replace(b"\n", b" ")
    request.scope.setdefault("surma.headers", []).append((name.lower().encode("ascii"), shown))


def principal_of(request: Request) -> Principal:
    """Return who is calling; only for routes behind `protect`."""
    principal = request.scope.get("surma.principal")
    if not isinstance(principal, Principal):
        raise ApiError(401, "unauthorized")
    return principal


def requires(*roles: str) -> Any:
    """Return a dependency that lets only callers with one of `roles` through (403)."""

    def check(request: Request) -> Principal:
        principal = principal_of(request)
        if not principal.has_any(*roles):
            raise ApiError(403, "forbidden")
        return principal

    return Depends(check)


def error_response(error: ApiError) -> JSONResponse:
    """Return the answer for an error."""
    headers = {"WWW-Authenticate": "X-Road-ApiKey"} if error.status == 401 else None
    return JSONResponse(error.body(), status_code=error.status, headers=headers)


def install_error_handlers(app: FastAPI) -> None:
    """Make every error of `app`'s routes an error object."""

    async def on_api_error(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ApiError)
        return error_response(error)

    async def on_validation_error(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return error_response(validation_failure(_errors_of(error)))

    async def on_http_error(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, StarletteHTTPException)
        codes = {404: "not_found", 405: "method_not_allowed", 413: "request_too_large"}
        return error_response(ApiError(error.status_code, codes.get(error.status_code, "bad_request")))

    async def on_failure(request: Request, _error: Exception) -> JSONResponse:
        return error_response(_failure(request.scope))

    app.add_exception_handler(ApiError, on_api_error)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(StarletteHTTPException, on_http_error)
    app.add_exception_handler(Exception, on_failure)


def _failure(scope: Scope) -> ApiError:
    """A failure of ours: the number leads to the line in the log, and nothing else is told."""
    return ApiError(500, "internal_error", scope.get("surma.correlation", ""))


def _errors_of(error: RequestValidationError) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for item in error.errors():
        path = ".".join(str(part) for part in item["loc"][1:]) or str(item["loc"][0])
        found.setdefault(path, []).append(str(item["type"]))
    return found


@dataclass(slots=True)
class _Windows:
    """How many requests an address made in this second and in this minute."""

    second: int = 0
    in_second: int = 0
    minute: int = 0
    in_minute: int = 0


@dataclass(slots=True)
class RateLimit:
    """Counts requests by address in whole seconds and whole minutes."""

    per_second: int
    per_minute: int
    clock: Callable[[], float] = time.monotonic
    _addresses: dict[str, _Windows] = field(default_factory=dict)

    def admits(self, address: str) -> bool:
        """Count one request and tell whether it may pass."""
        now = int(self.clock())
        if len(self._addresses) > 10_000:  # bounded: forget those who were quiet for a minute
            recent = {a: w for a, w in self._addresses.items() if w.minute == now // 60}
            self._addresses = recent if len(recent) <= 10_000 else {}
        windows = self._addresses.setdefault(address, _Windows())
        if windows.second != now:
            windows.second, windows.in_second = now, 0
        if windows.minute != now // 60:
            windows.minute, windows.in_minute = now // 60, 0
        windows.in_second += 1
        windows.in_minute += 1
        over_second = self.per_second and windows.in_second > self.per_second
        return not (over_second or (self.per_minute and windows.in_minute > self.per_minute))


class _Protected:
    """The ASGI layer that `protect` returns."""

    def __init__(
        self,
        app: ASGIApp,
        authenticate: Authenticate,
        settings: AdminApiSettings,
        public: frozenset[str],
        on_refused: OnRefused | None,
    ) -> None:
        self._app = app
        self._on_refused = on_refused
        self._authenticate = authenticate
        self._settings = settings
        self._public = public
        self._rate = RateLimit(settings.requests_per_second, settings.requests_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        correlation = scope["surma.correlation"] = str(uuid.uuid4())
        added = scope.setdefault("surma.headers", [])
        sender = _NumberedSend(send, correlation, added)
        with logs.exchange(correlation), calling_from(scope):
            try:
                await self._admit(scope)
                await self._app(scope, self._bounded(scope, receive), sender)
            except ApiError as error:
                await self._refuse(scope, receive, sender, error)
            except Exception:
                log.exception("admin request failed", extra={"method": scope["method"], "path": scope["path"]})
                await self._refuse(scope, receive, sender, _failure(scope))

    async def _admit(self, scope: Scope) -> None:
        address = (scope.get("client") or ("",))[0]
        if not self._rate.admits(address):
            raise ApiError(429, "too_many_requests")
        if scope["path"] in self._public:
            return
        token = _token_of(scope)
        principal = None if token is None else await self._authenticate(token)
        if principal is None:
            await self._tell_refused(scope)
            raise ApiError(401, "unauthorized")
        scope["surma.principal"] = principal

    async def _tell_refused(self, scope: Scope) -> None:
        if self._on_refused is None:
            return
        try:
            await self._on_refused(scope)
        except TrailUnavailable as cause:
            log.error("a refused caller is not on record: %s", cause)

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        content_type = _header(scope, b"content-type") or ""
        uploads = content_type.startswith(("multipart/form-data", "application/octet-stream"))
        limit = self._settings.max_upload_bytes if uploads else self._settings.max_request_bytes
        declared = _header(scope, b"content-length") or "0"
        if limit and declared.isdecimal() and int(declared) > limit:
            raise ApiError(413, "request_too_large", limit)
        received = 0

        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if limit and received > limit:
                raise HTTPException(413)  # the one kind that FastAPI lets through while it reads a body
            return message

        return bounded

    @staticmethod
    async def _refuse(scope: Scope, receive: Receive, sender: _NumberedSend, error: ApiError) -> None:
        if not sender.started:
            await error_response(error)(scope, receive, sender)


class _NumberedSend:
    """Adds the correlation id and forbids caching on the way out; knows whether an answer has begun."""

    def __init__(self, send: Send, correlation: str, added: list[tuple[bytes, bytes]]) -> None:
        self._send = send
        self._correlation = correlation
        self._added = added
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            message["headers"] = [
                *message.get("headers", ()),
                (CORRELATION_HEADER.encode(), self._correlation.encode()),
                (b"cache-control", b"no-store"),
                *self._added,
            ]
        await self._send(message)


def protect(
    app: ASGIApp,
    authenticate: Authenticate,
    settings: AdminApiSettings | None = None,
    *,
    public: Iterable[str] = ("/",),
    on_refused: OnRefused | None = None,
) -> ASGIApp:
    """Return `app` behind authentication and limits; only the paths in `public` are served without a key."""
    return _Protected(app, authenticate, settings or AdminApiSettings(), frozenset(public), on_refused)


@contextmanager
def calling_from(scope: Scope) -> Iterator[None]:
    """Let everything inside the block know the address of the caller."""
    token = caller_address.set((scope.get("client") or (None,))[0])
    try:
        yield
    finally:
        caller_address.reset(token)


def _token_of(scope: Scope) -> str | None:
    found = _KEY_SCHEME.fullmatch((_header(scope, b"authorization") or "").strip())
    return None if found is None else found[1]


def _header(scope: Scope, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name), None)
