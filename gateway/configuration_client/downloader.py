"""Download a configuration and have the core verify it (PR-GCONF 2.5, X-Road ConfigurationDownloader.java).

Nothing leaves this module unverified. A version is found by asking: from the newest we know down to 3,
anything but 404 means that it exists; 2 is taken without asking. The answer to the question is
already the directory, so it is not asked for twice.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import parse_qs, urljoin, urlsplit, urlunsplit

from gateway.configuration_client.locations import Location, Shuffle, candidates
from gateway.configuration_client.model import ALL_INSTANCES, DownloadFailed, Generation
from gateway.runtime.clock import Clock
from gateway.runtime.fetch import Fetched, Fetcher, FetchError
from gateway.xroad.faults import ConfigurationUnusable, MalformedMessage, XRoadFault
from gateway.xroad.globalconf.anchor import Anchor, require_plain_source
from gateway.xroad.globalconf.directory import MAX_DIRECTORY_BYTES, DirectoryEntry
from gateway.xroad.globalconf.schemas import NEWEST_VERSION, OLDEST_VERSION
from gateway.xroad.globalconf.trusted import (
    Role,
    TrustedConfiguration,
    TrustedDirectory,
    renew,
    verify_directory,
    verify_parts,
)

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S: Final = 10.0
READ_TIMEOUT_S: Final = 30.0
MAX_PART_BYTES: Final = 64 * 1024 * 1024

_UNREACHED: Final = frozenset({"global_conf_download_url_connection_failure", "global_conf_get_version_failed"})


class Get(Protocol):
    """Fetch one address; any status is an answer."""

    def __call__(self, url: str, *, max_bytes: int | None = None) -> Awaitable[Fetched]:
        """Return the answer, or raise FetchError."""
        ...


def open_fetcher() -> Fetcher:
    """Return a fetcher with the time limits of this protocol; give its `get` to a Downloader."""
    return Fetcher(timeout_s=READ_TIMEOUT_S, connect_timeout_s=CONNECT_TIMEOUT_S, max_bytes=MAX_PART_BYTES)


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A verified configuration and the address that gave it."""

    configuration: TrustedConfiguration
    url: str


class Downloader:
    """Downloads over `get`, and remembers per instance where and in which version it last succeeded."""

    def __init__(self, get: Get, clock: Clock, *, shuffle: Shuffle = random.shuffle) -> None:
        self._get = get
        self._clock = clock
        self._shuffle = shuffle
        self._last_urls: dict[str, str] = {}

    async def download(
        self, anchor: Anchor, *, role: Role = Role.OWN, known: TrustedConfiguration | None = None
    ) -> Downloaded:
        """Return what the first candidate location gives that verifies; `known` spares files we hold.

        Raises DownloadFailed when every candidate failed, MalformedMessage (malformed_anchor) when
        there is none because the anchor has https addresses only.
        """
        require_plain_source(anchor.sources)
        shared = None if known is None or known.instance != anchor.instance else known.shared
        last_url = self._last_urls.pop(anchor.instance, None)
        attempts: list[tuple[str, XRoadFault]] = []
        for location in candidates(anchor, shared, last_url=last_url, shuffle=self._shuffle):
            try:
                configuration = await self._from(location, anchor.instance, role, known)
            except XRoadFault as fault:
                log.warning("no configuration from %s: %s", location.url, fault)
                attempts.append((location.url, fault))
            else:
                self._last_urls[anchor.instance] = location.url
                return Downloaded(configuration, location.url)
        raise DownloadFailed(_most_telling(attempts), tuple(attempts))

    async def _from(
        self, location: Location, instance: str, role: Role, known: TrustedConfiguration | None
    ) -> TrustedConfiguration:
        url, raw = await self._directory(location.url)
        directory = await asyncio.to_thread(
            verify_directory,
            raw,
            instance=instance,
            certificates=location.certificates,
            at=self._clock.now(),
            role=role,
        )
        renewed = None if known is None else renew(known, directory)
        if renewed is not None:
            return renewed
        files = await self._files(url, directory, known)
        return await asyncio.to_thread(verify_parts, directory, files)

    async def _directory(self, url: str) -> tuple[str, bytes]:
        """Return the directory of the newest version that exists, and its full address."""
        if "version" in parse_qs(urlsplit(url).query):
            return url, _ok(await self._ask(url))
        for version in range(NEWEST_VERSION, OLDEST_VERSION, -1):
            versioned = _with_version(url, version)
            answer = await self._ask(versioned)
            if answer.status != 404:
                return versioned, _ok(answer)
        versioned = _with_version(url, OLDEST_VERSION)
        return versioned, _ok(await self._ask(versioned))

    async def _ask(self, url: str) -> Fetched:
        try:
            return await self._get(url, max_bytes=MAX_DIRECTORY_BYTES)
        except FetchError as cause:
            raise _connection_failure(url, cause.reason) from cause

    async def _files(
        self, url: str, directory: TrustedDirectory, known: TrustedConfiguration | None
    ) -> Mapping[str, bytes]:
        held = _held(known)
        files: dict[str, bytes] = {}
        for entry in directory.entries:
            content = held.get((entry.digest.algorithm, entry.digest.value))
            files[entry.location] = await self._file(url, entry) if content is None else content
        return files

    async def _file(self, directory_url: str, entry: DirectoryEntry) -> bytes:
        address = _resolve(directory_url, entry.location)
        try:
            answer = await self._get(address, max_bytes=MAX_PART_BYTES)
        except FetchError as cause:
            raise _part_failure(address, cause.reason) from cause
        if answer.status != 200:
            raise _part_failure(address, f"HTTP {answer.status}")
        return answer.content

    async def download_all(
        self, anchor: Anchor, known: Generation | None, allowed_federations: Iterable[str]
    ) -> tuple[Generation, str, Mapping[str, XRoadFault]]:
        """Return a new generation, the address of the own configuration, and what failed of others.

        Failures of federated instances are never fatal: what we hold of them stays until it expires.
        """
        own_known = None if known is None else known.own
        own = await self.download(anchor, known=own_known)
        private = own.configuration.private
        anchors = {} if private is None else _allowed(private.anchors, anchor.instance, allowed_federations)
        federated: dict[str, TrustedConfiguration] = {}
        failures: dict[str, XRoadFault] = {}
        for name, partner in anchors.items():
            held = None if known is None else known.federated.get(name)
            try:
                federated[name] = (await self.download(partner, role=Role.FEDERATED, known=held)).configuration
            except XRoadFault as fault:
                failures[name] = fault
                if held is not None and held.expires_at > self._clock.now():
                    federated[name] = held
        return Generation(own.configuration, federated), own.url, failures


def _allowed(anchors: Iterable[Anchor], own: str, allowed: Iterable[str]) -> dict[str, Anchor]:
    wanted = {name.lower() for name in allowed}
    everyone = ALL_INSTANCES in wanted
    return {a.instance: a for a in anchors if a.instance != own and (everyone or a.instance.lower() in wanted)}


def _held(known: TrustedConfiguration | None) -> dict[tuple[object, bytes], bytes]:
    if known is None:
        return {}
    return {(e.digest.algorithm, e.digest.value): known.files[e.location] for e in known.directory.entries}


def _with_version(url: str, version: int) -> str:
    parts = urlsplit(url)
    query = f"{parts.query}&version={version}" if parts.query else f"version={version}"
    return urlunsplit(parts._replace(query=query))


def _resolve(directory_url: str, location: str) -> str:
    try:
        address = urljoin(directory_url, location)
        scheme = urlsplit(address).scheme
    except ValueError as cause:
        raise _part_failure(location, "not an address") from cause
    if scheme not in ("http", "https"):
        raise _part_failure(location, "not an http address")
    return address


def _ok(answer: Fetched) -> bytes:
    if answer.status != 200:
        raise _connection_failure(answer.url, f"HTTP {answer.status}")
    return answer.content


def _connection_failure(url: str, reason: str) -> ConfigurationUnusable:
    return ConfigurationUnusable(
        "global_conf_download_url_connection_failure", "configuration.source_unreachable", url=url, reason=reason
    )


def _part_failure(url: str, reason: str) -> ConfigurationUnusable:
    return ConfigurationUnusable(
        "global_conf_part_download_failure", "configuration.part_unreachable", url=url, reason=reason
    )


def _most_telling(attempts: list[tuple[str, XRoadFault]]) -> XRoadFault:
    """Return the first fault of a source that answered, else the last: not the refused https attempt."""
    if not attempts:
        return MalformedMessage("malformed_anchor", "configuration.no_candidates")
    return next((fault for _, fault in attempts if fault.code not in _UNREACHED), attempts[-1][1])
