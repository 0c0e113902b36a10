"""nginx → mutual TLS → nginx → registry: what the same road costs when nothing is signed and nothing kept."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.xroad.identifiers import SecurityServerId
from tests.factories.pki import a_hierarchy, a_member

START_WITHIN_S: Final = 10

_CONFIGURATION: Final = """
daemon off; master_process off; pid {folder}/{name}.pid; error_log {folder}/{name}.log;
events {{ worker_connections 1024; }}
http {{
  access_log {folder}/{name}.access.log;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000;
  upstream next {{ server {upstream}; keepalive 128; keepalive_requests 1000000; }}
  server {{
    {listen}
    location / {{ {forward} proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""
_LISTEN_TLS: Final = (
    "listen {place} ssl; ssl_certificate {folder}/node.crt; ssl_certificate_key {folder}/node.key;"
    " ssl_client_certificate {folder}/ca.crt; ssl_verify_client on; ssl_verify_depth 3;"
)
_FORWARD_TLS: Final = (
    "proxy_pass https://next; proxy_ssl_certificate {folder}/node.crt; proxy_ssl_certificate_key {folder}/node.key;"
    " proxy_ssl_trusted_certificate {folder}/ca.crt; proxy_ssl_verify off;"
)


@dataclass(frozen=True, slots=True)
class NginxChain:
    """A running chain: where it is entered, and its processes."""

    entrance: tuple[str, int]
    pids: tuple[int, ...]


def why_not() -> str | None:
    """Say why there can be no chain, or None."""
    return None if shutil.which("nginx") else "nginx is not installed"


@asynccontextmanager
async def nginx_chain(folder: Path, registry: tuple[str, int]) -> AsyncIterator[NginxChain]:
    """Run two nginx in front of the registry."""
    folder.mkdir(parents=True)
    _write_keys(folder)
    entrance, middle = _free_place(), _free_place()
    second = _start(
        folder, "second", _LISTEN_TLS.format(place=_text(middle), folder=folder), "proxy_pass http://next;", registry
    )
    first = _start(folder, "first", f"listen {_text(entrance)};", _FORWARD_TLS.format(folder=folder), middle)
    try:
        for place in (middle, entrance):
            await _until_it_answers(place, folder)
        yield NginxChain(entrance, (first.pid, second.pid))
    finally:
        for process in (first, second):
            process.terminate()
            process.wait()


def _write_keys(folder: Path) -> None:
    hierarchy = a_hierarchy()
    node = hierarchy.root.server(SecurityServerId(a_member(), "NGINX"))
    (folder / "ca.crt").write_bytes(hierarchy.root.pem)
    (folder / "node.crt").write_bytes(node.pem)
    (folder / "node.key").write_bytes(node.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _start(folder: Path, name: str, listen: str, forward: str, upstream: tuple[str, int]) -> subprocess.Popen[bytes]:
    path = folder / f"{name}.conf"
    path.write_text(
        _CONFIGURATION.format(folder=folder, name=name, listen=listen, forward=forward, upstream=_text(upstream))
    )
    command = ["nginx", "-c", str(path), "-p", str(folder), "-e", str(folder / f"{name}.log")]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def _until_it_answers(place: tuple[str, int], folder: Path) -> None:
    for _ in range(START_WITHIN_S * 20):
        with socket.socket() as probe:
            if probe.connect_ex(place) == 0:
                return
        await asyncio.sleep(0.05)
    logs = "\n".join(path.read_text() for path in folder.glob("*.log"))
    raise RuntimeError(f"nginx did not start: {logs[-1000:]}")


def _free_place() -> tuple[str, int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return "127.0.0.1", probe.getsockname()[1]


def _text(place: tuple[str, int]) -> str:
    return f"{place[0]}:{place[1]}"
