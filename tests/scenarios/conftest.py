"""One landscape for the whole session; after every test both of its gateways must still answer.

Tests that move the clock or break a part for longer have a landscape of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
import uvloop

from tests.scenarios.scene import Scene, a_scene


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run on the loop that the programs run on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def session_scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """The landscape that most tests share."""
    async with a_scene(tmp_path_factory.mktemp("landscape")) as scene:
        yield scene


@pytest_asyncio.fixture(loop_scope="session")
async def scene(session_scene: Scene, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Scene]:
    """The shared landscape; a test leaves it as it was, and nothing in it was taken by surprise."""
    yield session_scene
    await session_scene.still_answers()
    surprises = [record.getMessage() for record in caplog.get_records("call") if record.levelname == "ERROR"]
    assert surprises == []
