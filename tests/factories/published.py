"""Read what a running central server publishes, as a configuration client does.

The host and port of the anchor are left aside: a test copies a state that was made on another port.
"""

from __future__ import annotations

from datetime import UTC, datetime

import httpx

from central_services.configuration_source import store
from central_services.configuration_source.model import SourceType
from central_services.main import CentralServices
from gateway.xroad.globalconf.anchor import Anchor, parse_anchor
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.globalconf.trusted import Role, verify_directory, verify_parts


async def anchor_of(running: CentralServices, source: SourceType = SourceType.INTERNAL) -> Anchor:
    """Return the anchor of a source."""
    found = await running.central.read(lambda tx: store.find_anchor(tx, source))
    assert found is not None
    return parse_anchor(found.file)


async def published(running: CentralServices, version: int = 6, anchor: Anchor | None = None) -> GlobalConf:
    """Return the verified configuration that `anchor` (by default today's internal one) leads to."""
    anchor = anchor or await anchor_of(running)
    name = anchor.sources[0].download_url.rpartition("/")[2]
    role = Role.OWN if name == "internalconf" else Role.FEDERATED
    base = f"http://127.0.0.1:{running.ports.configuration}"
    async with httpx.AsyncClient() as http:
        raw = (await http.get(f"{base}/{name}", params={"version": version})).content
        directory = verify_directory(
            raw, instance=anchor.instance, certificates=anchor.certificates, at=datetime.now(UTC), role=role
        )
        files = {entry.location: (await http.get(base + entry.location)).content for entry in directory.entries}
    return verify_parts(directory, files).globalconf()
