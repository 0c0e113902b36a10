"""Anchors made anew from what the registry and the settings say now."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from central_services.configuration_source import signing_keys
from central_services.configuration_source.addresses import source_urls
from central_services.configuration_source.model import SourceType, StoredAnchor
from central_services.registry import store as registry_store
from central_services.settings import ConfigurationSettings


def urls_of(tx: Connection, source: SourceType, settings: ConfigurationSettings, port: int) -> tuple[str, ...]:
    """Return where a source can be downloaded; `port` is the one really listened on."""
    return source_urls(registry_store.read_parameters(tx).address, source, port, settings.https_port)


def rebuild(
    tx: Connection, source: SourceType, settings: ConfigurationSettings, port: int, at: datetime
) -> StoredAnchor:
    """Make the anchor of a source anew."""
    instance = registry_store.read_parameters(tx).instance
    return signing_keys.rebuild_anchor(tx, source, instance, urls_of(tx, source, settings, port), at)
