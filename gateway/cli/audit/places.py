"""Where evidence is asked for: the API of a server, or the same API within this process over archives alone."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
import typer
from cryptography import x509

from gateway.cli.audit.options import Place, Trust
from gateway.runtime.private_files import read_private
from gateway.runtime.texts import render

API: Final = "/api/v1/audit"
CONNECT_TIMEOUT_S: Final = 20.0
_TRIES: Final = 60  # a second apart: the server counts requests by the minute
_PAUSE_S: Final = 1.0
_CHUNK_BYTES: Final = 256 * 1024

T = TypeVar("T")


class Exit(IntEnum):
    """The exit status of a verb."""

    ANSWERED = 0
    NO = 1
    UNANSWERED = 2


class Unanswered(Exception):  # noqa: N818
    """The question was not answered; a text id and its facts say why and what to do."""

    def __init__(self, name: str, **facts: object) -> None:
        super().__init__(name, facts)
        self.text_id = f"auditing.cli.{name}"
        self.facts = facts


class NotThere(Exception):  # noqa: N818
    """There is no such thing, or it is not for this auditor to see."""


@dataclass(frozen=True, slots=True)
class Api:
    """The API of auditors, wherever it is; `is_local` over archives alone."""

    http: httpx.AsyncClient
    is_local: bool

    async def get(self, path: str, /, **parameters: object) -> Any:
        """Return the JSON of a GET; parameters that are None are left out."""
        return (await self._send("GET", path, parameters)).json()

    async def get_bytes(self, path: str, /, **parameters: object) -> bytes:
        """Return the bytes of a GET."""
        return (await self._send("GET", path, parameters)).content

    async def post(self, path: str, content: bytes | dict[str, Any]) -> httpx.Response:
        """POST JSON or bytes; return the answer."""
        if isinstance(content, bytes):
            headers = {"Content-Type": "application/octet-stream"}
            return await self._send("POST", path, {}, content=content, headers=headers)
        return await self._send("POST", path, {}, json=content)

    async def delete(self, path: str) -> None:
        """DELETE."""
        await self._send("DELETE", path, {})

    async def fetch(self, path: str, target: Path, progress: Callable[[int], None]) -> str:
        """Write what a GET answers into a file; return its SHA-256. `progress` hears of each piece."""
        digest = hashlib.sha256()
        async with self.http.stream("GET", path) as answer:
            if not answer.is_success:
                await answer.aread()
                raise _refusal_of(answer)
            with target.open("wb") as file:
                async for chunk in answer.aiter_bytes(_CHUNK_BYTES):
                    file.write(chunk)
                    digest.update(chunk)
                    progress(len(chunk))
        return digest.hexdigest()

    async def _send(self, method: str, path: str, parameters: dict[str, object], **options: Any) -> httpx.Response:
        shown = {name: str(value) for name, value in parameters.items() if value is not None}
        for _ in range(_TRIES):
            answer = await self.http.request(method, path, params=shown, **options)
            if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                break
            await asyncio.sleep(_PAUSE_S)
        if answer.is_success:
            return answer
        raise _refusal_of(answer)


@asynccontextmanager
async def opened(place: Place, trust: Trust, words: str) -> AsyncIterator[Api]:
    """Open the API that the options name. Raises Unanswered when they name none or both."""
    if (place.server is None) == (place.archives is None):
        raise Unanswered("one_place")
    if place.archives is not None:
        from gateway.cli.audit.archives import local_api

        async with local_api(place.archives, trust, words) as http:
            yield Api(http, True)
        return
    assert place.server is not None
    async with httpx.AsyncClient(
        base_url=place.server.rstrip("/") + API,
        headers={"Authorization": f"X-Road-ApiKey token={_read_key(place.key_file)}"},
        verify=_context(place.ca),
        timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S),  # a server may look through its whole log
        trust_env=False,
    ) as http:
        yield Api(http, False)


def grounds_of(api: Api, reason: str | None) -> str | None:
    """Return why content is taken: over archives that somebody has at hand anyway, no reason need be stated."""
    return reason or (render("auditing.cli.own_archives", {}) if api.is_local else None)


def answer(words: str, question: Callable[[], Awaitable[T]]) -> T:
    """Ask, and end with the exit status where there is no answer."""
    with telling(words):
        return asyncio.run(_awaited(question))


@contextmanager
def telling(words: str) -> Iterator[None]:
    """Say why something could not be done, and end with the exit status."""
    status = Exit.UNANSWERED
    try:
        yield
        return
    except NotThere:
        status, told = Exit.NO, render("auditing.cli.not_there", {}, words)
    except Unanswered as cause:
        told = render(cause.text_id, cause.facts, words)
    except httpx.HTTPError as cause:
        told = render("auditing.cli.no_connection", {"reason": str(cause) or type(cause).__name__}, words)
    except OSError as cause:
        facts = {"path": cause.filename or "-", "reason": cause.strerror or type(cause).__name__}
        told = render("auditing.cli.file", facts, words)
    typer.echo(told, err=True)
    raise typer.Exit(status)


async def _awaited(question: Callable[[], Awaitable[T]]) -> T:
    return await question()


def _read_key(path: Path | None) -> str:
    if path is None:
        raise Unanswered("no_key")
    try:
        return read_private(path)
    except (OSError, ValueError) as cause:
        raise Unanswered("key_unreadable", path=path, reason=cause) from cause


def _context(ca: Path | None) -> ssl.SSLContext:
    """Trust a CA and the names it vouches for; or one certificate, which then is the server, whatever it is called."""
    if ca is None:
        return ssl.create_default_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        certificates = x509.load_pem_x509_certificates(ca.read_bytes())
        context.load_verify_locations(ca)
    except (OSError, ValueError) as cause:
        raise Unanswered("ca_unreadable", path=ca, reason=cause) from cause
    if not any(map(_is_ca, certificates)):
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _refusal_of(answer: httpx.Response) -> Exception:
    try:
        error = answer.json()["error"]
        code, told = str(error["code"]), " ".join(map(str, error.get("metadata", ())))
        fields = ", ".join(error.get("validation_errors") or ())
    except (ValueError, KeyError, TypeError, AttributeError):
        code, told, fields = f"HTTP {answer.status_code}", answer.text[:200], ""
    if answer.status_code == httpx.codes.NOT_FOUND:
        return NotThere()
    name = _KNOWN.get(code) or _BY_STATUS.get(answer.status_code, "refused")
    return Unanswered(name, code=code, told=told or fields or code)


_KNOWN: Final = {
    "reason_required": "reason_required",
    "audit_trail_unavailable": "no_trail",
    "too_many_exports": "too_many_exports",
    "validation_failure": "bad_condition",
}
_BY_STATUS: Final = {401: "key_refused", 403: "no_role", 413: "too_large", 429: "too_many_requests"}
