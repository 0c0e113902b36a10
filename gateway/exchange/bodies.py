"""Read bodies whole before anything is decided: SOAP into memory, attachments and REST into the spool."""

from __future__ import annotations

from gateway.exchange.ports import ExchangeLimits, Spool
from gateway.exchange.requests import ByteStream
from gateway.xroad.bodies import Body, BodySink
from gateway.xroad.faults import MalformedMessage
from gateway.xroad.soap.package import PackageLimits, PackageReader


async def read_bounded(stream: ByteStream, limit_bytes: int) -> bytes:
    """Return the whole stream; past `limit_bytes` it is refused (invalid_message)."""
    pieces: list[bytes] = []
    size = 0
    async for chunk in stream:
        size += len(chunk)
        _within(size, limit_bytes)
        pieces.append(chunk)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def read_package(stream: ByteStream, content_type: str, spool: Spool, limits: ExchangeLimits) -> PackageReader:
    """Return the reader of SOAP in any of its forms, with the whole stream in it: attachments go to the spool.

    Raises MalformedMessage for what is no SOAP by its content type, breaks off, or is too large.
    """
    bounds = PackageLimits(soap_bytes=limits.soap_bytes, body_bytes=limits.rest_body_bytes)
    reader = PackageReader(content_type, open_sink=spool.open_sink, limits=bounds)
    async for chunk in stream:
        reader.feed(chunk)
    return reader


async def spool_body(stream: ByteStream, spool: Spool, limit_bytes: int) -> Body | None:
    """Return the spooled stream, or None when it was empty: no body part then (X-Road ProxyMessageEncoder.java)."""
    sink: BodySink | None = None
    size = 0
    async for chunk in stream:
        if not chunk:
            continue
        size += len(chunk)
        _within(size, limit_bytes)
        sink = sink or spool.open_sink()
        sink.write(chunk)
    return None if sink is None else sink.finish()


def _within(size_bytes: int, limit_bytes: int) -> None:
    if size_bytes > limit_bytes:
        raise MalformedMessage("invalid_message", "exchange.too_large", limit_bytes=limit_bytes)
