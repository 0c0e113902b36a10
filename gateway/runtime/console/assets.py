"""Styles, scripts and pictures: served under a name that holds their hash, so a browser may keep them for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from typing import Final

from starlette.responses import Response

PREFIX: Final = "/static/"
_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file with what it is."""

    content: bytes
    media_type: str


class Assets:
    """The `static` folders of packages, read once."""

    def __init__(self, packages: Iterable[str]) -> None:
        self._paths: dict[str, str] = {}
        self._assets: dict[str, Asset] = {}
        for package in packages:
            folder = resources.files(package) / "static"
            for entry in folder.iterdir() if folder.is_dir() else ():
                stem, _, kind = entry.name.rpartition(".")
                if kind in _TYPES:
                    content = entry.read_bytes()
                    path = f"{PREFIX}{stem}.{hashlib.sha256(content).hexdigest()[:16]}.{kind}"
                    self._paths.setdefault(entry.name, path)
                    self._assets[path] = Asset(content, _TYPES[kind])

    def path(self, name: str) -> str:
        """Return where a file is served. Raises KeyError for one that is not there."""
        return self._paths[name]

    def find(self, path: str) -> Response | None:
        """Return the answer to a request for `path`."""
        asset = self._assets.get(path)
        if asset is None:
            return None
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(asset.content, media_type=asset.media_type, headers=headers)
