"""One connection of the client: one exchange at a time, request and response flowing independently (RFC 9112 9).

The request's body is sent by a task of its own while the response is already awaited, because a server
may answer before it has read everything. A connection goes back to the pool only when both messages are
complete and nothing follows the response.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import select
import ssl
from typing import Protocol, cast

from gateway.runtime.http.framing import BodyDecoder, ChunkedDecoder, LengthDecoder, UntilCloseDecoder
from gateway.runtime.http.heads import HeadReader, read_response_head
from gateway.runtime.http.model import Address, ClientLimits, ConnectionFacts, OutgoingBody, ResponseHead
from gateway.runtime.http.pace import Pace
from gateway.runtime.http.problems import (
    ConnectionLost,
    HttpProblem,
    HttpTimeout,
    HttpTooLarge,
    MalformedHttp,
    TlsFailed,
)
from gateway.runtime.http.streams import BodyStream, keep_unread_in_the_socket
from gateway.runtime.http.writing import PIECE_BYTES, OutgoingHead, close_body, whole_message, write_message

_log = logging.getLogger(__name__)

_MAX_INTERIM = 8
"""1xx responses before the final one."""
_SURELY_KEPT_S = 0.5
"""Idle times of servers end after a second at the least."""


class Home(Protocol):
    """Where connections belong: the client's pool."""

    buffer: memoryview
    """Where the next bytes of whichever connection go."""

    def opened(self, connection: ClientConnection) -> None:
        """A connection is up and wants its timers looked at."""

    def idle(self, connection: ClientConnection) -> None:
        """A connection can serve another exchange."""

    def lost(self, connection: ClientConnection) -> None:
        """A connection is gone."""


class ClientConnection(asyncio.BufferedProtocol):
    """See the module: callbacks of the transport, one exchange, timers."""

    __slots__ = (
        "_address", "_body_pace", "_can_write", "_deadline", "_decoder", "_drained", "_eof", "_head", "_head_reader",
        "_home", "_interim", "_keep_alive", "_kept_open", "_limits", "_loop", "_lost", "_method", "_paused", "_problem",
        "_sender", "_sending", "_stream", "_timeout_s", "_transport", "_waiter", "_write_pace", "_written", "facts",
        "idle_since",
    )  # fmt: skip

    def __init__(self, address: Address, limits: ClientLimits, home: Home) -> None:
        self._address = address
        self._limits = limits
        self._home = home
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport = None  # type: ignore[assignment]
        self.facts = ConnectionFacts(None, None, None, address=address)
        self.idle_since: float | None = None
        self._method = ""
        self._head_reader = HeadReader(limits.max_header_bytes)
        self._head: ResponseHead | None = None
        self._decoder: BodyDecoder | None = None
        self._stream: BodyStream | None = None
        self._waiter: asyncio.Future[ResponseHead] | None = None
        self._problem: BaseException | None = None
        self._sender: asyncio.Task[None] | None = None
        self._sending = False
        self._keep_alive = True
        self._kept_open = False
        self._interim = 0
        self._paused = False
        self._eof = False
        self._lost = False
        self._can_write = True
        self._drained: asyncio.Future[None] | None = None
        self._written = 0
        self._deadline: float | None = None
        self._timeout_s = limits.response_timeout_s
        self._body_pace = Pace(limits.body_idle_timeout_s, limits.min_body_rate)
        self._write_pace = Pace(limits.stalled_reader_timeout_s, limits.min_body_rate)

    # callbacks of the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected, TLS included."""
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's are not subclasses
        transport.set_write_buffer_limits(high=PIECE_BYTES)
        keep_unread_in_the_socket(transport)
        self.facts = ConnectionFacts.of(transport, self._address)
        self._home.opened(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Say where to put what comes."""
        return self._home.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Copy what came."""
        self._take(bytes(self._home.buffer[:nbytes]))

    def _take(self, data: bytes) -> None:
        """Take bytes into the response."""
        try:
            if self._decoder is not None:
                self._take_body(data)
            elif self._waiter is not None:
                self._take_head(data)
            else:
                self.abort()  # nobody asked
        except HttpProblem as problem:
            self._fail(problem)

    def eof_received(self) -> bool:
        """The peer has said its last: the end of some bodies, a loss otherwise."""
        self._eof = True
        if isinstance(self._decoder, UntilCloseDecoder) and self._orderly_end():
            self._decoder = None
            assert self._stream is not None
            self._stream.finish()
            self._settle()
        else:
            self._fail(ConnectionLost(self._stage(), sent=self._written > 0))
        return False

    def _orderly_end(self) -> bool:
        """Say whether TLS ended with close_notify: anybody can end a TCP connection and so cut a body short."""
        if self.facts.tls is None:
            return True
        try:
            return not self.facts.tls.read(1)
        except ssl.SSLZeroReturnError:
            return True
        except ssl.SSLError:
            return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody who waits."""
        self._lost = True
        self._home.lost(self)
        if isinstance(exc, ssl.SSLError) and self._head is None:
            host, port = self._address
            self._fail(TlsFailed(host, port, exc.reason or str(exc), handshaken=True))
        else:
            self._fail(ConnectionLost(self._stage(), reason=str(exc) if exc else "closed", sent=self._written > 0))
        self.resume_writing()

    def pause_writing(self) -> None:
        """The peer reads more slowly than we send."""
        self._can_write = False

    def resume_writing(self) -> None:
        """The peer has caught up, or is gone."""
        self._can_write = True
        if self._drained is not None:
            if not self._drained.done():
                self._drained.set_result(None)
            self._drained = None

    def _stage(self) -> str:
        return "response" if self._head is None and not self._head_reader.begun else "response_body"

    # one exchange

    @property
    def usable(self) -> bool:
        """Whether another exchange may begin."""
        return not (self._lost or self._eof) and not self._transport.is_closing()

    @property
    def surely_open(self) -> bool:
        """Whether an idle connection needs no asking of the socket.

        Who ends a connection unannounced does so right behind an answer or when its idle time is over. So a peer
        that has kept this one open behind an answer before, and has waited only for a moment, is not suspected;
        that saves a system call, and handing the interpreter to another thread, for each exchange under load.
        """
        return self._kept_open and self.usable and self._loop.time() - (self.idle_since or 0.0) < _SURELY_KEPT_S

    async def still_open(self) -> bool:
        """Ask the socket, not only the event loop, whether an idle connection is still there."""
        sock = self._transport.get_extra_info("socket")
        if self.usable and sock is not None and _readable(sock.fileno()):
            await asyncio.sleep(0)  # let the loop read what came: the end, or a TLS session ticket
            if self.usable and _readable(sock.fileno()):
                self.abort()
        self._kept_open = self.usable
        return self._kept_open

    async def exchange(
        self, method: str, outgoing: OutgoingHead, body: OutgoingBody, response_timeout_s: float
    ) -> tuple[ResponseHead, BodyStream]:
        """Send a request and return the response's head; its body comes by the stream.

        Raises what stopped either message; then the connection is cut.
        """
        self.idle_since = None
        self._method = method
        self._head = None
        self._problem = None
        self._interim = 0
        self._written = 0
        self._keep_alive = outgoing.keep_alive
        self._timeout_s = response_timeout_s
        self._stream = stream = BodyStream(self, limit=self._limits.max_body_bytes, high=self._limits.buffer_bytes)
        self._waiter = waiter = self._loop.create_future()
        self._sending = True
        try:
            whole = whole_message(outgoing, body)
            if whole is None:
                self._sender = self._loop.create_task(self._send(outgoing, body))
            else:
                self.write(whole)
                if not self._can_write:
                    await self.drain()
                self._sent()
            return await waiter, stream
        except BaseException as error:
            if self._stream is stream:  # not yet at work for somebody else
                self._waiter = None
                self.abort()
            if isinstance(error, ConnectionLost) and self._problem is not None:
                raise self._problem from None
            raise

    async def _send(self, outgoing: OutgoingHead, body: OutgoingBody) -> None:
        try:
            await write_message(self, outgoing, body)
        except ConnectionLost as problem:
            self._fail(problem)
        except Exception as error:  # the caller's own iterator: it gets its exception back
            self._fail(error)
        else:
            self._sent()
        finally:
            if not isinstance(body, bytes):
                with contextlib.suppress(Exception):
                    await close_body(body)

    def _sent(self) -> None:
        self._sending = False
        self._sender = None
        self._deadline = self._loop.time() + self._timeout_s
        self._settle()

    def _take_head(self, data: bytes) -> None:
        rest = data
        while True:
            found = self._head_reader.feed(rest)
            if found is None:
                return
            head_bytes, rest = found
            head = read_response_head(head_bytes, self._limits.max_headers, method=self._method)
            if head.status >= 200:
                break
            self._interim += 1
            if head.status == 101 or self._interim > _MAX_INTERIM:
                raise MalformedHttp("http.unexpected_status", status=head.status)
            if not rest:
                return
        if head.length is not None and head.length > self._limits.max_body_bytes:
            raise HttpTooLarge("http.body_too_large", limit=self._limits.max_body_bytes)
        self._head = head
        self._keep_alive = self._keep_alive and head.keep_alive
        self._deadline = None
        self._body_pace.rest()
        assert self._waiter is not None
        waiter, self._waiter = self._waiter, None
        if not waiter.done():
            waiter.set_result(head)
        assert self._stream is not None
        if head.length is not None and head.length <= len(rest):
            self._stream.feed_whole(rest[: head.length])
            if head.length < len(rest):
                self._keep_alive = False
            self._settle()
        else:
            if head.chunked:
                self._decoder = ChunkedDecoder()
            elif head.length is None:
                self._decoder = UntilCloseDecoder()
            else:
                self._decoder = LengthDecoder(head.length)
            if rest:
                self._take_body(rest)

    def _take_body(self, data: bytes) -> None:
        decoder, stream = self._decoder, self._stream
        assert decoder is not None
        assert stream is not None
        for piece in decoder.feed(data):
            stream.feed(piece)
        if decoder.done:
            self._decoder = None
            if decoder.rest:
                self._keep_alive = False
            stream.finish()
            self._settle()

    def _settle(self) -> None:
        """When the response is complete: back to the pool, or close."""
        if self._head is None or self._decoder is not None:
            return
        if self._keep_alive and not self._sending and self.usable:
            if self._paused:
                self._paused = False
                self._transport.resume_reading()
            self._deadline = None
            self.idle_since = self._loop.time()
            self._home.idle(self)
        elif self._sending:
            self.abort()  # it has answered, so it wants no more of the request
        else:
            # Not from inside buffer_updated: uvloop's TLS fails there when a close_notify came with the response.
            self._loop.call_soon(self._close)

    def _fail(self, problem: BaseException) -> None:
        if self._problem is None:
            self._problem = problem
        if self._waiter is not None:
            waiter, self._waiter = self._waiter, None
            if not waiter.done():
                waiter.set_exception(problem)
        if self._stream is not None:
            self._stream.fail(problem)
        self._decoder = None
        self.abort()

    def _stop_sending(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None and sender is not asyncio.current_task():
            sender.cancel()
        self._sending = False

    def _close(self) -> None:
        self._stop_sending()
        self._transport.close()
        self._deadline = self._loop.time() + self._limits.stalled_reader_timeout_s

    def abort(self) -> None:
        """Cut the connection and give up whatever was in progress."""
        self._stop_sending()
        if not self._lost:
            self._transport.abort()

    def close(self) -> None:
        """Close an idle connection."""
        self._close()

    # what body stream, writer and sweeper ask

    def pause_body(self) -> None:
        """The body's reader is behind."""
        if not self._lost:
            self._paused = True
            self._transport.pause_reading()

    def resume_body(self) -> None:
        """The body's reader has caught up."""
        if self._paused and self._decoder is not None and not self._transport.is_closing():
            self._paused = False
            self._body_pace.rest()
            self._transport.resume_reading()

    def body_wanted(self) -> None:
        """Nothing to do: responses come unasked."""

    def body_dropped(self) -> None:
        """Cut the connection: its response will not be read to the end."""
        self.abort()

    def write(self, data: bytes) -> None:
        """Send or buffer."""
        if not self.usable:
            raise ConnectionLost("request", sent=self._written > 0)
        self._written += len(data)
        self._transport.write(data)

    async def drain(self) -> None:
        """Wait while the peer is not reading."""
        if not self._can_write:
            self._drained = self._loop.create_future()
            await self._drained
        if self._lost:
            raise ConnectionLost("request", sent=self._written > 0)

    def on_tick(self, now: float) -> None:
        """Look at the timers of the present state."""
        if self.idle_since is not None:
            if now - self.idle_since >= self._limits.keep_alive_timeout_s:
                self._close()
                self.idle_since = None
        elif not self._can_write:
            count = self._written - self._transport.get_write_buffer_size()
            if not self._write_pace.kept(now, count):
                self._fail(HttpTimeout("sending", seconds=self._limits.stalled_reader_timeout_s))
        else:
            self._write_pace.rest()
            if self._deadline is not None and now >= self._deadline:
                self._fail(HttpTimeout("response", seconds=self._timeout_s))
            elif self._decoder is not None and not self._paused:
                assert self._stream is not None
                if not self._body_pace.kept(now, self._stream.received):
                    self._fail(HttpTimeout("response_body", seconds=self._limits.body_idle_timeout_s))


def _readable(descriptor: int) -> bool:
    if descriptor < 0:
        return False
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))
