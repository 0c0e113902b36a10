"""A service of somebody else, on loopback."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest


@dataclass(slots=True)
class Service:
    """What it answers, and what it was asked."""

    url: str = ""
    status: int = 200
    content: bytes = b"{}"
    delay_s: float = 0.0  # before each of three parts of the content
    location: str | None = None
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        told: Service = self.server.told  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        told.asked.append((self.command, self.path, {name.lower(): text for name, text in self.headers.items()}, body))
        self.send_response(told.status)
        self.send_header("Content-Length", str(len(told.content)))
        if told.location:
            self.send_header("Location", told.location)
        self.end_headers()
        third = len(told.content) // 3 + 1
        try:
            for start in range(0, len(told.content), third):
                time.sleep(told.delay_s)
                self.wfile.write(told.content[start : start + third])
        except OSError:  # who asked has had enough
            self.close_connection = True

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[Service]:
    """A service that answers as it is told."""
    told = Service()
    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    listening.told = told  # type: ignore[attr-defined]
    told.url = f"http://127.0.0.1:{listening.server_port}"
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield told
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()
