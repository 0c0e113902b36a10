"""An attachment that is larger than what the gateways may hold passes both ways in constant memory.

`SURMA_ATTACHMENT_MIB` says how large (96 unless told otherwise).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from gateway.landscape.federation import Federation
from tests.benchmarks.messages import answer_to, is_answer, request
from tests.benchmarks.two_servers import REGISTRY, two_servers
from tests.landscape import eventually

pytestmark = [pytest.mark.scenario, pytest.mark.slow]

MIB: Final = 1024 * 1024
SIZE_BYTES: Final = int(os.environ.get("SURMA_ATTACHMENT_MIB", "96")) * MIB
# What buffers of sockets and TLS may take, and what malloc does not give back.
GROWTH_BYTES: Final = 48 * MIB
WITHIN_S: Final = 60 + SIZE_BYTES / (2 * MIB)
PIECE: Final = os.urandom(MIB)
CONTENT_TYPE: Final = 'multipart/related; type="text/xml"; boundary=b'
PART: Final = b"\r\n--b\r\nContent-Type: application/octet-stream\r\nContent-ID: <a@test>\r\n\r\n"
END: Final = b"\r\n--b--\r\n"


def package(soap: bytes) -> Iterator[bytes]:
    """Yield a package with one attachment of SIZE_BYTES."""
    yield b"--b\r\nContent-Type: text/xml; charset=UTF-8\r\n\r\n" + soap + PART
    for _ in range(SIZE_BYTES // MIB):
        yield PIECE
    yield END


def size_of(soap: bytes) -> int:
    """Return the size of a package."""
    return sum(map(len, package(soap)))


@dataclass
class Heard:
    """What arrived: the beginning of it, and the digest of the attachment."""

    start: bytes = b""
    digest: str = ""
    headers: dict[str, str] = field(default_factory=dict)


async def head_of(reader: asyncio.StreamReader) -> dict[str, str]:
    """Return the headers of a message in lower case."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}


async def body_of(reader: asyncio.StreamReader, length: int) -> AsyncIterator[bytes]:
    """Yield a body in pieces."""
    while length:
        piece = await reader.read(min(length, MIB // 4))
        assert piece, "broken off"
        length -= len(piece)
        yield piece


async def hear(reader: asyncio.StreamReader) -> Heard:
    """Read a package without keeping it."""
    headers = await head_of(reader)
    heard, hasher, kept = Heard(headers=headers), hashlib.sha256(), b""
    async for piece in body_of(reader, int(headers["content-length"])):
        if b"octet-stream" not in heard.start:
            heard.start += piece
            begin = heard.start.find(b"\r\n\r\n", heard.start.find(b"octet-stream"))
            heard.start, piece = heard.start[: begin + 4], heard.start[begin + 4 :]
        kept += piece
        hasher.update(kept[: -len(END)])
        kept = kept[-len(END) :]
    assert kept == END
    heard.digest = hasher.hexdigest()
    return heard


async def say(writer: asyncio.StreamWriter, first: str, soap: bytes) -> None:
    """Write a package without making it first."""
    headers = f"Content-Type: {CONTENT_TYPE}\r\nContent-Length: {size_of(soap)}\r\nConnection: close"
    writer.write(f"{first}\r\n{headers}\r\n\r\n".encode())
    for piece in package(soap):
        writer.write(piece)
        await writer.drain()


def memory_of(process: int, what: str) -> int:
    """Return `VmRSS` or the peak `VmHWM` of a process in bytes."""
    found = re.search(rf"{what}:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def spooled(federation: Federation) -> list[Path]:
    """Return the files in the spools of both servers."""
    spools = (federation.server_state(code) / "spool" for code in federation.servers)
    return [path for spool in spools for path in spool.glob("*/*")]


async def test_large_attachment_passes_both_ways_in_constant_memory(tmp_path: Path) -> None:
    async with two_servers(tmp_path / "state", "P-256") as federation:
        federation.registries[REGISTRY].stop()
        questions: list[Heard] = []

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard = await hear(reader)
            questions.append(heard)
            await say(writer, "HTTP/1.1 200 OK", answer_to(heard.start[heard.start.index(b"<?xml") :]))
            writer.close()

        (registry,) = federation.landscape.registry
        service = await asyncio.start_server(answer, registry.address, registry.port)
        processes = [server.pid for server in federation.servers.values() if server.pid is not None]
        for process in processes:
            Path(f"/proc/{process}/clear_refs").write_text("5")  # the peak begins anew
        before = [memory_of(process, "VmRSS") for process in processes]

        async with service, asyncio.timeout(WITHIN_S):
            reader, writer = await asyncio.open_connection(federation.landscape.server[0].address, 8080)
            await say(writer, "POST / HTTP/1.1\r\nHost: test", request("large"))
            reply = await hear(reader)
            writer.close()

        expected = hashlib.sha256()
        for _ in range(SIZE_BYTES // MIB):
            expected.update(PIECE)
        assert is_answer(reply.start), reply.start[:2000]
        assert [heard.digest for heard in (*questions, reply)] == [expected.hexdigest()] * 2
        grown = [memory_of(process, "VmHWM") - held for process, held in zip(processes, before, strict=True)]
        assert len(grown) == 2
        assert max(grown) < GROWTH_BYTES, f"grew by {[size // MIB for size in grown]} MiB"
        await eventually(lambda: spooled(federation) == [])
