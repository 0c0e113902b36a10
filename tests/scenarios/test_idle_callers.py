"""Callers that keep their connections open and say nothing take nothing from those that ask."""

from __future__ import annotations

import asyncio
from typing import Final

import pytest

from gateway.runtime.open_files import raise_limit
from tests.scenarios.asking import GET_PERSON, PERSON, envelope
from tests.scenarios.scene import Scene

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]

IDLE: Final = 300
ACTIVE: Final = 16
QUESTION: Final = b"GET /listClients HTTP/1.1\r\nHost: test\r\n\r\n"

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def ask(connection: Connection) -> bytes:
    """Ask for the clients of all servers, which costs little, and keep the connection."""
    reader, writer = connection
    writer.write(QUESTION)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return await reader.readexactly(int(length))


async def test_active_callers_are_answered_beside_idle_ones_and_these_when_they_ask_again(scene: Scene) -> None:
    raise_limit()
    gateway = scene.federation.consumer
    idle = [await asyncio.open_connection(gateway.settings.address, gateway.http_port.port) for _ in range(IDLE)]
    try:
        first = [await ask(connection) for connection in idle]
        assert gateway.http_port.open_connections >= IDLE

        answers = await asyncio.gather(*(scene.caller.soap(envelope(GET_PERSON)) for _ in range(ACTIVE)))
        assert all(answer.code is None and PERSON.encode() in answer.content for answer in answers)

        assert [await ask(connection) for connection in idle] == first
    finally:
        for _, writer in idle:
            writer.close()
