"""Habits of programs that others wrote, met at the ports of information systems."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
import zeep

from gateway.xroad.identifiers import ServiceId
from tests.scenarios.asking import GET_PERSON, PERSON, PERSONS, SNAP, new_id
from tests.scenarios.scene import Scene

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]

PARTS = ("xRoadInstance", "memberClass", "memberCode", "subsystemCode", "serviceCode", "version")


def headers_for(service: ServiceId) -> dict[str, Any]:
    """Header parts as dictionaries, as the Trembita client pyxroad gives them to zeep."""
    client = dict(zip(PARTS, SNAP.parts, strict=False)) | {"objectType": "SUBSYSTEM"}
    names = (*PARTS[:5], "serviceVersion")
    answering = dict(zip(names, service.parts, strict=True)) | {"objectType": "SERVICE"}
    return {"client": client, "service": answering, "userId": "clerk", "id": new_id(), "protocolVersion": 4.0}


def ask_through_one_transport(server: str, service: ServiceId) -> Any:
    """Load the description and call, with the security server as HTTP proxy of the whole session."""
    query = "&".join(f"{name}={value}" for name, value in zip(PARTS, service.parts, strict=True))
    transport = zeep.Transport()
    transport.session.trust_env = False
    transport.session.proxies.update({"http": server})
    try:
        client = zeep.Client(f"{server}/wsdl?{query}&objectType=SERVICE", transport=transport)
        client.set_default_soapheaders(headers_for(service))
        return client.service.GetPerson(unzr=PERSON)
    finally:
        transport.session.close()


async def test_zeep_may_take_the_security_server_for_its_proxy(scene: Scene) -> None:
    server = scene.federation.url_of(scene.federation.consumer)
    answer = await asyncio.to_thread(ask_through_one_transport, server, GET_PERSON)
    assert answer.body.person.unzr == PERSON


async def test_rest_and_lists_may_be_asked_with_scheme_and_host_in_the_target(scene: Scene) -> None:
    server = scene.federation.url_of(scene.federation.consumer)
    async with httpx.AsyncClient(proxy=server, trust_env=False, timeout=30) as http:
        caller = {"X-Road-Client": str(SNAP)}
        person = await http.get(f"{server}/r1/{PERSONS}/persons?unzr={PERSON}", headers=caller)
        clients = await http.get(f"{server}/listClients", headers={"Accept": "application/json"})
    assert person.json()["person"]["unzr"] == PERSON
    assert clients.json()["member"]
