from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.bodies import BytesBody, BytesSink
from gateway.xroad.digests import digest_of


@given(st.lists(st.binary()))
def test_body_is_what_was_written(pieces: list[bytes]) -> None:
    sink = BytesSink()
    for piece in pieces:
        sink.write(piece)
    body = sink.finish()
    data = b"".join(pieces)
    assert b"".join(body.chunks()) == b"".join(body.chunks()) == data
    assert (body.size, body.digest) == (len(data), digest_of(data))


def test_empty_body_has_no_chunks() -> None:
    assert list(BytesBody(b"").chunks()) == []


def test_bodies_are_compared_by_their_bytes() -> None:
    assert BytesBody(b"a") == BytesBody(b"a") != BytesBody(b"b")
