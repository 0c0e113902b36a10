from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.registry_adapters.citizen.site import Site, a_site


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with two registries; whoever adds looks uses a person of their own or counts them."""
    with a_site(tmp_path_factory.mktemp("site")) as served:
        yield served
