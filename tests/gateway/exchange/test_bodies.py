from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest

from gateway.exchange.bodies import read_bounded, read_package, spool_body
from gateway.exchange.ports import ExchangeLimits
from gateway.runtime.spool import SpoolDirectory
from gateway.xroad.digests import Digest, DigestAlgorithm, digest_of
from gateway.xroad.faults import MalformedMessage


async def a_stream(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[SpoolDirectory[Digest]]:
    made = SpoolDirectory(tmp_path, partial(Digest, DigestAlgorithm.SHA512), memory_threshold_bytes=4)
    yield made
    made.close()


@pytest.mark.parametrize("pieces", [(), (b"abc",), (b"a", b"b", b"", b"c")])
async def test_stream_is_read_whole(pieces: tuple[bytes, ...]) -> None:
    assert await read_bounded(a_stream(*pieces), 3) == b"".join(pieces)


async def test_message_above_its_bound_is_refused() -> None:
    with pytest.raises(MalformedMessage) as refused:
        await read_bounded(a_stream(b"ab", b"cd"), 3)
    assert refused.value.code == "invalid_message"


async def test_body_is_hashed_on_its_way(spool: SpoolDirectory[Digest]) -> None:
    body = await spool_body(a_stream(b"abc", b"", b"def"), spool, 6)
    assert body is not None
    assert (b"".join(body.chunks()), body.size) == (b"abcdef", 6)
    assert body.digest == digest_of(b"abcdef", DigestAlgorithm.SHA512)


async def test_empty_stream_is_no_body(spool: SpoolDirectory[Digest]) -> None:
    assert await spool_body(a_stream(), spool, 6) is None
    assert await spool_body(a_stream(b""), spool, 6) is None


async def test_refused_body_leaves_no_file(spool: SpoolDirectory[Digest], tmp_path: Path) -> None:
    with pytest.raises(MalformedMessage):
        await spool_body(a_stream(b"abcdef", b"g"), spool, 6)
    assert [path for path in spool.directory.iterdir() if path.is_file()] == []


PACKAGE = (
    b"--b\r\nContent-Type: text/xml\r\n\r\n<a/>\r\n--b\r\nContent-Type: a/b\r\n\r\n123456789\r\n--b\r\n"
    b"Content-Type: a/b\r\n\r\n\r\n--b--"
)


async def test_attachments_of_a_package_lie_in_the_spool(spool: SpoolDirectory[Digest]) -> None:
    pieces = (PACKAGE[:60], PACKAGE[60:100], b"", PACKAGE[100:])
    reader = await read_package(a_stream(*pieces), "multipart/related; boundary=b", spool, ExchangeLimits())
    assert reader.finish_raw() == b"<a/>"
    assert len(list(spool.directory.iterdir())) == 1  # the empty one needs no file
    assert [b"".join(each.body.chunks()) for each in reader.attachments] == [b"123456789", b""]
    assert [each.body.digest for each in reader.attachments] == [digest_of(b"123456789"), digest_of(b"")]


@pytest.mark.parametrize("limits", [ExchangeLimits(soap_bytes=3), ExchangeLimits(rest_body_bytes=8)])
async def test_package_has_bounds(spool: SpoolDirectory[Digest], limits: ExchangeLimits) -> None:
    with pytest.raises(MalformedMessage) as caught:
        await read_package(a_stream(PACKAGE), "multipart/related; boundary=b", spool, limits)
    assert caught.value.code == "invalid_request"
