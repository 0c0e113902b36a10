"""A body on its way in: pieces wait here until they are asked for, and a full stream stops the sender."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Protocol

from gateway.runtime.http.problems import HttpTooLarge

READ_BYTES: Final = 64 * 1024
"""Most that is read at once: a message nearly always, and an allocation the C library serves without mmap."""


def a_read_buffer() -> memoryview:
    """Return where all connections of one server or client put what comes, each copying its bytes out at once.

    Otherwise the event loop allocates 256 KiB for each TLS record, which costs three system calls. Not to
    be shared between event loops in different threads.
    """
    return memoryview(bytearray(READ_BYTES))


def keep_unread_in_the_socket(transport: asyncio.Transport) -> None:
    """Have TLS read from its socket only when all it read before was taken.

    An event loop's TLS drops what it holds when the peer's FIN comes, so an answer would lose its end if
    the peer closes right behind it; FIN comes to light only once the socket is read on.
    """
    limit = getattr(transport, "set_read_buffer_limits", None)
    if limit is not None:
        limit(high=1, low=0)


class BodySource(Protocol):
    """The connection a body comes from."""

    def pause_body(self) -> None:
        """Read no more for now."""

    def resume_body(self) -> None:
        """Read on."""

    def body_wanted(self) -> None:
        """Somebody waits for the body (the moment for `100 Continue`)."""

    def body_dropped(self) -> None:
        """Nobody will read the rest."""


class BodyStream:
    """Async iterator over a body's bytes; ends cleanly only when the whole body has arrived."""

    __slots__ = ("_discarded", "_ended", "_high", "_paused", "_pieces", "_problem", "_size", "_source", "_waiter",
                 "limit", "received")  # fmt: skip

    def __init__(self, source: BodySource, *, limit: int, high: int) -> None:
        self._source = source
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._high = high
        self._paused = False
        self._ended = False
        self._discarded = False
        self._problem: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.limit = limit
        self.received = 0

    # what the connection does

    def feed(self, piece: bytes) -> None:
        """Add bytes; raises HttpTooLarge beyond the limit."""
        self.received += len(piece)
        if self.received > self.limit:
            raise HttpTooLarge("http.body_too_large", limit=self.limit)
        if self._discarded:
            return
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > self._high and not self._paused:
            self._paused = True
            self._source.pause_body()
        self._wake()

    def feed_whole(self, body: bytes) -> None:
        """The body is complete with its only bytes, if any."""
        self._ended = True
        if body:
            self.feed(body)
        else:
            self._wake()

    def finish(self) -> None:
        """The body is complete."""
        self._ended = True
        self._wake()

    def fail(self, problem: BaseException) -> None:
        """The body will never be complete: the reader gets `problem` after what has arrived."""
        if not self._ended and self._problem is None:
            self._problem = problem
            self._wake()

    def discard(self) -> None:
        """Nobody will read the rest."""
        self._discarded = True
        self._pieces.clear()
        self._size = 0

    @property
    def ended(self) -> bool:
        """Whether the whole body has arrived."""
        return self._ended

    @property
    def full(self) -> bool:
        """Whether the reader has to catch up before more is wanted."""
        return self._paused

    def _wake(self) -> None:
        if self._waiter is not None:
            if not self._waiter.done():
                self._waiter.set_result(None)
            self._waiter = None

    # what the reader does

    def __aiter__(self) -> BodyStream:
        return self

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self._problem is not None:
                raise self._problem
            if self._ended or self._discarded:
                raise StopAsyncIteration
            self._source.body_wanted()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        piece = self._pieces.popleft()
        self._size -= len(piece)
        if self._paused and self._size <= self._high // 2:
            self._paused = False
            self._source.resume_body()
        return piece

    async def read(self, limit: int | None = None) -> bytes:
        """Return the rest of the body; raises HttpTooLarge when it is longer than `limit` bytes."""
        if self._ended and len(self._pieces) <= 1 and (limit is None or self._size <= limit):
            return await self._last_piece()
        pieces: list[bytes] = []
        size = 0
        async for piece in self:
            size += len(piece)
            if limit is not None and size > limit:
                raise HttpTooLarge("http.body_too_large", limit=limit)
            pieces.append(piece)
        return b"".join(pieces)

    async def aclose(self) -> None:
        """Give up on the rest, as whoever relays a body does when its own reader has gone."""
        if not self._ended and self._problem is None and not self._discarded:
            self.discard()
            self._source.body_dropped()

    async def _last_piece(self) -> bytes:
        return await self.__anext__() if self._pieces else b""
