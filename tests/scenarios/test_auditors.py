"""What an auditor gets out of a running security server by command, and what one of another member does not."""

from __future__ import annotations

import asyncio
import json
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from gateway.cli.audit import app
from gateway.main import Gateway
from gateway.runtime.accounts import api_keys
from gateway.runtime.private_files import write_private
from gateway.xroad.identifiers import encode_path
from tests.scenarios.asking import CLOSED_THINGS, OWNER, SNAP, STANDIN, envelope, new_id
from tests.scenarios.scene import Scene

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]


class Auditor:
    """Somebody with an API key for one scope of one server."""

    def __init__(self, gateway: Gateway, folder: Path, scope: str) -> None:
        self._gateway = gateway
        self.key = folder / f"key-{len(list(folder.iterdir()))}"
        with gateway.stores.configuration.transaction() as tx:
            _, secret = api_keys.create(tx, ["AUDITOR"], gateway.clock.now(), scope=scope)
        write_private(self.key, secret)

    async def ask(self, verb: str, *arguments: object) -> Result:
        await self._gateway.indexer.catch_up()
        place = ["--server", self._gateway.admin.url, "--key-file", self.key]
        place += ["--ca", self._gateway.paths.tls / "admin.crt"]
        words = [verb, *map(str, (*arguments, *place))]
        return await asyncio.to_thread(CliRunner().invoke, app, words)

    async def answer(self, verb: str, *arguments: object) -> Any:
        result = await self.ask(verb, *arguments, "--json")
        assert result.exit_code == 0, result.output + repr(result.exception)
        return json.loads(result.stdout)


async def a_call(scene: Scene, gateway: Gateway) -> str:
    """Make a SOAP call whose records on `gateway` are time-stamped; return its id."""
    query_id = new_id()
    reply = await scene.caller.soap(envelope(query_id=query_id))
    assert reply.code is None, reply.text
    await gateway.timestamper.stamp_waiting()
    return query_id


async def test_call_is_found_shown_proven_and_taken_away(scene: Scene, tmp_path: Path) -> None:
    gateway = scene.federation.consumer
    query_id = await a_call(scene, gateway)
    auditor = Auditor(gateway, tmp_path, encode_path(OWNER))
    (found,) = (await auditor.answer("search", "--query-id", query_id))["items"]
    assert (found["client"], found["outcome"]) == (encode_path(SNAP), "answered")
    shown = await auditor.answer("show", found["id"], "--report", tmp_path / "report.html")
    assert [message["verdict"]["result"] for message in shown["messages"]] == ["valid", "valid"]
    assert query_id in (tmp_path / "report.html").read_text()
    verified = await auditor.answer("verify", "--query-id", query_id, "--reason", "complaint 7")
    assert verified["counts"] == {"valid": 2, "invalid": 0, "undecided": 0}
    export = await auditor.answer("export", "-o", tmp_path / "x.zip", "--query-id", query_id, "--reason", "complaint 7")
    assert export["counts"]["unproven"] == 0
    with zipfile.ZipFile(tmp_path / "x.zip") as opened:
        names = opened.namelist()
    assert {"verificationconf/instance-identifier", "anchor.xml", "checkpoint.txt", "manifest.json"} <= set(names)


async def test_log_is_compared_with_a_checkpoint_that_was_taken_away(scene: Scene, tmp_path: Path) -> None:
    gateway = scene.federation.consumer
    await a_call(scene, gateway)
    auditor = Auditor(gateway, tmp_path, "*")
    kept = tmp_path / "kept.txt"
    assert (await auditor.ask("completeness", "--make", "--take", kept)).exit_code == 0
    await a_call(scene, gateway)
    compared = await auditor.ask("completeness", "--checkpoint", kept)
    assert compared.exit_code == 0, compared.output
    assert "COMPLETE" in compared.stdout


async def test_refused_call_is_found_with_its_reason(scene: Scene, tmp_path: Path) -> None:
    query_id = new_id()
    reply = await scene.caller.rest("/7", query_id=query_id, service=CLOSED_THINGS)
    assert reply.status != 200
    auditor = Auditor(scene.federation.consumer, tmp_path, "*")
    async with asyncio.timeout(15):
        while not (found := (await auditor.answer("search", "--query-id", query_id, "--outcome", "refused"))["items"]):
            await asyncio.sleep(0.1)
    (one,) = found
    assert "access_denied" in one["fault_code"]
    shown = await auditor.ask("show", one["id"])
    assert shown.exit_code == 0
    assert "The refusal as recorded" in shown.stdout


async def test_auditor_of_another_member_finds_nothing_by_any_means(scene: Scene, tmp_path: Path) -> None:
    gateway = scene.federation.consumer
    query_id = await a_call(scene, gateway)
    everything = Auditor(gateway, tmp_path, "*")
    (found,) = (await everything.answer("search", "--query-id", query_id))["items"]
    stranger = Auditor(gateway, tmp_path, encode_path(STANDIN.member))
    assert (await stranger.answer("search", "--query-id", query_id))["items"] == []
    assert (await stranger.ask("show", found["id"])).exit_code == 1
    export = await stranger.answer("export", "-o", tmp_path / "x.zip", "--query-id", query_id, "--reason", "curious")
    assert export["counts"]["exchanges"] == 0


async def test_key_without_the_role_opens_neither_api_nor_console(scene: Scene) -> None:
    gateway = scene.federation.consumer
    key = gateway.paths.api_key.read_text().strip()
    async with httpx.AsyncClient(base_url=gateway.admin.url, verify=False) as client:
        answer = await client.get("/api/v1/audit/exchanges", headers={"Authorization": f"X-Road-ApiKey token={key}"})
        assert answer.status_code == 403
        assert (await client.get("/audit/search")).status_code == 303
