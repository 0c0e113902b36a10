"""GET /internalconf, /externalconf and the parts they list (PR-GCONF 2.3).

The MIME envelope, its header included, is the body of the answer: the HTTP Content-Type says nothing
about it. An unknown version is 404 and nothing else, because clients probe downwards until an answer
is not 404; no version means 2.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from central_services.configuration_source.model import SourceType
from central_services.configuration_source.publisher import CURRENT

_UNCACHED: Final = {"Cache-Control": "no-cache, no-store", "Pragma": "no-cache", "Expires": "0"}
_PART: Final = re.compile(r"/(V[0-9]{1,3})/([0-9]{1,40})/([A-Za-z0-9_-][A-Za-z0-9._-]{0,120})")
_VERSION: Final = re.compile(r"[0-9]{1,3}")
_DEFAULT_VERSION: Final = "2"


def create_app(directory: Path) -> Starlette:
    """Return the application that serves what lies in `directory`."""

    def signed_directory(request: Request) -> Response:
        version = request.query_params.get("version", _DEFAULT_VERSION)
        if not _VERSION.fullmatch(version):
            return _absent()
        return _file(directory / CURRENT / f"V{int(version)}" / request.url.path[1:], _UNCACHED)

    def part(request: Request) -> Response:
        found = _PART.fullmatch(request.url.path)
        if found is None or found[3] in [source.directory for source in SourceType]:
            return _absent()
        version, generation, name = found.groups()
        return _file(directory / generation / version / name, {})

    def index(_request: Request) -> Response:
        return PlainTextResponse("X-Road global configuration\n")

    return Starlette(
        routes=[
            Route("/", index),
            *[Route(f"/{source.directory}", signed_directory) for source in SourceType],
            Route("/{path:path}", part),
        ]
    )


def _file(path: Path, headers: dict[str, str]) -> Response:
    try:
        return Response(path.read_bytes(), media_type="application/octet-stream", headers=headers)
    except OSError:
        return _absent()


def _absent() -> Response:
    return PlainTextResponse("Not found\n", status_code=404, headers=_UNCACHED)
