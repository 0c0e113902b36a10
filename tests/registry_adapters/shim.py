"""A small stand-in for a security server: real HTTP, `/r1/...` in, registry applications behind (PR-REST 4).

    with Shim({"GOV/10000002/DEMOGRAPHIC": app}) as shim:
        XRoadClient(shim.url, SNAP).call_rest("GET", service, "/persons", query={"rnokpp": "3347300028"})

A registry is named by the beginning of its service identifier without the instance; the longest
beginning counts. Requests reach it with the headers a security server hands over; what it answers
comes back with those a consumer sees. No signatures, no log: the scenarios have those.

A leg can be made to misbehave, and made well again: `down`, `deny`, `slow`, `contradict`, `heal`.
"""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

import uvloop

from gateway.runtime.control_server import ControlServer, Listener
from gateway.xroad.faults import MalformedMessage
from gateway.xroad.identifiers import encode_path
from gateway.xroad.rest.faults import build_rest_fault
from gateway.xroad.rest.target import Target, parse_target

App = Callable[..., Any]
Edit = Callable[[Any], Any]  # the JSON of an answer -> what is said instead
# Base URLs of services that are not at the root of their application.
BASE_PATHS = {"usage": "/usage"}
DOWN = "server.serverproxy.network_error"
DENIED = "server.serverproxy.access_denied"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request that came through."""

    message_id: str
    client: str
    service: str  # without the instance
    method: str
    path: str  # what follows the service code
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Shim:
    """Serves as a security server on a free loopback port; see above."""

    apps: dict[str, App] = field(default_factory=dict)
    exchanges: list[Exchange] = field(default_factory=list)
    url: str = ""
    _faults: dict[str, str] = field(default_factory=dict)
    _delays: dict[str, float] = field(default_factory=dict)
    _edits: dict[str, Edit] = field(default_factory=dict)
    _serving: Any = None

    def __enter__(self) -> Self:
        self._serving = listening(self)
        self.url = self._serving.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._serving.__exit__(None, None, None)

    def down(self, beginning: str) -> None:
        """Answer with the fault of a server that cannot reach the registry."""
        self._faults[beginning] = DOWN

    def deny(self, beginning: str) -> None:
        """Answer with the fault of a server at which the client has no right."""
        self._faults[beginning] = DENIED

    def slow(self, beginning: str, delay_s: float) -> None:
        """Hand requests over only after a delay."""
        self._delays[beginning] = delay_s

    def contradict(self, beginning: str, edit: Edit) -> None:
        """Change the JSON of answers with status 200."""
        self._edits[beginning] = edit

    def heal(self, beginning: str | None = None) -> None:
        """Let a registry answer as it does, or all."""
        switches: tuple[dict[str, Any], ...] = (self._delays, self._edits, self._faults)
        for kept in switches:
            for name in [name for name in kept if beginning in (None, name)]:
                del kept[name]

    def asked(self, beginning: str) -> list[Exchange]:
        """Return the exchanges with a registry, oldest first."""
        return [one for one in self.exchanges if _begins(one.service, beginning)]

    async def __call__(self, scope: dict[str, Any], receive: App, send: App) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        body = await _read(receive)
        query = scope["query_string"].decode("latin-1")
        try:
            target = parse_target(scope["raw_path"].decode("latin-1") + (f"?{query}" if query else ""))
        except MalformedMessage as cause:
            await _fault(send, f"client.{cause.code}", str(cause))
            return
        if "x-road-client" not in headers:
            await _fault(send, "client.missing_header", "X-Road-Client is missing")
            return
        service = encode_path(target.service).partition("/")[2]
        exchange = Exchange(
            headers.get("x-road-id") or str(uuid.uuid4()), headers["x-road-client"], unquote(service), scope["method"],
            target.service_path, query, headers, body,
        )  # fmt: skip
        self.exchanges.append(exchange)
        await self._exchange(exchange, target, scope, send)

    async def _exchange(self, exchange: Exchange, target: Target, scope: dict[str, Any], send: App) -> None:
        await asyncio.sleep(_longest(self._delays, exchange.service) or 0)
        app = _longest(self.apps, exchange.service)
        if app is None:
            await _fault(send, "server.clientproxy.unknown_member", f"no server provides {exchange.service}")
            return
        fault = _longest(self._faults, exchange.service)
        if fault is not None:
            await _fault(send, fault, f"no answer from {exchange.service}")
            return
        status, headers, content = await _ask(app, _forwarded(exchange, target, scope), exchange.body)
        edit = _longest(self._edits, exchange.service)
        if edit is not None and status == 200:
            content = json.dumps(edit(json.loads(content)), ensure_ascii=False).encode()
        added = {
            "x-road-id": exchange.message_id,
            "x-road-client": exchange.client,
            "x-road-service": str(target.service),
            "x-road-request-id": str(uuid.uuid4()),
        }
        kept = [(name, value) for name, value in headers if name.lower() != b"content-length"]
        written = [(name.encode(), value.encode("latin-1")) for name, value in added.items()]
        await _answer(send, status, [*kept, *written], content)


def _begins(service: str, beginning: str) -> bool:
    return service == beginning or service.startswith(f"{beginning}/")


def _longest(by_beginning: Mapping[str, Any], service: str) -> Any:
    fitting = [name for name in by_beginning if _begins(service, name)]
    return by_beginning[max(fitting, key=len)] if fitting else None


def _forwarded(exchange: Exchange, target: Target, scope: dict[str, Any]) -> dict[str, Any]:
    """Return the request as the provider's server sends it on."""
    raw_path = BASE_PATHS.get(target.service.service_code, "") + (target.service_path or "/")
    ours = {
        "x-road-id": exchange.message_id,
        "x-road-service": str(target.service),
        "x-road-request-id": str(uuid.uuid4()),
    }
    kept = [(name, value) for name, value in scope["headers"] if name.decode("latin-1").lower() not in ours]
    return {
        **scope,
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "root_path": "",
        "headers": [*kept, *((name.encode(), value.encode("latin-1")) for name, value in ours.items())],
    }


async def _ask(app: App, scope: dict[str, Any], body: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    status, sent = 500, False
    headers: list[tuple[bytes, bytes]] = []
    chunks: list[bytes] = []

    async def receive() -> dict[str, Any]:
        nonlocal sent
        if sent:
            await asyncio.Event().wait()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message["headers"])
        else:
            chunks.append(message.get("body", b""))

    await app(scope, receive, send)
    return status, headers, b"".join(chunks)


async def _read(receive: App) -> bytes:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


async def _fault(send: App, code: str, text: str) -> None:
    fault = build_rest_fault(code, text, str(uuid.uuid4()))
    await _answer(send, fault.status, [(name.encode(), value.encode()) for name, value in fault.headers], fault.body)


async def _answer(send: App, status: int, headers: list[tuple[bytes, bytes]], content: bytes) -> None:
    length = (b"content-length", str(len(content)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": content})


async def _lifespan(receive: App, send: App) -> None:
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})


@contextmanager
def listening(app: Any) -> Iterator[str]:
    """Serve an ASGI application on a free loopback port, in a thread; gives its URL."""
    ready = threading.Event()
    box: dict[str, Any] = {}

    async def run() -> None:
        stop = asyncio.Event()
        async with ControlServer(Listener(app)) as server:
            box.update(url=server.url, stop=stop, loop=asyncio.get_running_loop())
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=uvloop.run, args=(run(),), daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield box["url"]
    finally:
        box["loop"].call_soon_threadsafe(box["stop"].set)
        thread.join(20)
