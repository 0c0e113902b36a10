"""How an information system must connect to speak for a client: plaintext, TLS, TLS with a registered certificate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.xroad.identifiers import ClientId
from tests.factories.pki import Issued, a_name, a_root
from tests.landscape import kinds_of
from tests.scenarios.asking import ENCRYPTED, MUTUAL, SNAP, InformationSystem, Reply, envelope, new_id
from tests.scenarios.scene import Scene

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]


@dataclass(frozen=True)
class Doors:
    """The ways to connect to the consumer's server."""

    plain: InformationSystem
    tls: InformationSystem
    registered: InformationSystem
    stranger: InformationSystem


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def doors(session_scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Doors]:
    """Register the certificate of an information system with the client MUTUAL."""
    directory = tmp_path_factory.mktemp("information-systems")
    registered, stranger = a_root("Counter 1"), a_root("Counter 2")
    async with session_scene.federation.api_of(session_scene.federation.consumer) as api:
        path = "/clients/UA-DEMO:GOV:10000001:MUTUAL/tls-certificates"
        await api.post(path, content=registered.der, headers={"Content-Type": "application/octet-stream"})
    assert registered.certificate.subject == a_name("Counter 1")
    plain = session_scene.caller
    tls = replace(plain, tls=True)
    yield Doors(
        plain,
        tls,
        replace(tls, certificate=files_of(registered, directory / "registered")),
        replace(tls, certificate=files_of(stranger, directory / "stranger")),
    )


def files_of(issued: Issued, stem: Path) -> tuple[str, str]:
    """Write a certificate and its key."""
    certificate, key = stem.with_suffix(".pem"), stem.with_suffix(".key")
    certificate.write_bytes(issued.pem)
    key.write_bytes(issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(certificate), str(key)


ALLOWED = [
    (SNAP, "plain"),
    (SNAP, "tls"),
    (SNAP, "stranger"),
    (ENCRYPTED, "tls"),
    (ENCRYPTED, "stranger"),
    (MUTUAL, "registered"),
]
REFUSED = [
    (ENCRYPTED, "plain", "specifies HTTPS NO AUTH but client made plaintext connection"),
    (MUTUAL, "plain", "specifies HTTPS but client made plaintext connection"),
    (MUTUAL, "tls", "did not supply TLS certificate"),
    (MUTUAL, "stranger", "does not match any IS certificates"),
]


@pytest.mark.parametrize(("client", "door"), ALLOWED, ids=str)
async def test_client_is_served_and_given_evidence(scene: Scene, doors: Doors, client: ClientId, door: str) -> None:
    system, query_id = getattr(doors, door), new_id()
    reply: Reply = await system.soap(envelope(client=client, query_id=query_id))
    assert reply.code is None, reply.text
    assert (await system.rest(client=client)).status == 200
    evidence = await system.evidence("/signature", client, query_id)
    assert evidence.status == 200


@pytest.mark.parametrize(("client", "door", "words"), REFUSED, ids=str)
async def test_client_is_refused(scene: Scene, doors: Doors, client: ClientId, door: str, words: str) -> None:
    system, query_id, before = getattr(doors, door), new_id(), len(scene.stand_in.asked)
    soap: Reply = await system.soap(envelope(client=client, query_id=query_id))
    rest: Reply = await system.rest(client=client, query_id=query_id)
    assert soap.code == rest.code == "server.clientproxy.ssl_authentication_failed"
    assert words in soap.text
    assert rest.status == 500
    assert len(scene.stand_in.asked) == before
    assert kinds_of(scene.federation.consumer, query_id) == []


@pytest.mark.parametrize(("client", "door", "words"), REFUSED, ids=str)
async def test_evidence_is_refused(scene: Scene, doors: Doors, client: ClientId, door: str, words: str) -> None:
    query_id = new_id()
    entitled = doors.registered if client == MUTUAL else doors.tls
    assert (await entitled.soap(envelope(client=client, query_id=query_id))).code is None
    for path in ("/asic", "/signature"):
        reply: Reply = await getattr(doors, door).evidence(path, client, query_id, "force")
        assert reply.status == 401
        assert words in reply.content.decode()
