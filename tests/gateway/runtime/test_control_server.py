from __future__ import annotations

import asyncio
import datetime
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.runtime.control_server import ControlServer, Listener


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            await send({"type": f"{event['type']}.complete"})
            if event["type"] == "lifespan.shutdown":
                return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["scheme"].encode()})


async def get(url: str, **options: Any) -> bytes:
    async with httpx.AsyncClient(trust_env=False, **options) as client:
        return (await client.get(url)).content


def self_signed(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


async def test_free_port_is_taken_and_told() -> None:
    async with ControlServer(Listener(application)) as server:
        assert server.port > 0
        assert await get(server.url) == b"http"


async def test_several_listeners_share_a_loop() -> None:
    async with ControlServer(Listener(application)) as one, ControlServer(Listener(application)) as two:
        assert one.port != two.port
        assert await asyncio.gather(get(one.url), get(two.url)) == [b"http", b"http"]


async def test_tls_is_spoken_where_a_context_is_given(tmp_path: Path) -> None:
    pem = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    async with ControlServer(Listener(application, ssl_context=context)) as server:
        trusted = ssl.create_default_context(cafile=str(pem))
        assert await get(f"https://localhost:{server.port}", verify=trusted) == b"https"


async def test_taken_port_is_named() -> None:
    async with ControlServer(Listener(application)) as server:
        second = ControlServer(Listener(application, port=server.port, name="admin"))
        with pytest.raises(OSError, match=f"admin: 127.0.0.1:{server.port} cannot be listened on"):
            await second.start()
