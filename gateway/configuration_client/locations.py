"""From an anchor to addresses, in the order real clients try them (X-Road ConfigurationDownloadUtils.java).

1. the address that worked last time;
2. the addresses that the shared parameters we hold give (V3 on), by https, then http;
3. the anchor's http addresses with https substituted, same host and explicit port;
4. the anchor's http addresses.

Within one kind the order is shuffled, so that many servers share many sources. An https address in an
anchor is passed over, as the reference does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.xroad.globalconf.anchor import Anchor
from gateway.xroad.globalconf.shared_parameters import ConfigurationSource, SharedParameters

_DIRECTORY: Final = re.compile(r"http://[^/?#]+/([^?#]*)")
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.\-_\[\]:]+")

Shuffle = Callable[[list["Location"]], None]


@dataclass(frozen=True, slots=True)
class Location:
    """An address without its version, and the certificates whose keys may have signed what it gives."""

    url: str
    certificates: tuple[bytes, ...]


def candidates(
    anchor: Anchor, shared: SharedParameters | None, *, last_url: str | None, shuffle: Shuffle
) -> tuple[Location, ...]:
    """Return the locations to try, in order; empty for an anchor of https addresses alone.

    An address that both anchor and shared parameters give is tried once, with the keys of both.
    """
    given = [Location(s.download_url, s.certificates) for s in anchor.sources if s.download_url.startswith("http://")]
    announced = _announced(given, shared)
    ordered = [*_mixed(announced, shuffle), *_mixed(given, shuffle)]
    ordered.sort(key=lambda location: location.url != last_url)
    merged: dict[str, dict[bytes, None]] = {}
    for location in ordered:
        merged.setdefault(location.url, {}).update(dict.fromkeys(location.certificates))
    return tuple(Location(url, tuple(certificates)) for url, certificates in merged.items())


def _mixed(plain: list[Location], shuffle: Shuffle) -> list[Location]:
    secure = [Location("https" + location.url.removeprefix("http"), location.certificates) for location in plain]
    plain = list(plain)
    shuffle(secure)
    shuffle(plain)
    return [*secure, *plain]


def _announced(given: list[Location], shared: SharedParameters | None) -> list[Location]:
    """Return what the shared parameters announce, under the directory name of the anchor's first address."""
    match = _DIRECTORY.fullmatch(given[0].url) if given else None
    if match is None or shared is None:
        return []
    return [
        Location(f"http://{source.address}/{match[1]}", certificates)
        for source in shared.sources
        if _ADDRESS.fullmatch(source.address) and (certificates := _certificates(source, match[1]))
    ]


def _certificates(source: ConfigurationSource, directory: str) -> tuple[bytes, ...]:
    if directory == "internalconf":
        return source.internal_certificates
    if directory == "externalconf":
        return source.external_certificates
    return source.internal_certificates + source.external_certificates
