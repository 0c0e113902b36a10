from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.runtime.control_server import ControlServer, Listener
from gateway.runtime.fetch import Fetcher, FetchError, expect_ok
from gateway.runtime.self_signed import ensure_tls_files, server_context
from gateway.runtime.tls import service_client_context


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer by path: /echo, /large, /moved, /broken, /status/N."""
    if scope["type"] != "http":
        return
    body = (await receive()).get("body", b"")
    path, headers = scope["path"], [(b"x-path", scope["path"].encode())]
    status = int(path.rpartition("/")[2]) if path.startswith("/status/") else 302 if path == "/moved" else 200
    if path == "/moved":
        headers.append((b"location", b"/echo"))
    sent = dict(scope["headers"])
    answer = b"x" * 5000 if path == "/large" else scope["method"].encode() + b" " + sent.get(b"content-type", b"-")
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": answer + b" " + body})


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with ControlServer(Listener(echo)) as server:
        yield server.url


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    async with Fetcher(timeout_s=5) as opened:
        yield opened


async def test_get_returns_the_answer(fetcher: Fetcher, url: str) -> None:
    answer = await fetcher.get(f"{url}/echo")
    assert (answer.status, answer.content, answer.headers["x-path"]) == (200, b"GET - ", "/echo")


async def test_post_sends_its_bytes(fetcher: Fetcher, url: str) -> None:
    answer = await fetcher.post(f"{url}/echo", b"\x00\x01", content_type="application/ocsp-request")
    assert answer.content == b"POST application/ocsp-request \x00\x01"


async def test_any_status_is_an_answer(fetcher: Fetcher, url: str) -> None:
    answer = await fetcher.get(f"{url}/status/404")
    assert answer.status == 404
    with pytest.raises(FetchError) as caught:
        expect_ok(answer)
    assert caught.value.status == 404


async def test_redirects_are_not_followed(fetcher: Fetcher, url: str) -> None:
    assert (await fetcher.get(f"{url}/moved")).status == 302


async def test_answer_above_the_limit_is_refused(fetcher: Fetcher, url: str) -> None:
    with pytest.raises(FetchError, match="larger than 4000 bytes"):
        await fetcher.get(f"{url}/large", max_bytes=4000)


async def test_proxies_of_the_environment_are_ignored(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with Fetcher() as fetcher:
        assert (await fetcher.get(f"{url}/echo")).status == 200


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:1/", "nonsense", "ftp://127.0.0.1/x", "http://[::bad/", "http://host:port/", "http://a:b@c/"],
)
async def test_address_that_does_not_answer_is_named(fetcher: Fetcher, address: str) -> None:
    with pytest.raises(FetchError) as caught:
        await fetcher.get(address)
    assert caught.value.url == address
    assert caught.value.status is None


async def test_address_is_sent_encoded_once(fetcher: Fetcher, url: str) -> None:
    assert (await fetcher.get(f"{url}/a%20b c/ї?q=%2F")).headers["x-path"] == "/a b c/ї".encode().decode("latin-1")


async def test_problem_is_told_in_a_sentence(fetcher: Fetcher) -> None:
    with pytest.raises(FetchError, match=r"No connection to 127\.0\.0\.1:1 "):
        await fetcher.get("http://127.0.0.1:1/")


async def test_certificate_that_nobody_known_issued_is_refused(tmp_path: Path) -> None:
    context = server_context(*ensure_tls_files(tmp_path, "registry", datetime.now(UTC)))
    async with ControlServer(Listener(echo, ssl_context=context)) as server, Fetcher(timeout_s=5) as fetcher:
        with pytest.raises(FetchError, match="No TLS"):
            await fetcher.get(f"{server.url}/echo")
        async with Fetcher(verify=False, timeout_s=5) as trusting:
            assert (await trusting.get(f"{server.url}/echo")).status == 200


async def test_certificate_of_the_other_end_is_shown_before_its_answer_counts(tmp_path: Path) -> None:
    paths = ensure_tls_files(tmp_path, "registry", datetime.now(UTC))
    certificate = x509.load_pem_x509_certificate(paths[0].read_bytes())
    context = server_context(*paths)
    shown: list[bytes | None] = []

    def refuse(certificate_der: bytes | None) -> None:
        raise PermissionError(len(certificate_der or b""))

    async with ControlServer(Listener(echo, ssl_context=context)) as server, a_trusting_fetcher() as fetcher:
        for _ in range(2):  # a kept connection shows it again
            answer = await fetcher.get(f"{server.url}/echo", check_certificate=shown.append)
            assert answer.status == 200
        with pytest.raises(PermissionError):
            await fetcher.get(f"{server.url}/echo", check_certificate=refuse)
    assert shown == [certificate.public_bytes(Encoding.DER)] * 2


async def test_there_is_no_certificate_without_tls(fetcher: Fetcher, url: str) -> None:
    shown: list[bytes | None] = []
    await fetcher.get(f"{url}/echo", check_certificate=shown.append)
    assert shown == [None]


def a_trusting_fetcher() -> Fetcher:
    """As the gateway fetches descriptions: who the other end is, is asked after the handshake."""
    context: ssl.SSLContext = service_client_context()
    return Fetcher(verify=context, timeout_s=5)
