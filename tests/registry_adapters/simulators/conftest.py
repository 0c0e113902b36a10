from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.registry_adapters.world import World, a_world

SIMULATORS = ("civil_status", "business", "property_rights", "displaced")


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The four simulators with a few persons."""
    with a_world(tmp_path_factory.mktemp("simulators"), *SIMULATORS) as served:
        yield served
