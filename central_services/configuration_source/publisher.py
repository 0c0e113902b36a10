"""Sign what the registry says and publish it, in every version or in none (PR-GCONF 2.3, 2.4).

One generation is a folder with a tree per version. It is written aside, and one rename of the link
`current` makes all its directories visible at once; older generations stay until nobody can need
their parts. Signed for ten minutes and made anew every minute, so that nine failures in a row are
survived. Without two active keys or a provider of management services nothing appears, as in the
reference; then `publish` says why.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import secrets
import shutil
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from central_services.configuration_source import signing_keys, store
from central_services.configuration_source.content import SourceFacts, private_parameters, shared_parameters
from central_services.configuration_source.model import SigningKey, SourceType, StoredPart
from central_services.configuration_source.software_token import SoftwareToken, TokenError
from central_services.registry.content import read_content
from central_services.registry.model import RegistryContent
from central_services.settings import ConfigurationSettings
from gateway.runtime.clock import Clock
from gateway.runtime.database import Database
from gateway.xroad.digests import digest_of
from gateway.xroad.globalconf.directory import (
    FILE_NAMES,
    PRIVATE_PARAMETERS,
    SHARED_PARAMETERS,
    DirectoryContent,
    DirectoryEntry,
    build_directory,
)
from gateway.xroad.globalconf.private_parameters_xml import build_private_parameters
from gateway.xroad.globalconf.schemas import SCHEMAS
from gateway.xroad.globalconf.shared_parameters_xml import build_shared_parameters
from gateway.xroad.pki.keys import algorithm_for, sign_digest

log = logging.getLogger(__name__)

CURRENT: Final = "current"
_BOUNDARY_ALPHABET: Final = string.ascii_letters + string.digits


class PublishingImpossible(Exception):  # noqa: N818
    """Something an operator has to do is missing; `text_id` says what."""

    def __init__(self, text_id: str, **facts: object) -> None:
        super().__init__(text_id, facts)
        self.text_id = text_id
        self.facts = facts


@dataclass(frozen=True, slots=True)
class Publication:
    """A generation that is out: its name (digits), the registry version it tells, and until when it holds."""

    name: str
    registry_version: int
    published_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _Material:
    """Everything one generation is made of, read in one transaction."""

    registry: RegistryContent
    keys: dict[SourceType, SigningKey]
    parts: tuple[StoredPart, ...]
    source: SourceFacts


class Publisher:
    """Publishes into `directory`; `port` is asked for the port the source really listens on."""

    def __init__(
        self,
        database: Database,
        token: SoftwareToken,
        directory: Path,
        clock: Clock,
        settings: ConfigurationSettings,
        *,
        management_certificate: bytes,
        port: Callable[[], int],
    ) -> None:
        self._database = database
        self._token = token
        self.directory = directory
        self._clock = clock
        self._settings = settings
        self._management_certificate = management_certificate
        self._port = port
        self._lock = asyncio.Lock()
        self._asked = 0
        self._answered = 0
        self.last: Publication | None = None

    @property
    def versions(self) -> tuple[int, ...]:
        """The configuration versions that are published."""
        return tuple(version for version in SCHEMAS if version >= self._settings.minimum_version)

    async def publish(self) -> Publication:
        """Publish what the registry says now, and return when it is out.

        Callers who wait at the same time share one publication made after they came. Raises
        PublishingImpossible; what was published before stays.
        """
        self._asked += 1
        ticket = self._asked
        async with self._lock:
            if self._answered >= ticket and self.last is not None:
                return self.last
            asked = self._asked
            self.last = await asyncio.to_thread(self._publish)
            self._answered = asked
            return self.last

    def _publish(self) -> Publication:
        material = self._read_material()
        now = self._clock.now()
        expires_at = now.replace(microsecond=0) + timedelta(seconds=material.registry.parameters.conf_expire_interval_s)
        name = self._free_name(now)
        aside = self.directory / f".{name}"
        try:
            for version in self.versions:
                self._write_version(aside / f"V{version}", name, version, material, expires_at)
            aside.rename(self.directory / name)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        self._swap(name)
        self._prune(now)
        log.info("configuration published", extra={"generation": name, "version": material.registry.version})
        return Publication(name, material.registry.version, now, expires_at)

    def _read_material(self) -> _Material:
        with self._database.reading() as tx:
            registry = read_content(tx)
            certificates = {
                source: tuple(key.certificate_der for key in signing_keys.keys_of(tx, source)) for source in SourceType
            }
            active = {source: signing_keys.find_active(tx, source) for source in SourceType}
            parts = store.parts(tx)
        if not registry.parameters.initialised:
            raise PublishingImpossible("central.not_initialised")
        if registry.parameters.management_provider is None:
            raise PublishingImpossible("central.no_management_provider")
        keys: dict[SourceType, SigningKey] = {}
        for source, key in active.items():
            if key is None:
                raise PublishingImpossible("central.no_signing_key", source=source.name)
            if not self._token.has(key.id):
                raise PublishingImpossible("central.token_not_logged_in", source=source.name)
            keys[source] = key
        facts = SourceFacts(
            self._port(),
            certificates[SourceType.INTERNAL],
            certificates[SourceType.EXTERNAL],
            self._management_certificate,
        )
        return _Material(registry, keys, parts, facts)

    def _write_version(self, folder: Path, name: str, version: int, material: _Material, expires_at: datetime) -> None:
        files = {
            PRIVATE_PARAMETERS: build_private_parameters(
                private_parameters(material.registry, material.source), version
            ),
            SHARED_PARAMETERS: build_shared_parameters(shared_parameters(material.registry, material.source), version),
        }
        names = dict(FILE_NAMES)
        for part in material.parts:
            files[part.content_id], names[part.content_id] = part.data, part.file_name
        instance = material.registry.parameters.instance
        entries = {
            content_id: DirectoryEntry(content_id, instance, f"/V{version}/{name}/{names[content_id]}", digest_of(data))
            for content_id, data in files.items()
        }
        folder.mkdir(parents=True)
        for content_id, data in files.items():
            _write(folder / names[content_id], data)
        for source, key in material.keys.items():
            listed = entries if source is SourceType.INTERNAL else {SHARED_PARAMETERS: entries[SHARED_PARAMETERS]}
            content = DirectoryContent(expires_at, version, tuple(listed.values()))
            _write(folder / source.directory, self._signed(content, key))

    def _signed(self, content: DirectoryContent, key: SigningKey) -> bytes:
        try:
            private = self._token.key(key.id)
        except TokenError as cause:  # logged out since the material was read
            raise PublishingImpossible("central.token_not_logged_in", source=key.source.name) from cause
        algorithm = algorithm_for(private)
        return build_directory(
            content,
            lambda data: sign_digest(private, algorithm, algorithm.digest_algorithm.digest(data)),
            algorithm,
            key.certificate_der,
            boundaries=(_boundary(), _boundary()),
        )

    def _free_name(self, now: datetime) -> str:
        """Return a generation name of digits only, later than every other."""
        self.directory.mkdir(parents=True, exist_ok=True)
        wanted = int(f"{now.astimezone(UTC):%Y%m%d%H%M%S}{now.microsecond:06d}000")
        newest = max((int(name) for name in self._generations()), default=0)
        return str(max(wanted, newest + 1))

    def _swap(self, name: str) -> None:
        link = self.directory / f".{CURRENT}"
        link.unlink(missing_ok=True)
        link.symlink_to(name)
        os.replace(link, self.directory / CURRENT)

    def _generations(self) -> list[str]:
        return sorted(path.name for path in self.directory.iterdir() if path.name.isdecimal())

    def _prune(self, now: datetime) -> None:
        """Remove generations that were replaced longer ago than parts are kept, and what a crash left aside."""
        kept_since = f"{now - timedelta(seconds=self._settings.keep_parts_s):%Y%m%d%H%M%S}"
        generations = self._generations()
        for older, newer in itertools.pairwise(generations):
            if newer[:14] < kept_since:
                shutil.rmtree(self.directory / older, ignore_errors=True)
        for leftover in self.directory.glob(".[0-9]*"):
            shutil.rmtree(leftover, ignore_errors=True)


def _boundary() -> str:
    return "".join(secrets.choice(_BOUNDARY_ALPHABET) for _ in range(20))


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o644)
