"""Every changing request of an admin API on record: begun before it is carried out, finished before it is answered.

A change whose beginning cannot be recorded is refused. Queries are not changes and pass by.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.runtime.accounts.model import Principal
from gateway.runtime.admin_api import ApiError
from gateway.runtime.audit.file_watch import FileWatch
from gateway.runtime.audit.model import Deed, TrailUnavailable, without_secrets
from gateway.runtime.audit.trail import Trail

# (method, path template) -> the event; None for a request that changes nothing.
EventNames = Mapping[tuple[str, str], str | None]

UNAVAILABLE: Final = "audit_log_unavailable"
_SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS"))
_MAX_KEPT_BYTES: Final = 64 * 1024
_REFUSED_EVERY_S: Final = 60.0
_MAX_REFUSED_ADDRESSES: Final = 10_000


def recorded(
    app: ASGIApp,
    trail: Trail,
    names: EventNames,
    *,
    prefix: str,
    watch: FileWatch | None = None,
    apart: Iterable[str] = (),
) -> ASGIApp:
    """Return `app` with its changes below `prefix` on record; paths below `apart` record their own deeds."""
    return _Recorded(app, trail, names, prefix, watch, tuple(apart))


class _Recorded:
    def __init__(
        self,
        app: ASGIApp,
        trail: Trail,
        names: EventNames,
        prefix: str,
        watch: FileWatch | None,
        apart: tuple[str, ...],
    ) -> None:
        self._app = app
        self._trail = trail
        self._prefix = prefix
        self._watch = watch
        self._apart = apart
        self._routes = [(method, compile_path(prefix + path)[0], name) for (method, path), name in names.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._event_of(scope)
        if found is None:
            await self._app(scope, receive, send)
            return
        event, parameters = found
        principal = scope.get("surma.principal")
        user = principal.name if isinstance(principal, Principal) else None
        deed = Deed(event, user, auth="ApiKey", url=scope["path"], data=parameters)
        note = await asyncio.to_thread(self._begin, deed)
        body, answer = _Body(scope, receive), _Answer()
        try:
            await self._app(scope, body, answer)
        except ApiError as error:
            await self._finish(note, body.deed(deed, error.status, error.body()))
            raise
        except BaseException:
            await self._finish(note, body.deed(deed, 500, None))
            raise
        await self._finish(note, body.deed(deed, answer.status, answer.json()))
        for message in answer.messages:
            await send(message)

    def _event_of(self, scope: Scope) -> tuple[str, dict[str, object]] | None:
        if scope["type"] != "http" or scope["method"] in _SAFE:
            return None
        path: str = scope["path"]
        if not path.startswith(self._prefix + "/") or any(path.startswith(apart) for apart in self._apart):
            return None
        for method, pattern, name in self._routes:
            if method == scope["method"] and (match := pattern.fullmatch(path)) is not None:
                return None if name is None else (name, dict(match.groupdict()))
        return f"{scope['method']} {path}", {}

    def _begin(self, deed: Deed) -> Path:
        try:
            if self._watch is None:
                return self._trail.begin(deed)
            self._watch.begin_change()
            try:
                return self._trail.begin(deed)
            except TrailUnavailable:
                self._watch.end_change()
                raise
        except TrailUnavailable as cause:
            raise ApiError(500, UNAVAILABLE, f"nothing was changed, because it cannot be recorded: {cause}") from cause

    async def _finish(self, note: Path, deed: Deed) -> None:
        try:
            await asyncio.shield(asyncio.to_thread(self._trail.finish, note, deed))
        except TrailUnavailable as cause:
            said = f"the request was carried out, but is not recorded yet: {cause}"
            raise ApiError(500, UNAVAILABLE, said) from cause
        finally:
            if self._watch is not None:
                await asyncio.shield(asyncio.to_thread(self._watch.end_change))


@dataclass(slots=True)
class _Body:
    """Listens to the body of a request on its way in."""

    scope: Scope
    receive: Receive
    kept: bytearray = field(default_factory=bytearray)
    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    async def __call__(self) -> Message:
        message = await self.receive()
        chunk = message.get("body", b"")
        self.size += len(chunk)
        self.digest.update(chunk)
        if len(self.kept) < _MAX_KEPT_BYTES:
            self.kept += chunk
        return message

    def deed(self, begun: Deed, status: int, answer: Any) -> Deed:
        """Return the deed with what was sent and how it ended."""
        data = {**begun.data, **self._facts()}
        if status < 400:
            if isinstance(answer, dict) and isinstance(answer.get("id"), str | int):
                data["answer_id"] = answer["id"]
            return Deed(begun.event, begun.user, auth=begun.auth, url=begun.url, data=data)
        code, warning = _reason_of(status, answer)
        return Deed(begun.event, begun.user, auth=begun.auth, url=begun.url, reason=code, warning=warning, data=data)

    def _facts(self) -> dict[str, object]:
        query = self.scope.get("query_string", b"").decode("latin-1")
        facts: dict[str, object] = {"query": query} if query else {}
        if not self.size:
            return facts
        if self.size <= _MAX_KEPT_BYTES:
            try:
                return {**facts, "request": without_secrets(json.loads(bytes(self.kept)))}
            except (ValueError, RecursionError):
                pass
        return {**facts, "request_bytes": self.size, "request_sha256": self.digest.hexdigest()}


@dataclass(slots=True)
class _Answer:
    """Holds an answer back until its deed is on record."""

    status: int = 500
    messages: list[Message] = field(default_factory=list)

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        self.messages.append(message)

    def json(self) -> Any:
        """Return the answer when it is JSON."""
        try:
            return json.loads(b"".join(message.get("body", b"") for message in self.messages))
        except (ValueError, RecursionError):
            return None


def _reason_of(status: int, answer: Any) -> tuple[str, bool]:
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict):
        return str(status), False
    code = str(error.get("code"))
    details = [str(item) for item in error.get("metadata", ())] or sorted(error.get("validation_errors") or ())
    return ": ".join((code, ", ".join(details))) if details else code, code == "warnings_detected"


@dataclass(slots=True)
class RefusedKeys:
    """Records callers whose key nobody knows: one event a minute for each address, with a count."""

    trail: Trail
    clock: Callable[[], float] = time.monotonic
    _told: dict[str, tuple[float, int]] = field(default_factory=dict)

    async def __call__(self, scope: Scope) -> None:
        """Put a refused request on record, or count it."""
        address = str((scope.get("client") or ("",))[0])
        now = self.clock()
        at, uncounted = self._told.get(address, (-_REFUSED_EVERY_S, 0))
        if now - at < _REFUSED_EVERY_S:
            self._told[address] = (at, uncounted + 1)
            return
        if len(self._told) >= _MAX_REFUSED_ADDRESSES:
            self._told = {a: told for a, told in self._told.items() if now - told[0] < _REFUSED_EVERY_S}
        if len(self._told) >= _MAX_REFUSED_ADDRESSES:
            self._told.clear()
        self._told[address] = (now, 0)
        has_key = any(name.lower() == b"authorization" for name, _ in scope["headers"])
        await self.trail.record(
            "API key authentication" if has_key else "Auth credentials discovery",
            user=None,
            auth="ApiKey" if has_key else None,
            url=scope["path"],
            reason="unknown key" if has_key else "no key",
            data={"method": scope["method"], **({"more_before": uncounted} if uncounted else {})},
        )
