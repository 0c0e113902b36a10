"""A server's checkpoint after real calls: signed, stamped, proven by its own history, and the log is what it says."""

from __future__ import annotations

import asyncio

import pytest

from gateway.main import Gateway
from gateway.messagelog.checkpoints import export_checkpoint
from gateway.messagelog.completeness.check import check_completeness
from gateway.messagelog.completeness.model import Completeness
from gateway.xroad.checkpoint import parse_export
from tests.scenarios.asking import GET_PERSON, envelope
from tests.scenarios.scene import Scene

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]


def look(gateway: Gateway, export: bytes) -> Completeness:
    return check_completeness(
        gateway.stores.message_log,
        [parse_export(export.splitlines(keepends=True))],
        reader=gateway.message_log.reader,
        trust=gateway.evidence.globalconf_at,
    )


@pytest.mark.parametrize("side", ["consumer", "provider"])
async def test_log_of_each_side_is_what_its_checkpoint_says(scene: Scene, side: str) -> None:
    gateway: Gateway = getattr(scene.federation, side)
    assert (await scene.caller.soap(envelope(GET_PERSON))).code is None
    assert (await scene.caller.rest("/7", method="POST", content=b"a body")).status == 200
    made = await gateway.checkpointer.make_checkpoint()
    export = b"".join(await asyncio.to_thread(lambda: list(export_checkpoint(gateway.stores.message_log))))
    assert (await scene.caller.soap(envelope(GET_PERSON))).code is None
    result = await asyncio.to_thread(look, gateway, export)
    assert result.findings == ()
    assert result.is_told
    (against,) = result.against
    assert (against.size, against.origin) == (made.size, gateway.registrations.current().server)
    assert against.proven_at is not None
    assert result.last > made.size
