"""A body on its way in: back-pressure, limits, and an end that is never faked."""

from __future__ import annotations

import asyncio

import pytest

from gateway.runtime.http.problems import ConnectionLost, HttpTooLarge
from gateway.runtime.http.streams import BodyStream


class Source:
    """Notes what a stream asks of its connection."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pause_body(self) -> None:
        self.calls.append("pause")

    def resume_body(self) -> None:
        self.calls.append("resume")

    def body_wanted(self) -> None:
        self.calls.append("wanted")

    def body_dropped(self) -> None:
        self.calls.append("dropped")


def a_stream(limit: int = 1000, high: int = 100) -> tuple[BodyStream, Source]:
    source = Source()
    return BodyStream(source, limit=limit, high=high), source


async def test_source_is_paused_above_the_mark_and_resumed_below_half() -> None:
    stream, source = a_stream()
    for _ in range(4):
        stream.feed(b"x" * 40)
    assert source.calls == ["pause"]
    await anext(stream)
    await anext(stream)
    assert source.calls == ["pause"]
    await anext(stream)
    assert source.calls == ["pause", "resume"]


async def test_reader_waits_for_pieces_and_asks_for_them() -> None:
    stream, source = a_stream()
    reading = asyncio.create_task(stream.read())
    await asyncio.sleep(0)
    assert source.calls == ["wanted"]
    stream.feed(b"a")
    await asyncio.sleep(0)
    stream.feed(b"b")
    stream.finish()
    assert await reading == b"ab"


@pytest.mark.parametrize("body", [b"", b"whole"])
async def test_body_that_came_whole_is_read_like_any_other(body: bytes) -> None:
    for read_first in (False, True):
        stream, _ = a_stream()
        reading = asyncio.create_task(stream.read()) if read_first else None
        await asyncio.sleep(0)
        stream.feed_whole(body)
        assert (stream.ended, stream.received) == (True, len(body))
        assert await (reading or stream.read()) == body
        assert [piece async for piece in stream] == []


async def test_whole_body_above_the_mark_stops_the_source_until_it_is_read() -> None:
    stream, source = a_stream(high=100)
    stream.feed_whole(b"x" * 101)
    assert stream.full
    await stream.read()
    assert source.calls == ["pause", "resume"]


async def test_problem_comes_after_what_had_arrived() -> None:
    stream, _ = a_stream()
    stream.feed(b"a")
    stream.fail(ConnectionLost("request_body"))
    assert await anext(stream) == b"a"
    with pytest.raises(ConnectionLost):
        await anext(stream)
    with pytest.raises(ConnectionLost):
        await anext(stream)


async def test_problem_after_the_end_changes_nothing() -> None:
    stream, _ = a_stream()
    stream.feed(b"a")
    stream.finish()
    stream.fail(ConnectionLost("request_body"))
    assert await stream.read() == b"a"
    assert await stream.read() == b""


def test_more_than_the_limit_is_refused_even_when_discarded() -> None:
    stream, _ = a_stream(limit=10)
    stream.discard()
    stream.feed(b"x" * 10)
    with pytest.raises(HttpTooLarge):
        stream.feed(b"x")


@pytest.mark.parametrize("pieces", [[b"x" * 11], [b"x" * 6, b"x" * 5]])
async def test_read_refuses_more_than_its_limit(pieces: list[bytes]) -> None:
    stream, _ = a_stream()
    for piece in pieces:
        stream.feed(piece)
    stream.finish()
    with pytest.raises(HttpTooLarge):
        await stream.read(10)


async def test_body_given_up_is_told_to_its_source_once() -> None:
    stream, source = a_stream()
    stream.feed(b"a")
    await stream.aclose()
    await stream.aclose()
    assert source.calls == ["dropped"]
    assert await stream.read() == b""


async def test_complete_body_needs_no_giving_up() -> None:
    stream, source = a_stream()
    stream.finish()
    await stream.aclose()
    assert source.calls == []
