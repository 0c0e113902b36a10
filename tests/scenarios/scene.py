"""A running federation with everything that scenarios need around it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from gateway.landscape.description import Registry
from gateway.main import Gateway
from tests.factories.pki import Issued
from tests.landscape import Federation, Tune, a_federation, as_set
from tests.scenarios.asking import GET_PERSON, PERSON, PERSONS, InformationSystem, envelope
from tests.scenarios.hand_made import HandMadeServer
from tests.scenarios.stand_in import StandIn, extended


class Scene:
    """A running federation with the stand-in registry and the visitor's hand-made server."""

    def __init__(self, federation: Federation, stand_in: StandIn, visitor: HandMadeServer) -> None:
        self.federation = federation
        self.stand_in = stand_in
        self.visitor = visitor

    @property
    def caller(self) -> InformationSystem:
        """An information system of the consumer."""
        return InformationSystem(self.federation, self.federation.consumer)

    @property
    def owner(self) -> InformationSystem:
        """An information system of the provider."""
        return InformationSystem(self.federation, self.federation.provider)

    async def restart(self, code: str) -> Gateway:
        """Stop a security server and start it again on its state."""
        async with self.federation.without_gateway(code):
            pass
        return self.federation.gateways[code]

    async def still_answers(self) -> None:
        """Hold that both gateways take a SOAP and a REST call as if nothing had happened."""
        soap = await self.caller.soap(envelope(GET_PERSON))
        assert soap.code is None, soap.text
        assert PERSON.encode() in soap.content
        rest = await self.caller.rest(f"/persons?unzr={PERSON}", service=PERSONS)
        assert rest.status == 200, rest.text

    async def revoke(self, issued: Issued) -> None:
        """Have the CA revoke a certificate."""
        where = self.federation.landscape.trust
        async with httpx.AsyncClient(trust_env=False) as http:
            url = f"http://{where.address}:{where.ca_port}/revoke?serial={issued.certificate.serial_number:X}"
            assert (await http.post(url)).status_code == 204


@asynccontextmanager
async def a_scene(state: Path, tune: Tune = as_set) -> AsyncIterator[Scene]:
    """Start a federation with everything the scenarios need."""
    stand_ins: list[StandIn] = []

    async def stand_in(registry: Registry) -> None:
        stand_ins.append(await StandIn.at(registry))

    try:
        async with a_federation(state, change=extended, tune=tune, stand_in=stand_in) as federation:
            visitor = await HandMadeServer.register(federation)
            await visitor.listen(visitor.truthful)
            try:
                yield Scene(federation, stand_ins[0], visitor)
            finally:
                await visitor.close()
    finally:
        for started in stand_ins:
            await started.server.stop()
