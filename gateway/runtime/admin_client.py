"""A client of the admin APIs: pinned TLS, API key, and refusals that say what was asked and what came."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Final

import httpx

TIMEOUT_S: Final = 60.0
# Less than a server keeps an idle connection: it would close it just when the next request is on its way.
KEEP_IDLE_S: Final = 2.0


class AdminRequestFailed(RuntimeError):  # noqa: N818
    """An admin API refused a step; the text says which, and the answer."""


class AdminApi:
    """One admin API, spoken to with its first API key."""

    def __init__(self, base_url: str, certificate: Path, api_key: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # the one certificate trusted here is the server's own
        context.load_verify_locations(certificate)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        self._http = httpx.AsyncClient(
            base_url=f"{base_url}/api/v1",
            headers={"Authorization": f"X-Road-ApiKey token={api_key}"},
            verify=context,
            timeout=TIMEOUT_S,
            limits=httpx.Limits(keepalive_expiry=KEEP_IDLE_S),
            trust_env=False,
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def get(self, path: str, **query: str) -> Any:
        """Return the JSON of a GET."""
        return (await self._send("GET", path, params=query)).json()

    async def get_bytes(self, path: str, **query: str) -> bytes:
        """Return the bytes of a GET."""
        return (await self._send("GET", path, params=query)).content

    async def post(self, path: str, body: Any = None, **options: Any) -> Any:
        """POST JSON; return the JSON of the answer if there is any."""
        return _json(await self._send("POST", path, **({"json": body} if body is not None else {}), **options))

    async def put(self, path: str, body: Any = None) -> Any:
        """PUT JSON; return the JSON of the answer if there is any."""
        return _json(await self._send("PUT", path, **({"json": body} if body is not None else {})))

    async def patch(self, path: str, body: Any) -> Any:
        """PATCH JSON; return the JSON of the answer if there is any."""
        return _json(await self._send("PATCH", path, json=body))

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = await self._http.request(method, path, **options)
        if answer.is_success:
            return answer
        raise AdminRequestFailed(f"{method} {self._http.base_url}{path}: {answer.status_code} {answer.text[:500]}")


def _json(answer: httpx.Response) -> Any:
    return answer.json() if answer.content and "json" in answer.headers.get("content-type", "") else None
