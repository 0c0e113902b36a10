from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.messagelog.archive.linking import (
    LinkingBuilder,
    parse_linking,
    verify_linking,
    verify_succession,
)
from gateway.messagelog.archive.model import LINKING_DIGESTS
from gateway.xroad.digests import DigestAlgorithm
from gateway.xroad.faults import MalformedMessage, SignatureRefused, XRoadFault

CONTAINERS = [(f"q-{number}-request-{number}.asice", bytes([number]) * 64) for number in range(1, 4)]


def linked(algorithm: DigestAlgorithm = DigestAlgorithm.SHA512, previous: tuple[str, str] = ("", "")) -> bytes:
    builder = LinkingBuilder(algorithm, *previous)
    for name, digest in CONTAINERS:
        builder.add(name, digest)
    return builder.build()


def test_digests_are_chained_as_hex_text() -> None:
    first = hashlib.sha512(CONTAINERS[0][1].hex().encode()).hexdigest()
    second = hashlib.sha512((first + CONTAINERS[1][1].hex()).encode()).hexdigest()
    lines = linked().decode().split("\n")
    assert lines[0] == "- - SHA-512"
    assert lines[1] == f"{first} q-1-request-1.asice"
    assert lines[2] == f"{second} q-2-request-2.asice"
    assert lines[-1] == ""


def test_a_file_begins_with_the_last_digest_and_name_of_the_one_before() -> None:
    raw = linked(previous=("ab" * 64, "mlog-1.zip.gpg"))
    assert raw.startswith(b"ab" * 64 + b" mlog-1.zip.gpg SHA-512\n")
    info = parse_linking(raw)
    verify_succession(info, "ab" * 64, "mlog-1.zip")  # decrypted since
    for previous in (("", ""), ("ab" * 64, "mlog-2.zip"), ("ac" * 64, "mlog-1.zip")):
        with pytest.raises(SignatureRefused) as refusal:
            verify_succession(info, *previous)
        assert refusal.value.text_id == "archive.linking_previous"


@pytest.mark.parametrize("algorithm", LINKING_DIGESTS)
def test_what_was_linked_is_proven_by_every_algorithm_of_the_reference(algorithm: DigestAlgorithm) -> None:
    info = parse_linking(linked(algorithm, ("cd" * 32, "mlog-0.zip")))  # the one before was linked by SHA-256
    assert info.algorithm is algorithm
    assert verify_linking(info, CONTAINERS) == info.last_digest


@pytest.mark.parametrize(
    ("containers", "text_id"),
    [
        ([CONTAINERS[0], ("q-2-request-2.asice", bytes(64)), CONTAINERS[2]], "archive.linking_digest"),
        ([CONTAINERS[0], CONTAINERS[2], CONTAINERS[1]], "archive.linking_order"),
        (CONTAINERS[:2], "archive.linking_missing"),
        ([*CONTAINERS, ("more.asice", bytes(64))], "archive.linking_order"),
    ],
)
def test_container_changed_moved_removed_or_added_breaks_the_chain(
    containers: list[tuple[str, bytes]], text_id: str
) -> None:
    with pytest.raises(SignatureRefused) as refusal:
        verify_linking(parse_linking(linked()), containers)
    assert (refusal.value.code, refusal.value.text_id) == ("invalid_hash_chain", text_id)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\n", b"- - SHA-512", b"- - SHA-1\n", b"- - - SHA-512\n", b"- -  SHA-512\n", b"AB - SHA-512\n",
        b"- - SHA-512\nab name\n", b"- - SHA-512\n" + b"AB" * 64 + b" name\n",
        b"- - SHA-512\n" + b"ab" * 64 + b" a b\n",
        b"- - SHA-512\n" + b"ab" * 64 + b" \n", b"- - SHA-512\n" + b"ab" * 32 + b" name\n",
        b"- - SHA-512\n" + 2 * (b"ab" * 64 + b" name\n"), b"- - SHA-512\r\n", b"\xff - SHA-512\n",
    ],
)  # fmt: skip
def test_every_other_spelling_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_linking(raw)


@given(st.binary() | st.text(alphabet="- \n0123456789abcdefSHA.").map(str.encode))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        parse_linking(b"- - SHA-512\n" + raw)
    except XRoadFault:
        return
