"""From names to connected sockets; of several candidates the fastest wins (X-Road FastestSocketSelector.java)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Sequence

from gateway.runtime.http.model import Address
from gateway.runtime.http.problems import ConnectFailed, HttpProblem, UnknownHost

_Resolved = tuple[socket.AddressFamily, int, int, tuple[object, ...]]


async def resolve(host: str, port: int) -> list[_Resolved]:
    """Return the socket addresses of a host, in the resolver's order."""
    try:
        infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnknownHost(host, getattr(error, "strerror", None) or str(error)) from error
    return [(family, kind, protocol, address) for family, kind, protocol, _, address in infos]


async def connect_tcp(host: str, port: int, timeout_s: float) -> socket.socket:
    """Connect to the first address of a host that answers, all within `timeout_s`."""
    reason = "no address"
    try:
        async with asyncio.timeout(timeout_s):
            candidates = await resolve(host, port)
            for family, kind, protocol, address in candidates:
                try:
                    return await _connect_one(family, kind, protocol, address)
                except OSError as error:
                    reason = os.strerror(error.errno) if error.errno else str(error)
    except TimeoutError:
        reason = f"no answer within {timeout_s:g} s"
    raise ConnectFailed(host, port, reason)


async def _connect_one(
    family: socket.AddressFamily, kind: int, protocol: int, address: tuple[object, ...]
) -> socket.socket:
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


async def connect_fastest(addresses: Sequence[Address], timeout_s: float) -> tuple[Address, socket.socket]:
    """Connect to all at once; return the first to complete, and close the others.

    Raises the problem of the last one to fail when none completes.
    """
    if len(addresses) == 1:
        return addresses[0], await connect_tcp(*addresses[0], timeout_s)
    attempts = {asyncio.create_task(connect_tcp(*address, timeout_s)): address for address in addresses}
    waiting = set(attempts)
    problem: HttpProblem | None = None
    try:
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            winner: tuple[Address, socket.socket] | None = None
            for attempt in done:
                error = attempt.exception()
                if isinstance(error, HttpProblem):
                    problem = error
                elif error is not None:
                    raise error
                elif winner is None:
                    winner = attempts.pop(attempt), attempt.result()
            if winner is not None:
                return winner
    finally:
        await _drop(attempts)
    assert problem is not None
    raise problem


async def _drop(attempts: dict[asyncio.Task[socket.socket], Address]) -> None:
    for attempt in attempts:
        attempt.cancel()
    for attempt in attempts:
        with contextlib.suppress(asyncio.CancelledError, HttpProblem, OSError):
            (await attempt).close()
