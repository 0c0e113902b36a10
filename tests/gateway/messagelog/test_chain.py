from __future__ import annotations

import hashlib
import struct
from typing import Any

import pytest

from gateway.messagelog.chain import GENESIS, content_hash, record_hash
from gateway.messagelog.model import RecordContent, RecordedBody, Side

CONTENT = RecordContent(
    time_ms=1_700_000_000_123,
    side=Side.PROVIDER,
    is_response=True,
    query_id="їжак",
    x_request_id="r",
    client="A/B/C",
    provider="A/B/D/E",
    service_code="s",
    service_version=None,
    message_digest=b"m" * 64,
    signature_digest=b"s" * 64,
    hash_chain_result=b"result",
    hash_chain=None,
    bodies=(RecordedBody(1, 5, b"d" * 64, "2026-01-01/x"), RecordedBody(2, 6, b"e" * 64, None)),
)


def field(value: bytes | None) -> bytes:
    return b"\xff" * 8 if value is None else struct.pack(">Q", len(value)) + value


def test_content_is_hashed_as_documented() -> None:
    values = [
        b"1700000000123", b"provider", b"1", "їжак".encode(), b"r", b"A/B/C", b"A/B/D/E", b"s", None, b"m" * 64,
        b"s" * 64, hashlib.sha512(b"result").digest(), None, b"1", b"5", b"d" * 64, b"1", b"2", b"6", b"e" * 64, b"0",
    ]  # fmt: skip
    expected = hashlib.sha512(b"surma message record 1\n" + b"".join(map(field, values))).digest()
    assert content_hash(CONTENT) == expected


def test_record_is_bound_to_its_place_as_documented() -> None:
    expected = hashlib.sha512(GENESIS + struct.pack(">Q", 1) + b"c" * 64).digest()
    assert record_hash(GENESIS, 1, b"c" * 64) == expected


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"query_id": "ab", "x_request_id": "c"}, {"query_id": "a", "x_request_id": "bc"}),
        ({"service_version": None}, {"service_version": ""}),
        ({"hash_chain": None, "hash_chain_result": b"x"}, {"hash_chain": b"x", "hash_chain_result": None}),
    ],
)
def test_values_cannot_move_from_field_to_field(left: dict[str, Any], right: dict[str, Any]) -> None:
    first, second = (CONTENT._replace(**changes) for changes in (left, right))
    assert content_hash(first) != content_hash(second)
