"""The refresh loop: read the anchor, download, record, store, use (X-Road ConfigurationClient.java).

What is about to be used is first put into the history and onto the disk; only then is it handed out.
Whatever fails leaves the configuration in use as it is, until it expires by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from gateway.configuration_client.cache import Cache
from gateway.configuration_client.downloader import Downloader
from gateway.configuration_client.history import History
from gateway.configuration_client.model import AnchorFile, AnchorRefused, Failure, Generation, Status
from gateway.configuration_client.provider import ConfigurationProvider
from gateway.runtime.clock import Clock
from gateway.runtime.periodic import Periodic
from gateway.xroad.faults import ConfigurationUnusable, XRoadFault
from gateway.xroad.globalconf.anchor import anchor_hash, parse_anchor, require_plain_source

log = logging.getLogger(__name__)

DEFAULT_INTERVAL_S: Final = 60.0
OTHER_INSTANCE: Final = "internal_anchor_upload_invalid_instance_id"

# What a trial download can end with -> the code of the admin API (X-Road ConfigurationVerifier.java).
_VERDICTS: Final[Mapping[str, str]] = {
    "global_conf_download_url_connection_failure": "conf_verification.unreachable",
    "global_conf_part_download_failure": "conf_verification.unreachable",
    "global_conf_outdated": "conf_verification.outdated",
    "global_conf_signature_verification_failure": "conf_verification.signature_invalid",
    "global_conf_missing_verification_cert": "conf_verification.signature_invalid",
    "global_conf_signature_decode_failure": "conf_verification.signature_invalid",
    "unsupported_sign_algorithm": "conf_verification.signature_invalid",
    "malformed_anchor": "malformed_anchor",
}


class ConfigurationClient:
    """Keeps the provider's configuration up to date; one per security server."""

    def __init__(
        self,
        *,
        cache: Cache,
        downloader: Downloader,
        provider: ConfigurationProvider,
        clock: Clock,
        history: History | None = None,
        interval_s: float = DEFAULT_INTERVAL_S,
        allowed_federations: Iterable[str] = (),
    ) -> None:
        self._cache = cache
        self._downloader = downloader
        self._provider = provider
        self._clock = clock
        self._history = history
        self._interval_s = interval_s
        self._allowed_federations = tuple(allowed_federations)
        self._lock = asyncio.Lock()
        self._periodic = Periodic("configuration", interval_s, self.refresh_now)
        self.status = Status()

    async def start(self) -> None:
        """Use what is on the disk at once, then download now and every interval."""
        await asyncio.to_thread(self._provider.load)
        self._periodic.start()

    async def stop(self) -> None:
        """End the loop."""
        await self._periodic.stop()

    async def refresh_now(self) -> Status:
        """Download, record, store and use; the status says how it went. Never raises a fault."""
        async with self._lock:
            return await self._refresh()

    async def _refresh(self) -> Status:
        at = self._clock.now()
        status = replace(
            self.status, previous_update=at, next_update=at + timedelta(seconds=self._interval_s), failure=None
        )
        try:
            anchor = await asyncio.to_thread(self._cache.read_anchor)
            generation, url, failures = await self._downloader.download_all(
                anchor.anchor, self._provider.generation, self._allowed_federations
            )
            await self._adopt(generation, anchor)
        except XRoadFault as fault:
            log.warning("global configuration was not updated: %s", fault)
            self.status = replace(status, failure=Failure.of(fault))
        else:
            told = {instance: Failure.of(fault) for instance, fault in failures.items()}
            self.status = replace(status, last_success=at, last_url=url, federated_failures=told)
        return self.status

    async def _adopt(self, generation: Generation, anchor: AnchorFile) -> None:
        try:
            if self._history is not None:
                await asyncio.to_thread(self._history.record, generation, anchor.xml, self._clock.now())
            await asyncio.to_thread(self._cache.store, generation)
        except OSError as cause:
            raise ConfigurationUnusable(
                "global_conf_part_file_save_failure",
                "configuration.not_stored",
                path=cause.filename or self._cache.root,
                reason=cause.strerror or type(cause).__name__,
            ) from cause
        self._provider.install(generation)

    # the anchor

    def anchor(self) -> AnchorFile | None:
        """Return the anchor in use, if there is a readable one."""
        try:
            return self._cache.read_anchor()
        except XRoadFault:
            return None

    def preview_anchor(self, xml: bytes, *, validate_instance: bool = False) -> AnchorFile:
        """Return what an anchor says without taking it.

        `validate_instance` insists on the instance of the anchor in use. Raises AnchorRefused.
        """
        try:
            anchor = parse_anchor(xml)
            require_plain_source(anchor.sources)
        except XRoadFault as fault:
            raise AnchorRefused("malformed_anchor", Failure.of(fault)) from fault
        current = self.anchor()
        if validate_instance and current is not None and current.anchor.instance != anchor.instance:
            facts = {"expected": current.anchor.instance, "came": anchor.instance}
            failure = Failure("malformed_anchor", "configuration.other_instance", facts)
            raise AnchorRefused(OTHER_INSTANCE, failure)
        return AnchorFile(anchor, xml, anchor_hash(xml))

    async def set_anchor(self, xml: bytes, *, keep_instance: bool = False) -> AnchorFile:
        """Take an anchor: a trial download first, then store it, then the real download.

        Raises AnchorRefused: `malformed_anchor`, `conf_verification.…` when the trial fails and nothing
        has changed, `conf_download_failed` when the anchor is stored but the download did not succeed.
        """
        taken = self.preview_anchor(xml, validate_instance=keep_instance)
        async with self._lock:
            try:
                await self._downloader.download(taken.anchor)
            except XRoadFault as fault:
                raise AnchorRefused(_verdict(fault), Failure.of(fault)) from fault
            await asyncio.to_thread(self._cache.write_anchor, xml)
            status = await self._refresh()
        if status.failure is not None:
            raise AnchorRefused("conf_download_failed", status.failure)
        return taken


def _verdict(fault: XRoadFault) -> str:
    if fault.text_id == "globalconf.part_not_listed" and fault.facts.get("part") == "PRIVATE-PARAMETERS":
        return "conf_verification.missing_private_params"
    return _VERDICTS.get(fault.code, "conf_verification.other")
