from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete

from gateway.runtime.clock import FixedClock
from registry_adapters.crosscheck.tables import attempt
from registry_adapters.sdk.client import RestAnswer
from tests.registry_adapters.world import SNAP, World, a_world

NOW = datetime(2026, 2, 10, 9, tzinfo=UTC)
SOURCES = ("demographic", "tax", "civil_status", "property_rights", "displaced")


@dataclass
class Checks:
    """The cross-check service with the registries it asks, and a clock that stands still."""

    world: World
    clock: FixedClock
    sent: list[str] = field(default_factory=list)

    def send(self, purpose: str = "HOUSING-SUBSIDY", client: str = SNAP, **declared: Any) -> RestAnswer:
        """Declare something about somebody."""
        self.sent.append(str(uuid.uuid4()))
        return self.world.ask("crosscheck", "/checks", purpose, client=client, json=declared, message_id=self.sent[-1])

    def flags(self, **declared: Any) -> dict[str, str]:
        """The outcomes of declared values by their kinds."""
        answer = self.send(**declared)
        assert answer.status == 200, answer.content
        return {kind: flag["outcome"] for kind, flag in answer.json().items() if isinstance(flag, dict)}

    def later(self, check: str, client: str = SNAP) -> dict[str, Any]:
        """What has become of a flag that was pending."""
        told: dict[str, Any] = self.world.ask("crosscheck", f"/checks/{check}", "HOUSING-SUBSIDY", client=client).json()
        return told


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checks]:
    clock = FixedClock(NOW)
    changes = {"tax": {"income_delay_s": 60.0}, "crosscheck": {"timeout_s": 3.0}}
    folder = tmp_path_factory.mktemp("crosscheck")
    with a_world(folder, *SOURCES, "crosscheck", persons=120, clock=clock, changes=changes) as world:
        yield Checks(world, clock)


@pytest.fixture
def checks(served: Checks) -> Checks:
    """The service with all registries well and no attempt made yet."""
    served.world.shim.heal()
    served.world.shim.exchanges.clear()
    served.sent.clear()
    served.clock.set(NOW)
    with served.world.databases["crosscheck"].transaction() as connection:
        connection.execute(delete(attempt))
    return served


MINUTE = timedelta(minutes=1)
