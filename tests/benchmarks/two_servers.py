"""Two security servers as processes, onboarded as the demo's are, with the stub registry behind the second."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from gateway.landscape.description import (
    Central,
    Landscape,
    Member,
    MemberClass,
    Registry,
    Server,
    ServerClient,
    Service,
    Trust,
)
from gateway.landscape.federation import Federation, PortsTaken
from gateway.landscape.processes import Program
from tests.benchmarks.messages import BULK, CLIENT, INSTANCE, PROVIDER

CONSUMER: Final = "SS-CONSUMER"
PRODUCER: Final = "SS-PROVIDER"
REGISTRY: Final = "stub"
OWNERS: Final = {client.rpartition("/")[0]: client for client in (CLIENT, PROVIDER)}
PROFILE: Final = "ee.ria.xroad.common.certificateprofile.impl.FiVRKCertificateProfileInfoProvider"
TRIES: Final = 20

# What a gateway is told so that its token makes keys of this kind.
SIGNER_SETTINGS: Final = {
    "P-256": {"GATEWAY_SIGNER__KEY_ALGORITHM": "EC"},
    "RSA-2048": {"GATEWAY_SIGNER__KEY_ALGORITHM": "RSA", "GATEWAY_SIGNER__RSA_BITS": "2048"},
}


def landscape(network: str) -> Landscape:
    """Return two servers, their members, a SOAP and a REST service, on loopback addresses below `network`."""
    consumer, producer = OWNERS
    return Landscape(
        instance=INSTANCE,
        certificate_profile=PROFILE,
        management_provider="GOV/10000000/MANAGEMENT",
        central=Central(f"{network}.1.1"),
        trust=Trust(f"{network}.1.2"),
        member_class=(MemberClass("GOV", "Government"),),
        member=(
            Member("GOV/10000000", "Administrator", ("MANAGEMENT",)),
            *(Member(owner, owner, (client.rpartition("/")[2],)) for owner, client in OWNERS.items()),
        ),
        server=(
            Server(CONSUMER, consumer, f"{network}.2.1", (ServerClient(CLIENT),)),
            Server(PRODUCER, producer, f"{network}.3.1", (ServerClient(PROVIDER),)),
        ),
        registry=(Registry(REGISTRY, f"{network}.3.2", 8090, process=REGISTRY),),
        service=(
            Service(PROVIDER, "WSDL", REGISTRY, "/wsdl", "/soap", allow=(CLIENT,)),
            Service(PROVIDER, "REST", REGISTRY, "", f"/{BULK}", BULK, allow=(CLIENT,)),
        ),
    )  # fmt: skip


@asynccontextmanager
async def two_servers(folder: Path, algorithm: str) -> AsyncIterator[Federation]:
    """Run the servers on free loopback addresses; they are ready for messages inside the block."""
    federation = await _started(folder, algorithm)
    try:
        yield federation
    finally:
        federation.stop()


@asynccontextmanager
async def again(described: Landscape, folder: Path, algorithm: str) -> AsyncIterator[Federation]:
    """Run servers that ran before, from the state they left in `folder`."""
    federation = _federation(described, folder, algorithm)
    try:
        await federation.start()
        yield federation
    finally:
        federation.stop()


async def _started(folder: Path, algorithm: str) -> Federation:
    choice = random.Random()
    for _ in range(TRIES):
        federation = _federation(landscape(f"127.{choice.randint(32, 250)}"), folder, algorithm)
        try:
            await federation.start()
        except PortsTaken:
            continue
        except BaseException:
            federation.stop()
            raise
        return federation
    raise RuntimeError("no free loopback addresses were found")


def _federation(described: Landscape, folder: Path, algorithm: str) -> Federation:
    federation = Federation(described, folder, lambda text: None, SIGNER_SETTINGS[algorithm])
    (registry,) = described.registry
    command = ["tests.benchmarks.stub_registry", "--host", registry.address, "--port", str(registry.port)]
    federation.registries = {REGISTRY: Program(REGISTRY, command, folder / "logs" / "stub.log")}
    return federation
