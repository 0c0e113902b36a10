"""Port 5577 against what the reference answered; `peer_ocsp` reads both."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.consumer.peer_ocsp import PeerOcspResponses, parse_answer, request_target
from gateway.provider.ocsp_endpoint import OcspEndpoint
from gateway.runtime.http.server import HttpServer
from gateway.xroad.faults import AccessRefused, MalformedMessage, XRoadFault
from tests.factories.recordings import Recording, find_vectors, parse_recording, read_recording, vectors

CASES = ["both-kinds", "head", "none", "one", "one-unknown", "post", "sha256-only", "two", "unknown", "upper-case"]
CERTIFICATES = (b"one", b"two", b"three")


class Known:
    """OCSP responses by SHA-1, as the signer gives them: all or none."""

    def __init__(self, responses: dict[str, bytes]) -> None:
        self._responses = responses

    def ocsp_responses_for(self, sha1_hashes: Iterable[str]) -> list[bytes] | None:
        found = [self._responses.get(name.lower()) for name in sha1_hashes]
        return None if None in found else [response for response in found if response is not None]


def recorded(folder: Path, case: str) -> tuple[Recording, Recording]:
    return read_recording(folder / case / "request.http"), read_recording(folder / case / "response.http")


def hashes_in(request: Recording) -> list[str]:
    query = request.start_line.split(" ")[1].partition("?")[2]
    return [value.lower() for name, value in parse_qsl(query) if name == "cert"]


def all_known(folder: Path) -> Known:
    """What the server of the recordings knew."""
    found: dict[str, bytes] = {}
    for case in ("one", "two"):
        request, response = recorded(folder, case)
        names = hashes_in(request)
        parts = parse_answer(response.header("content-type") or "", response.body, len(names))
        found.update(zip(names, parts, strict=True))
    return Known(found)


async def ask(endpoint: OcspEndpoint, raw: bytes) -> Recording:
    """Send a request as it was recorded."""
    server = HttpServer(endpoint, host="127.0.0.1", port=0)
    await server.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(raw)
        answer = await reader.read(-1)
        writer.close()
    finally:
        await server.close()
    return parse_recording(answer)


@pytest.mark.parametrize("case", CASES)
async def test_recorded_question_gets_the_recorded_answer(case: str) -> None:
    folder = vectors() / "ocsp-5577"
    request, theirs = recorded(folder, case)
    ours = await ask(OcspEndpoint(all_known(folder)), (folder / case / "request.http").read_bytes())
    assert ours.start_line.split(" ")[1] == theirs.start_line.split(" ")[1]
    if theirs.header("content-type") is None or not theirs.start_line.startswith("HTTP/1.1 200"):
        return
    count = len(hashes_in(request))
    assert parse_answer(ours.header("content-type") or "", ours.body, count) == parse_answer(
        theirs.header("content-type") or "", theirs.body, count
    )
    boundaries = [(one.header("content-type") or "").rpartition("=")[2] for one in (ours, theirs)]
    assert (ours.header("content-type") or "").replace(*boundaries) == theirs.header("content-type")
    assert ours.body.replace(boundaries[0].encode(), boundaries[1].encode()) == theirs.body


def known(*certificates: bytes) -> Known:
    return Known({hashlib.sha1(der).hexdigest(): b"status of " + der for der in certificates})


async def fetch_from(endpoint: OcspEndpoint, target: str) -> tuple[int, str, bytes]:
    answer = await ask(endpoint, f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    return int(answer.start_line.split(" ")[1]), answer.header("content-type") or "", answer.body


async def test_peer_reads_what_the_endpoint_says_and_remembers_it() -> None:
    asked: list[str] = []

    async def fetch(address: str, target: str) -> tuple[int, str, bytes]:
        asked.append(address)
        return await fetch_from(OcspEndpoint(known(*CERTIFICATES)), target)

    peers = PeerOcspResponses(fetch)
    assert peers.kept(CERTIFICATES) is None
    both = await asyncio.gather(*(peers.responses_of(CERTIFICATES, "127.0.3.1") for _ in range(3)))
    assert both == [tuple(b"status of " + der for der in CERTIFICATES)] * 3
    assert asked == ["127.0.3.1"]
    assert peers.kept(CERTIFICATES) == both[0]


async def test_one_unknown_certificate_spoils_the_whole_answer() -> None:
    async def fetch(_: str, target: str) -> tuple[int, str, bytes]:
        return await fetch_from(OcspEndpoint(known(b"one")), target)

    peers = PeerOcspResponses(fetch)
    with pytest.raises(AccessRefused) as refused:
        await peers.responses_of(CERTIFICATES, "127.0.3.1")
    assert (refused.value.code, refused.value.text_id) == ("ssl_authentication_failed", "peers.status_unavailable")
    assert peers.kept(CERTIFICATES) is None


async def test_silent_peer_is_asked_again_the_next_time() -> None:
    answers = [OSError("refused"), (200, "text/html", b""), (500, "", b""), (200, "multipart/related", b"")]

    async def fetch(*_: str) -> tuple[int, str, bytes]:
        answer = answers.pop()
        if isinstance(answer, OSError):
            raise answer
        return answer

    peers = PeerOcspResponses(fetch)
    for _ in range(4):
        with pytest.raises(AccessRefused):
            await peers.responses_of(CERTIFICATES, "127.0.3.1")
    assert answers == []


def test_both_kinds_of_hash_are_sent() -> None:
    target = request_target((b"one",))
    assert target == f"/?cert={hashlib.sha1(b'one').hexdigest()}&cert_hash={hashlib.sha256(b'one').hexdigest()}"


@pytest.mark.parametrize("expected", [0, 1, 3])
def test_number_of_parts_must_be_that_of_the_question(expected: int) -> None:
    part = b"--b\r\nContent-Type: application/ocsp-response\r\n\r\nx\r\n"
    with pytest.raises(MalformedMessage):
        parse_answer("multipart/related; boundary=b", part * 2 + b"--b--\r\n", expected)


def test_part_of_another_kind_is_refused() -> None:
    with pytest.raises(MalformedMessage) as refused:
        parse_answer("multipart/related; boundary=b", b"--b\r\nContent-Type: text/html\r\n\r\nx\r\n--b--\r\n", 1)
    assert refused.value.code == "invalid_content_type"


@given(st.binary(max_size=200), st.sampled_from(["multipart/related; boundary=b", "multipart/mixed", "", "text/html"]))
def test_any_answer_is_read_or_refused(body: bytes, content_type: str) -> None:
    try:
        parse_answer(content_type, body, 1)
    except XRoadFault:
        return


def test_vectors_are_where_they_are_said_to_be() -> None:
    folder = find_vectors()
    if folder is not None:
        assert {path.name for path in (folder / "ocsp-5577").iterdir()} >= set(CASES)
