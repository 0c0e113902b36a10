"""One connection of the server: requests in order, one at a time (RFC 9112 9).

The event loop's callbacks fill `_next` and the body of the request in progress; one task per connection
takes requests from there, calls the handler and writes the answers. A request refused by framing, limits or
timers is answered through the `on_bad_request` hook, and the connection ends. A peer that goes away never cancels
a handler: evidence of an exchange must be finished whatever the caller does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import cast

from gateway.runtime.http.framing import BodyDecoder, ChunkedDecoder, LengthDecoder
from gateway.runtime.http.heads import HeadReader, read_request_head
from gateway.runtime.http.model import (
    ConnectionFacts,
    OutgoingBody,
    Response,
)
from gateway.runtime.http.pace import Pace
from gateway.runtime.http.problems import ConnectionLost, HttpProblem, HttpTimeout, HttpTooLarge
from gateway.runtime.http.request import ConnectionOwner, Request, fail_plainly, refuse_plainly
from gateway.runtime.http.streams import BodyStream, keep_unread_in_the_socket
from gateway.runtime.http.writing import (
    PIECE_BYTES,
    OutgoingHead,
    close_body,
    response_head,
    whole_message,
    write_message,
)

_log = logging.getLogger(__name__)

_LINGER_BYTES = 4 * 1024 * 1024


class ServerConnection(asyncio.BufferedProtocol):
    """See the module: callbacks of the transport, timers, and the task that serves."""

    __slots__ = (
        "_answering", "_body_pace", "_can_write", "_decoder", "_drained", "_eof", "_head_reader", "_inbox",
        "_linger_until", "_lingered", "_loop", "_lost", "_next", "_on_closed", "_owner", "_paused", "_stream", "_task",
        "_transport", "_unread", "_waiter", "_waiting_since", "_wants_continue", "_write_pace", "_writing_ends",
        "_written", "facts",
    )  # fmt: skip

    def __init__(self, owner: ConnectionOwner, on_closed: Callable[[], None]) -> None:
        limits = owner.limits
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport = None  # type: ignore[assignment]
        self._task: asyncio.Task[None] | None = None
        self.facts = ConnectionFacts(None, None, None)
        self._on_closed = on_closed
        self._head_reader = HeadReader(limits.max_header_bytes, skip_empty_line=True)
        self._decoder: BodyDecoder | None = None
        self._stream: BodyStream | None = None
        self._inbox = bytearray()  # bytes of later, pipelined requests
        self._next: Request | HttpProblem | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._answering = False
        self._wants_continue = False
        self._paused = False
        self._unread = False  # bytes of a refused request may still be on their way
        self._eof = False
        self._lost = False
        self._can_write = True
        self._drained: asyncio.Future[None] | None = None
        self._written = 0
        self._writing_ends = False
        self._linger_until = 0.0
        self._lingered = 0
        self._waiting_since = 0.0
        self._body_pace = Pace(limits.body_idle_timeout_s, limits.min_body_rate)
        self._write_pace = Pace(limits.stalled_reader_timeout_s, limits.min_body_rate)

    # callbacks of the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start serving."""
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's are not subclasses
        transport.set_write_buffer_limits(high=PIECE_BYTES)
        keep_unread_in_the_socket(transport)
        self.facts = ConnectionFacts.of(transport)
        self._waiting_since = self._loop.time()
        self._owner.connections.add(self)
        self._owner.sweeper.add(self)
        self._task = self._loop.create_task(self._serve())

    def get_buffer(self, sizehint: int) -> memoryview:
        """Say where to put what comes."""
        return self._owner.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Copy what came."""
        self._take(bytes(self._owner.buffer[:nbytes]))

    def _take(self, data: bytes) -> None:
        """Take bytes into the head or body they belong to."""
        if self._decoder is not None:
            self._take_body(data)
        elif self._linger_until:
            self._lingered += len(data)
            if self._lingered > _LINGER_BYTES:
                self._transport.abort()
        elif self._answering or self._next is not None:
            self._keep_for_later(data)
        else:
            self._take_head(data)

    def eof_received(self) -> bool:
        """Note that the peer sends no more; it may still be reading (not over TLS)."""
        self._eof = True
        if self._stream is not None:
            self._stream.fail(ConnectionLost("request_body"))
        self._wake()
        if self._linger_until:
            self._transport.close()
        return self.facts.tls is None

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything but a handler at work."""
        self._lost = self._eof = True
        self._owner.connections.discard(self)
        self._owner.sweeper.discard(self)
        if self._stream is not None:
            self._stream.fail(ConnectionLost("request_body"))
        self._wake()
        self.resume_writing()
        self._on_closed()

    def pause_writing(self) -> None:
        """The peer reads more slowly than we write."""
        self._can_write = False

    def resume_writing(self) -> None:
        """The peer has caught up, or is gone."""
        self._can_write = True
        if self._drained is not None:
            if not self._drained.done():
                self._drained.set_result(None)
            self._drained = None

    # reading

    @property
    def peer_is_gone(self) -> bool:
        """Whether the peer has closed its side."""
        return self._eof

    def _take_head(self, data: bytes) -> None:
        limits = self._owner.limits
        if not self._head_reader.begun:
            self._waiting_since = self._loop.time()
        try:
            found = self._head_reader.feed(data)
            if found is None:
                return
            head = read_request_head(found[0], limits.max_headers)
            if head.length is not None and head.length > limits.max_body_bytes:
                raise HttpTooLarge("http.body_too_large", limit=limits.max_body_bytes)
        except HttpProblem as problem:
            self._refuse(problem)
            return
        rest, length = found[1], head.length
        stream = BodyStream(self, limit=limits.max_body_bytes, high=limits.buffer_bytes)
        self._stream = stream
        self._next = Request(head, stream, self)
        if length is not None and length <= len(rest):
            stream.feed_whole(rest[:length])
            if length < len(rest):
                self._keep_for_later(rest[length:])
        else:
            self._decoder = ChunkedDecoder() if length is None else LengthDecoder(length)
            self._wants_continue = head.expects_continue
            self._body_pace.rest()
            if rest:
                self._take_body(rest)
        self._wake()

    def _take_body(self, data: bytes) -> None:
        decoder, stream = self._decoder, self._stream
        assert decoder is not None
        assert stream is not None
        self._wants_continue = False
        try:
            for piece in decoder.feed(data):
                stream.feed(piece)
        except HttpProblem as problem:
            self._give_up_body(problem)
            return
        if decoder.done:
            self._decoder = None
            stream.finish()
            if decoder.rest:
                self._keep_for_later(decoder.rest)

    def _give_up_body(self, problem: HttpProblem) -> None:
        """The rest of the body cannot be read: the reader learns why, the connection ends with the answer."""
        assert self._stream is not None
        self._decoder = None
        self._unread = True
        self._stream.fail(problem)
        self._pause()

    def _keep_for_later(self, data: bytes) -> None:
        self._inbox += data
        if len(self._inbox) > self._owner.limits.max_header_bytes:
            self._pause()

    def _refuse(self, problem: HttpProblem) -> None:
        self._next = problem
        self._unread = True
        self._pause()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None:
            if not self._waiter.done():
                self._waiter.set_result(None)
            self._waiter = None

    def _pause(self) -> None:
        if not self._paused and not self._lost:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused and not self._lost and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def pause_body(self) -> None:
        """The body's reader is behind."""
        self._pause()

    def resume_body(self) -> None:
        """The body's reader has caught up."""
        if self._decoder is not None:
            self._body_pace.rest()
            self._resume()

    def body_wanted(self) -> None:
        """Say `100 Continue` to a peer that waits for it."""
        if self._wants_continue:
            self._wants_continue = False
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def body_dropped(self) -> None:
        """Nothing to do: the connection ends with the answer, because the request was not read to its end."""

    # writing

    def write(self, data: bytes) -> None:
        """Send or buffer."""
        if self._lost or self._transport.is_closing():
            raise ConnectionLost("response")
        self._written += len(data)
        self._transport.write(data)

    async def drain(self) -> None:
        """Wait while the peer is not reading."""
        if not self._can_write and not self._lost:
            self._drained = self._loop.create_future()
            await self._drained
        if self._lost:
            raise ConnectionLost("response")

    # timers

    def on_tick(self, now: float) -> None:
        """Look at the timers of the present state."""
        limits = self._owner.limits
        if not self._can_write or self._writing_ends:
            count = self._written - self._transport.get_write_buffer_size()
            if not self._write_pace.kept(now, count):
                _log.info("peer %s reads too slowly, connection cut", self.facts.peer_address)
                self._transport.abort()
                return
        else:
            self._write_pace.rest()
        if self._linger_until:
            if now >= self._linger_until:
                self._transport.close()
                self._writing_ends = True
                self._linger_until = 0.0
        elif self._decoder is not None:
            assert self._stream is not None
            if self._paused or self._wants_continue:
                self._body_pace.rest()
            elif not self._body_pace.kept(now, self._stream.received):
                self._give_up_body(HttpTimeout("body", seconds=limits.body_idle_timeout_s))
        elif not self._answering and self._next is None and not self._writing_ends:
            self._check_waiting(now - self._waiting_since)

    def _check_waiting(self, waited: float) -> None:
        limits = self._owner.limits
        if self._head_reader.begun:
            if waited >= limits.header_timeout_s:
                self._refuse(HttpTimeout("header", seconds=limits.header_timeout_s))
        elif waited >= (limits.keep_alive_timeout_s if self._stream is not None else limits.header_timeout_s):
            self._eof = True
            self._wake()

    # serving

    async def _serve(self) -> None:
        try:
            while True:
                if not self._has_next():
                    if self._eof or self._owner.stopping:
                        break
                    self._waiter = self._loop.create_future()
                    await self._waiter
                following, self._next = self._next, None
                self._answering = True
                if following is None or not await self._answer(following):
                    break
            self._finish()
        except HttpProblem as problem:
            _log.info("connection of %s cut: %s", self.facts.peer_address, problem)
            self._transport.abort()
        except asyncio.CancelledError:
            self._transport.abort()
            raise
        except Exception:
            _log.exception("connection of %s cut", self.facts.peer_address)
            self._transport.abort()

    def _has_next(self) -> bool:
        """Begin to wait for the next request, or find it among the bytes that came before its turn."""
        self._answering = False
        self._waiting_since = self._loop.time()
        if self._inbox and self._next is None:
            data = bytes(self._inbox)
            self._inbox.clear()
            self._take_head(data)
            if not (self._inbox or self._unread or (self._stream is not None and self._stream.full)):
                self._resume()
        if self._next is not None:
            return True
        self._resume()
        return False

    async def _answer(self, following: Request | HttpProblem) -> bool:
        """Write the answer to one request; say whether another may follow on this connection."""
        if isinstance(following, HttpProblem):
            await self._send(self._refusal(following), "GET", "1.1", keep_alive=False)
            return False
        request = following
        error: Exception | None = None
        try:
            response = await self._owner.handler(request)
        except HttpProblem as problem:
            response = self._refusal(problem)
        except Exception as problem:
            error = problem
            response = self._failure(request, problem)
        ending = (self._eof or self._owner.stopping) and not self._inbox  # what came before the end is still served
        keep_alive = request.head.keep_alive and self._decoder is None and not (ending or self._unread)
        keep_alive = keep_alive and not response.close
        try:
            return await self._send(response, request.method, request.version, keep_alive=keep_alive)
        except ValueError as problem:
            if error is not None:
                raise
            response = self._failure(request, problem)
            return await self._send(response, request.method, request.version, keep_alive=False)

    async def _send(self, response: Response, method: str, version: str, *, keep_alive: bool) -> bool:
        body = response.body
        try:
            outgoing = response_head(response, method=method, version=version, keep_alive=keep_alive)
            whole = whole_message(outgoing, body)
            if whole is None:
                await self._stream_out(outgoing, body)
            else:
                self.write(whole)
                if not self._can_write:
                    await self.drain()
        finally:
            if not isinstance(body, bytes):
                await close_body(body)
        return outgoing.keep_alive

    async def _stream_out(self, outgoing: OutgoingHead, body: OutgoingBody) -> None:
        try:
            await write_message(self, outgoing, body)
        except HttpProblem:
            raise
        except Exception:
            # The head may be on its way: cut the connection, so that nobody takes half a body for a whole one.
            _log.exception("answer to %s broke off", self.facts.peer_address)
            raise ConnectionLost("response") from None

    def _refusal(self, problem: HttpProblem) -> Response:
        _log.info("request of %s refused: %s", self.facts.peer_address, problem)
        try:
            return self._owner.on_bad_request(problem)
        except Exception:
            _log.exception("the hook for bad requests failed")
            return refuse_plainly(problem)

    def _failure(self, request: Request, error: Exception) -> Response:
        _log.error("handler failed", exc_info=error)
        try:
            return self._owner.on_error(request, error)
        except Exception:
            _log.exception("the hook for errors failed")
            return fail_plainly(request, error)

    # ending

    def _finish(self) -> None:
        """Close; after an answer to a request not read to its end, wait a little so that the answer arrives."""
        if self._lost:
            return
        unread = self._unread or self._decoder is not None or bool(self._inbox)
        self._decoder = None
        if self._stream is not None:
            self._stream.discard()
        if not unread or self._eof or not self._owner.limits.linger_s:
            self._transport.close()
            self._writing_ends = True
            return
        # Closing a socket with unread bytes resets it, and the peer may lose our last words (RFC 9112 9.6).
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._linger_until = self._loop.time() + self._owner.limits.linger_s
        self._resume()

    def stop(self) -> None:
        """Close when idle; otherwise after the answer in progress."""
        if not self._answering and self._next is None and not self._head_reader.begun:
            self._eof = True
            self._wake()

    def abort(self) -> asyncio.Task[None] | None:
        """Cut the connection and cancel its handler; return the task to wait for."""
        if not self._lost:
            self._transport.abort()
        if self._task is not None:
            self._task.cancel()
        return self._task
