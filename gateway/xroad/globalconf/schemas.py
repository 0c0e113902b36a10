"""Configuration versions and what each adds to the one before (X-Road globalconf/v2 … v6).

The digest of authentication certificates is in no document: version 2 lists SHA-1, later ones SHA-256
(X-Road SharedParametersV2ToXmlConverter.java and its successors).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from gateway.xroad.digests import DigestAlgorithm
from gateway.xroad.faults import MalformedMessage


@dataclass(frozen=True, slots=True)
class Schema:
    """What can be said in one version; private parameters differ in `open_content` only."""

    auth_cert_hash: DigestAlgorithm = DigestAlgorithm.SHA256
    sources: bool = True
    acme: bool = True
    acme_profiles: bool = True
    subsystem_names: bool = True
    maintenance: bool = True
    costs: bool = True
    csr_format: bool = True
    open_content: bool = True


_V6: Final = Schema()
_V5: Final = replace(_V6, costs=False, csr_format=False)
_V4: Final = replace(_V5, subsystem_names=False, maintenance=False)
_V3: Final = replace(_V4, acme_profiles=False)
_V2: Final = replace(_V3, auth_cert_hash=DigestAlgorithm.SHA1, sources=False, acme=False, open_content=False)

SCHEMAS: Final[Mapping[int, Schema]] = {2: _V2, 3: _V3, 4: _V4, 5: _V5, 6: _V6}
OLDEST_VERSION: Final = min(SCHEMAS)
NEWEST_VERSION: Final = max(SCHEMAS)


def schema_of(version: int) -> Schema:
    """Return the schema of a configuration version; MalformedMessage for versions nobody defined."""
    schema = SCHEMAS.get(version)
    if schema is None:
        known = ", ".join(map(str, SCHEMAS))
        raise MalformedMessage("malformed_global_conf", "globalconf.unknown_version", version=version, known=known)
    return schema
