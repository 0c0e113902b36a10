from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway.auditing.console.site import Site, a_site


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A console over the log of two members; whoever adds to it uses names of its own."""
    with a_site(tmp_path_factory.mktemp("site")) as served:
        yield served
