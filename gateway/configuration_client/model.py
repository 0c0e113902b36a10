"""Facts of the configuration client: what is in use, where it came from, how the last update went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gateway.xroad.faults import ConfigurationUnusable, XRoadFault
from gateway.xroad.globalconf.anchor import Anchor
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.globalconf.trusted import TrustedConfiguration

ALL_INSTANCES = "all"


@dataclass(frozen=True, slots=True)
class Generation:
    """The verified configurations of one moment: the own one, and those of federated instances by name."""

    own: TrustedConfiguration
    federated: Mapping[str, TrustedConfiguration] = field(default_factory=dict)

    @property
    def all(self) -> tuple[TrustedConfiguration, ...]:
        """The own configuration first."""
        return (self.own, *self.federated.values())

    def find(self, instance: str) -> TrustedConfiguration | None:
        """Return the configuration of an instance."""
        return self.own if instance == self.own.instance else self.federated.get(instance)

    def without_expired(self, at: datetime) -> Generation:
        """Leave out what has expired of others; the own configuration is the provider's to judge."""
        return Generation(self.own, {name: one for name, one in self.federated.items() if one.expires_at > at})

    def says_the_same_as(self, other: Generation) -> bool:
        """Tell whether both hold the same facts, be they signed anew."""
        if self.federated.keys() != other.federated.keys():
            return False
        pairs = zip(self.all, (other.own, *(other.federated[name] for name in self.federated)), strict=True)
        return all(a.shared is b.shared and a.private is b.private and a.optional == b.optional for a, b in pairs)

    def globalconf(self) -> GlobalConf:
        """Index everything."""
        return self.own.globalconf(self.federated.values())


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something did not work, for diagnostics: a fault's code, text and facts."""

    code: str
    text_id: str
    facts: Mapping[str, object]

    @classmethod
    def of(cls, fault: XRoadFault) -> Failure:
        """Keep what is worth showing of a fault."""
        return cls(fault.code, fault.text_id, dict(fault.facts))


@dataclass(frozen=True, slots=True)
class Status:
    """How updates go. `last_url` is where the configuration in use was downloaded from."""

    previous_update: datetime | None = None
    last_success: datetime | None = None
    next_update: datetime | None = None
    last_url: str | None = None
    failure: Failure | None = None
    federated_failures: Mapping[str, Failure] = field(default_factory=dict)


class DownloadFailed(ConfigurationUnusable):
    """No candidate address gave a configuration; the fault is the most telling of the attempts."""

    def __init__(self, telling: XRoadFault, attempts: tuple[tuple[str, XRoadFault], ...]) -> None:
        super().__init__(telling.code, telling.text_id, **telling.facts)
        self.attempts = attempts


class AnchorRefused(Exception):  # noqa: N818  the administrator is told, nobody catches it to go on
    """An anchor that was not taken. `code` is an admin API's: `malformed_anchor`, `conf_verification.…`."""

    def __init__(self, code: str, failure: Failure) -> None:
        super().__init__(code, failure)
        self.code = code
        self.failure = failure


@dataclass(frozen=True, slots=True)
class AnchorFile:
    """An anchor with its file: the bytes that people compare the hash of."""

    anchor: Anchor
    xml: bytes
    hash: str
