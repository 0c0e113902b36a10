"""What the configuration source answers to real clients."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from central_services.configuration_source.app import create_app


@pytest.fixture
def public(tmp_path: Path) -> Path:
    """A directory with one generation of two versions."""
    for version in ("V2", "V6"):
        folder = tmp_path / "20260102" / version
        folder.mkdir(parents=True)
        (folder / "internalconf").write_bytes(f"internal {version}".encode())
        (folder / "externalconf").write_bytes(f"external {version}".encode())
        (folder / "shared-params.xml").write_bytes(f"<{version}/>".encode())
    (tmp_path / "current").symlink_to("20260102")
    (tmp_path / "secret").write_bytes(b"secret")
    return tmp_path


@pytest.fixture
async def http(public: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application."""
    transport = httpx.ASGITransport(app=create_app(public))
    async with httpx.AsyncClient(transport=transport, base_url="http://cs") as client:
        yield client


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/internalconf", b"internal V2"),
        ("/internalconf?version=2", b"internal V2"),
        ("/internalconf?version=6", b"internal V6"),
        ("/externalconf?version=6", b"external V6"),
        ("/V6/20260102/shared-params.xml", b"<V6/>"),
    ],
)
async def test_directories_and_parts_are_served_as_they_lie(http: httpx.AsyncClient, path: str, body: bytes) -> None:
    response = await http.get(path)
    assert (response.status_code, response.content) == (200, body)


@pytest.mark.parametrize(
    "path",
    [
        "/internalconf?version=3",
        "/internalconf?version=7",
        "/internalconf?version=",
        "/internalconf?version=six",
        "/internalconf?version=-2",
        "/internalconf?version=99999999999",
        "/internalconf?version=٦",
        "/V7/20260102/shared-params.xml",
        "/V6/20260102/private-params.xml",
        "/V6/20260102/internalconf",
        "/V6/current/shared-params.xml",
        "/V6/20260102/..%2f..%2f..%2fsecret",
        "/V6/20260102/%2e%2e/%2e%2e/secret",
        "/V6/../secret",
        "/secret",
        "/current/V6/internalconf",
        "/conf",
    ],
)
async def test_what_is_not_published_is_not_found(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).status_code == 404


async def test_directories_are_never_cached(http: httpx.AsyncClient) -> None:
    for path in ("/internalconf", "/internalconf?version=7"):
        assert "no-store" in (await http.get(path)).headers["cache-control"]


async def test_a_probe_by_head_says_the_same(http: httpx.AsyncClient) -> None:
    assert (await http.head("/internalconf?version=6")).status_code == 200
    assert (await http.head("/internalconf?version=7")).status_code == 404


async def test_nothing_is_changed_by_a_client(http: httpx.AsyncClient) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert (await http.request(method, "/internalconf")).status_code == 405


async def test_before_the_first_publication_nothing_is_found(tmp_path: Path) -> None:
    transport = httpx.ASGITransport(app=create_app(tmp_path / "public"))
    async with httpx.AsyncClient(transport=transport, base_url="http://cs") as http:
        assert (await http.get("/internalconf")).status_code == 404
