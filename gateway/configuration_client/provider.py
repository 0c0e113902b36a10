"""`current()`: the verified configuration of this moment, or ConfigurationUnusable.

An exchange asks once and keeps the answer; the next update swaps the whole snapshot. The process that
downloads installs what it verified; other processes follow the files it stored.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from gateway.configuration_client.cache import Cache
from gateway.configuration_client.history import History
from gateway.configuration_client.model import Generation
from gateway.runtime.clock import Clock
from gateway.xroad.faults import ConfigurationUnusable, XRoadFault
from gateway.xroad.globalconf.anchor import Anchor
from gateway.xroad.globalconf.directory import SHARED_PARAMETERS
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.globalconf.verification_conf import build_verification_conf

log = logging.getLogger(__name__)

_UNKNOWN_SIGNER: Final = "global_conf_missing_verification_cert"


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """One installed generation; `federation_until` is when the first federated instance in it expires."""

    generation: Generation
    globalconf: GlobalConf
    federation_until: datetime | None


class ConfigurationProvider:
    """Hands out the snapshot in use; swapping it is one assignment."""

    def __init__(self, cache: Cache, clock: Clock, *, history: History | None = None) -> None:
        self._cache = cache
        self._clock = clock
        self._history = history
        self._snapshot: _Snapshot | None = None
        self._loaded_from: Path | None = None

    def current(self) -> GlobalConf:
        """Return the configuration in use.

        Raises ConfigurationUnusable (global_conf_outdated) when there is none, or it has expired.
        """
        now = self._clock.now()
        snapshot = self._fresh(now)
        if snapshot.globalconf.expires_at <= now:
            raise ConfigurationUnusable(
                "global_conf_outdated",
                "configuration.expired",
                instance=snapshot.globalconf.instance,
                expired_at=snapshot.globalconf.expires_at,
                now=now,
            )
        return snapshot.globalconf

    def latest(self) -> GlobalConf:
        """Return the configuration even if it has expired: for lists and downloads that are not gated.

        Raises ConfigurationUnusable (global_conf_outdated) when there is none.
        """
        return self._fresh(self._clock.now()).globalconf

    @property
    def generation(self) -> Generation | None:
        """What the configuration in use was built from."""
        return None if self._snapshot is None else self._snapshot.generation

    def verification_conf(self) -> bytes:
        """Return the zip of `/verificationconf`: shared parameters of every known instance."""
        generation = self._fresh(self._clock.now()).generation
        shared = {}
        for one in generation.all:
            location = next(e.location for e in one.directory.entries if e.content_id == SHARED_PARAMETERS)
            shared[one.instance] = (one.files[location], one.version)
        return build_verification_conf(generation.own.instance, shared)

    def install(self, generation: Generation) -> None:
        """Use `generation` from now on; one that only was signed anew keeps index and memo."""
        generation = generation.without_expired(self._clock.now())
        before = self._snapshot
        if before is not None and generation.says_the_same_as(before.generation):
            globalconf = before.globalconf.valid_until(generation.own.expires_at)
        else:
            globalconf = generation.globalconf()
        until = min((one.expires_at for one in generation.federated.values()), default=None)
        self._snapshot = _Snapshot(generation, globalconf, until)

    def load(self) -> bool:
        """Verify and use what is stored on disk; False when nothing usable is there. Blocks on the disk."""
        path = self._cache.current_path()
        try:
            anchor = self._cache.read_anchor().anchor
            generation = self._load(anchor)
        except XRoadFault as fault:
            log.warning("stored configuration is not usable: %s", fault)
            return False
        if generation is None:
            return False
        self._loaded_from = path
        self.install(generation)
        return True

    def reload_if_changed(self) -> bool:
        """Follow another process: load when it has stored a new generation."""
        return self._cache.current_path() != self._loaded_from and self.load()

    def _load(self, anchor: Anchor) -> Generation | None:
        try:
            return self._cache.load(anchor.certificates, anchor.instance)
        except ConfigurationUnusable as fault:
            if fault.code != _UNKNOWN_SIGNER or self._history is None:
                raise
            # The source has moved to a key that an earlier configuration announced.
            return self._cache.load(self._history.announced_certificates(anchor), anchor.instance)

    def _fresh(self, now: datetime) -> _Snapshot:
        snapshot = self._snapshot
        if snapshot is None:
            raise ConfigurationUnusable("global_conf_outdated", "configuration.absent")
        if snapshot.federation_until is not None and snapshot.federation_until <= now:
            self.install(snapshot.generation)
            return self._fresh(now)
        return snapshot
