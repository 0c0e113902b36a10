"""Idle connections of the client, by who is at the other end and as whom we speak."""

from __future__ import annotations

import ssl

from gateway.runtime.http.calling import ClientConnection
from gateway.runtime.http.model import ClientLimits
from gateway.runtime.http.pace import Sweeper
from gateway.runtime.http.streams import a_read_buffer

PoolKey = tuple[str, int, ssl.SSLContext | None, str]


class ConnectionPool:
    """Hands out the connection that was idle for the shortest time; drops what is beyond the limits."""

    def __init__(self, limits: ClientLimits) -> None:
        self._limits = limits
        self.buffer = a_read_buffer()
        self._keys: dict[ClientConnection, PoolKey] = {}
        self._idle: dict[PoolKey, list[ClientConnection]] = {}
        self._idle_count = 0
        self.sweeper = Sweeper(
            min(
                limits.response_timeout_s,
                limits.body_idle_timeout_s,
                limits.keep_alive_timeout_s,
                limits.stalled_reader_timeout_s,
            )
        )

    @property
    def idle_count(self) -> int:
        """Connections waiting for another exchange."""
        return self._idle_count

    @property
    def open_count(self) -> int:
        """All connections."""
        return len(self._keys)

    def assign(self, connection: ClientConnection, key: PoolKey) -> None:
        """Say under which key a new connection will be kept."""
        self._keys[connection] = key

    def take(self, key: PoolKey) -> ClientConnection | None:
        """Remove and return an idle connection."""
        connections = self._idle.get(key)
        if not connections:
            return None
        connection = connections.pop()
        if not connections:
            del self._idle[key]
        self._idle_count -= 1
        return connection

    def opened(self, connection: ClientConnection) -> None:
        """Watch a new connection."""
        self.sweeper.add(connection)

    def idle(self, connection: ClientConnection) -> None:
        """Keep a connection for another exchange, or close it when there are enough."""
        key = self._keys.get(connection)
        if key is None or self._idle_count >= self._limits.max_idle_connections:
            connection.close()
            return
        connections = self._idle.setdefault(key, [])
        if len(connections) >= self._limits.max_idle_per_address:
            connection.close()
            return
        connections.append(connection)
        self._idle_count += 1

    def lost(self, connection: ClientConnection) -> None:
        """Forget a connection."""
        self.sweeper.discard(connection)
        key = self._keys.pop(connection, None)
        connections = self._idle.get(key) if key is not None else None
        if key is not None and connections and connection in connections:
            connections.remove(connection)
            self._idle_count -= 1
            if not connections:
                del self._idle[key]

    def close_idle(self) -> None:
        """Close every idle connection."""
        for connections in tuple(self._idle.values()):
            for connection in tuple(connections):
                connection.close()

    def abort_all(self) -> None:
        """Cut every connection."""
        for connection in tuple(self._keys):
            connection.abort()
