"""A provider that asks for a minimum release of its peers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.settings import GatewaySettings
from tests.scenarios.asking import GET_PERSON, PERSON, envelope
from tests.scenarios.scene import a_scene

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize(("minimum", "code"), [("7.8.0", None), ("7.8.1", "client_proxy_version_not_supported")])
async def test_older_security_server_than_the_minimum_is_refused(
    tmp_path: Path, minimum: str, code: str | None
) -> None:
    def asking(settings: GatewaySettings) -> GatewaySettings:
        return replace(settings, provider=replace(settings.provider, min_client_version=minimum))

    async with a_scene(tmp_path, asking) as scene:
        before = len(scene.stand_in.asked)
        reply = await scene.caller.soap(envelope(GET_PERSON))

        if code is None:
            assert PERSON.encode() in reply.content
        else:
            assert reply.code == f"server.serverproxy.{code}"
            assert minimum in reply.text
            assert len(scene.stand_in.asked) == before
