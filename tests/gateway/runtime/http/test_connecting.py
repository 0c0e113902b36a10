"""From names to sockets: the first that connects wins, the others are closed."""

from __future__ import annotations

import asyncio
import socket

import pytest

from gateway.runtime.http.connecting import connect_fastest, connect_tcp
from gateway.runtime.http.problems import ConnectFailed, UnknownHost

HOST = "127.0.0.1"


@pytest.fixture
def full_port() -> object:
    """A port that answers nobody: its queue of connections is full."""
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        listening.listen(0)
        address = listening.getsockname()
        waiting = []
        for _ in range(3):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(address)
            waiting.append(sock)
        yield address[1]
        for sock in waiting:
            sock.close()


async def test_server_that_answers_wins_over_one_that_does_not(full_port: int) -> None:
    with socket.create_server((HOST, 0)) as listening:
        port = listening.getsockname()[1]
        address, sock = await connect_fastest([(HOST, full_port), (HOST, port)], 10)
        assert address == (HOST, port)
        sock.close()


async def test_servers_that_lost_the_race_are_let_go() -> None:
    with socket.create_server((HOST, 0)) as one, socket.create_server((HOST, 0)) as two:
        _, sock = await connect_fastest([(HOST, one.getsockname()[1]), (HOST, two.getsockname()[1])], 10)
        winner = sock.getpeername()[1]
        loser = two if winner == one.getsockname()[1] else one
        loser.setblocking(False)
        await asyncio.sleep(0.02)
        try:
            accepted, _ = loser.accept()
        except BlockingIOError:
            pass
        else:
            with accepted:
                assert accepted.recv(1) == b""
        sock.close()


async def test_silent_server_fails_after_the_time_given(full_port: int) -> None:
    with pytest.raises(ConnectFailed, match="no answer within"):
        await connect_tcp(HOST, full_port, 0.05)


async def test_all_servers_failing_is_the_last_failure() -> None:
    with socket.create_server((HOST, 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises((ConnectFailed, UnknownHost)):
        await connect_fastest([(HOST, port), ("no-such-host.invalid", 1)], 10)


async def test_name_that_cannot_be_one_is_unknown() -> None:
    with pytest.raises(UnknownHost):
        await connect_tcp("a" * 300, 80, 10)
