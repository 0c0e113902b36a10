"""Recorded SOAP exchanges of real servers, done again by two of ours: what each information system sent and got.

A service that gives the recorded answer stands behind a landscape with the recorded members, subsystems and
services. What may differ from the recording stands in the tables below, with the reason; everything else is
compared byte for byte.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from lxml import etree

from gateway.landscape.description import Landscape, Registry, Service
from gateway.main import Gateway
from gateway.runtime.admin_client import AdminApi
from gateway.xroad.bodies import BytesSink
from gateway.xroad.soap.message import SoapMessage
from gateway.xroad.soap.package import PackageReader
from gateway.xroad.transport.decoder import Side, TransportDecoder
from tests.factories.recordings import Recording, find_vectors, parse_recording, read_case, read_recording
from tests.landscape import Federation, a_federation, records_of
from tests.scenarios.recorded import EVERYBODY, NOTICE, PROVIDER, in_the_old_spelling, recorded_landscape
from tests.scenarios.wire import WireRequest, WireServer, http_answer

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="module")]

REFUSING_PORT: Final = 9

# What differs, and why

TOWARD_SERVICE: Final = {
    "transfer-encoding": "the length is known here, and every server reads a length",
    "content-length": "as above",
    "host": "the service lies at another address",
    "connection": "the HTTP library's own",
    "user-agent": "the HTTP library's own",
}
TOWARD_CONSUMER: Final = {
    "date": "another moment",
    "content-length": "follows from the body, and is held against it",
    "connection": "the HTTP library's own; its place among the headers too",
}
OTHER_CODES: Final = {
    "soap-service-other-id": (
        "Server.ServerProxy.ServiceFailed.InconsistentResponse",
        "the provider's server holds the answer against the question already, so nothing wrong is signed or sent",
    ),
}
LEFTOVERS: Final = {
    "soap-response-has-request-hash": (
        b"</xrd:requestHash>AAAA<",
        "the reference takes out a requestHash of the service, but leaves its text between two header fields",
    ),
}
OTHER_TEXT: Final = "the words of a fault are ours, and name the next step; the id in its detail is random"
PART_HEADERS: Final = (
    "the reference keeps part headers in a hash table, so their order says nothing; ours is that of arrival"
)
ANSWER_BYTES: Final = (
    "the reference writes the service's answer anew (line ends, quotes, declaration, no processing instructions); "
    "ours are the service's bytes with requestHash in its place, so both are the same document"
)

HASH: Final = re.compile(rb"\s*<(\w+:)?requestHash [^>]*>[^<]*</(\w+:)?requestHash>")


def soap_cases() -> list[str]:
    """Return the names of all recorded SOAP exchanges; none when there are no vectors."""
    folder = find_vectors()
    return [] if folder is None else sorted({path.parent.name for path in folder.glob("*/soap-*/request.http")})


CASES: Final = soap_cases() or [
    pytest.param("", marks=pytest.mark.skip(reason="no recorded vectors: set SURMA_VECTORS"))
]


# The recorded landscape


def as_recorded(landscape: Landscape) -> Landscape:
    """Return the members, servers and services that the recordings name."""
    system = "information-system"
    return recorded_landscape(
        landscape,
        registry=(Registry(system, "127.0.7.9", 8090),),
        service=(
            Service(PROVIDER, "WSDL", system, "/wsdl/soapecho", "/soap", allow=EVERYBODY),
            Service(PROVIDER, "WSDL", system, "/wsdl/soapecho/v1", "/soap"),  # rights are by code
            Service(PROVIDER, "WSDL", system, "/wsdl/soapnoaccess", "/soap"),
            Service(PROVIDER, "WSDL", system, "/wsdl/soapoff", "/soap", allow=EVERYBODY),
            Service(PROVIDER, "WSDL", system, "/wsdl/soapdown", "/soap", allow=EVERYBODY),
            Service(PROVIDER, "REST", system, "", "/rest", "echo", EVERYBODY),
        ),
    )


def wsdl(path: str) -> bytes:
    """Return the description at a path that ends in the code, or the code and the version, of its one operation."""
    code, _, version = path.removeprefix("/wsdl/").partition("/")
    versioned = f"<x:version>{version}</x:version>" if version else ""
    return (
        '<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/" '
        'xmlns:x="http://x-road.eu/xsd/xroad.xsd" targetNamespace="http://q.test" xmlns:q="http://q.test">'
        f'<portType name="p"><operation name="{code}"/></portType><binding name="b" type="q:p">'
        f'<s:binding transport="http://schemas.xmlsoap.org/soap/http"/><operation name="{code}">{versioned}</operation>'
        '</binding><service name="s"><port name="p" binding="q:b"><s:address location="http://example.org/"/></port>'
        "</service></definitions>"
    ).encode()


@dataclass(frozen=True, slots=True)
class Exchange:
    """A recorded exchange and what became of it here."""

    name: str
    facts: dict[str, Any]
    heard: list[WireRequest]
    reply: Recording

    def recording(self, folder: str, direction: str) -> Recording | None:
        """Return what was recorded: `consumer`, `provider` or `transport`; `request` or `response`."""
        path = vectors() / folder / self.name / f"{direction}.http"
        return read_recording(path) if path.exists() else None


@dataclass
class Recorded:
    """The landscape, the information system behind its services, and every exchange so far."""

    federation: Federation
    system: WireServer
    done: dict[str, Exchange] = field(default_factory=dict)

    async def exchange(self, name: str) -> Exchange:
        """Send the bytes of a recorded request where they were sent, once."""
        if name not in self.done:
            where = "transport" if (vectors() / "transport" / name).exists() else "consumer"
            facts = read_case(vectors() / where / name / "case.json")
            if name == "soap-server-down":
                async with self.federation.without_gateway("SS3"):
                    self.done[name] = await self._exchange(name, facts)
            else:
                self.done[name] = await self._exchange(name, facts)
        return self.done[name]

    def server_of(self, facts: dict[str, Any]) -> Gateway:
        """Return the consumer's security server."""
        return self.federation.gateways["SS3" if (facts["client_id"] or "").startswith("TEST/ORG/3003") else "SS1"]

    async def _exchange(self, name: str, facts: dict[str, Any]) -> Exchange:
        before = len(self.system.requests)
        self.system.answer = lambda _: (vectors() / "provider" / name / "response.http").read_bytes()
        reader, writer = await asyncio.open_connection(self.server_of(facts).settings.address, 8080)
        writer.write((vectors() / "consumer" / name / "request.http").read_bytes())
        reply = await asyncio.wait_for(reader.read(), 60)
        writer.close()
        return Exchange(name, facts, self.system.requests[before:], parse_recording(reply))


def vectors() -> Path:
    """Return the folder of the recordings."""
    folder = find_vectors()
    assert folder is not None
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def recorded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Recorded]:
    """Run the recorded landscape: one service switched off, one whose address refuses, the others open."""
    systems: list[WireServer] = []

    async def stand_in(registry: Registry) -> None:
        system = WireServer(registry.address, registry.port, lambda request: http_answer(wsdl(request.target)))
        systems.append(system)
        await system.start()

    state = tmp_path_factory.mktemp("recorded")
    try:
        async with a_federation(state, change=as_recorded, tune=in_the_old_spelling, stand_in=stand_in) as federation:
            async with federation.api_of(federation.consumer) as api:
                await api.patch("/clients/TEST:GOV:1001", {"connection_type": "HTTP"})
            async with federation.api_of(federation.provider) as api:
                described = await api.get("/clients/TEST:COM:2002:service/service-descriptions")
                for description in described:
                    for service in description["services"]:
                        await configure(api, description["id"], service, systems[0])
            await federation.renew()
            yield Recorded(federation, systems[0])
    finally:
        for system in systems:
            await system.stop()


async def configure(api: AdminApi, description: str, service: dict[str, Any], system: WireServer) -> None:
    """Bring one service to what it was when the recordings were made."""
    code = service["service_code"]
    if code == "soapoff":
        await api.put(f"/service-descriptions/{description}/disable", {"disabled_notice": NOTICE})
    elif code == "soapdown":
        where = {"url": f"http://{system.host}:{REFUSING_PORT}/soap", "timeout": 60, "ssl_auth": False}
        await api.patch(f"/services/{service['id']}", where)
    elif service["id"] == "TEST:COM:2002:service:soapecho":
        everybody = {"id": "TEST:security-server-owners", "service_client_type": "GLOBALGROUP"}
        await api.post(f"/services/{service['id']}/service-clients", {"items": [everybody]})


# Comparing


def without(headers: Iterable[tuple[str, str]], allowed: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the headers that must be the same."""
    return [(name, value) for name, value in headers if name.lower() not in allowed]


def with_sorted_heads(body: bytes, content_type: str | None) -> bytes:
    """Return a package whose parts have their headers in one order, the type in front; anything else as it is."""
    found = re.search(r'^multipart/.*boundary="?([^";]+)', content_type or "")
    if found is None:
        return body
    first, *parts = body.split(f"--{found[1]}".encode())
    for number, part in enumerate(parts[:-1]):
        head, _, content = part.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        assert lines[1].startswith(b"content-type:")
        parts[number] = b"\r\n".join([*lines[:2], *sorted(lines[2:])]) + b"\r\n\r\n" + content
    return f"--{found[1]}".encode().join([first, *parts])


def package_of(recording: Recording) -> SoapMessage:
    """Read what an information system sent or got."""
    reader = PackageReader(recording.header("content-type"), open_sink=BytesSink)
    reader.feed(recording.body)
    message = reader.finish()
    assert isinstance(message, SoapMessage)
    return message


def document(raw: bytes) -> bytes:
    """Return the canonical form of a document without its processing instructions and what was left over in it."""
    for leftover, _ in LEFTOVERS.values():
        raw = raw.replace(leftover, b"</xrd:requestHash><")
    root = etree.fromstring(raw)
    for instruction in list(root.iter(etree.ProcessingInstruction)):
        parent = instruction.getparent()
        assert parent is not None
        assert not instruction.tail
        parent.remove(instruction)
    return etree.tostring(root, method="c14n", with_comments=True)


def with_other_words(fault: bytes) -> bytes:
    """Return a fault without its sentence and without the id of the failure."""
    shorter = re.sub(rb"<faultstring>.+?</faultstring>", b"<faultstring/>", fault, flags=re.DOTALL)
    return re.sub(rb"(<faultDetail xmlns=\"\">)[0-9a-f-]{36}(</faultDetail>)", rb"\1\2", shorter)


def decoded(recording: Recording, side: Side) -> SoapMessage:
    """Read what passed between the two servers."""
    decoder = TransportDecoder(
        recording.header("content-type") or "",
        side=side,
        open_sink=BytesSink,
        x_original_content_type=recording.header("x-original-content-type"),
    )
    decoder.feed(recording.body)
    signed = decoder.finish().signed
    assert signed is not None
    assert isinstance(signed.message, SoapMessage)
    return signed.message


# The exchanges


@pytest.mark.parametrize("name", CASES)
async def test_service_is_sent_what_the_reference_sends_it(recorded: Recorded, name: str) -> None:
    exchange = await recorded.exchange(name)
    expected = exchange.recording("provider", "request")
    if expected is None:
        assert exchange.heard == []
        return
    (heard,) = exchange.heard
    assert f"{heard.method} {heard.target} HTTP/1.1" == expected.start_line
    # Their order among each other says nothing (RFC 9110 5.3).
    assert sorted(without(heard.headers, TOWARD_SERVICE)) == sorted(without(expected.headers, TOWARD_SERVICE))
    content_type = expected.header("content-type")
    assert with_sorted_heads(heard.body, content_type) == with_sorted_heads(expected.body, content_type)


@pytest.mark.parametrize("name", CASES)
async def test_consumer_gets_what_the_reference_gives_it(recorded: Recorded, name: str) -> None:
    exchange = await recorded.exchange(name)
    expected, reply = exchange.recording("consumer", "response"), exchange.reply
    assert expected is not None
    assert reply.start_line == expected.start_line
    assert without(reply.headers, TOWARD_CONSUMER) == without(expected.headers, TOWARD_CONSUMER)
    assert reply.header("content-length") == str(len(reply.body))
    if exchange.facts["outcome"] == "success":
        the_answer_is_the_same(exchange, expected)
    elif exchange.facts["fault_code"].startswith("s:"):
        assert reply.body == expected.body  # the service's own
    else:
        code = OTHER_CODES.get(name, (exchange.facts["fault_code"],))[0]
        right = expected.body.replace(exchange.facts["fault_code"].encode(), code.encode())
        assert with_other_words(reply.body) == with_other_words(right), OTHER_TEXT


def the_answer_is_the_same(exchange: Exchange, expected: Recording) -> None:
    """Hold the SOAP part to be the service's bytes and the reference's document, and everything else to be equal."""
    source = exchange.recording("provider", "response")
    assert source is not None
    ours, theirs, given = package_of(exchange.reply), package_of(expected), package_of(source)
    assert ours.headers.request_hash == theirs.headers.request_hash
    assert HASH.sub(b"", ours.raw) == HASH.sub(b"", given.raw), ANSWER_BYTES
    assert document(ours.raw) == document(theirs.raw), ANSWER_BYTES
    content_type = expected.header("content-type")
    assert with_sorted_heads(exchange.reply.body.replace(ours.raw, b""), content_type) == with_sorted_heads(
        expected.body.replace(theirs.raw, b""), content_type
    ), PART_HEADERS


@pytest.mark.parametrize("name", CASES)
async def test_what_is_signed_is_what_the_reference_signs(recorded: Recorded, name: str) -> None:
    exchange = await recorded.exchange(name)
    recording = exchange.recording("transport", "request")
    if recording is None:
        return
    records = records_of(recorded.server_of(exchange.facts), exchange.facts["message_id"])
    request = decoded(recording, Side.REQUEST)
    assert records[0].message == request.raw
    assert [body.digest for body in records[0].bodies] == [each.body.digest.value for each in request.attachments]
    answered = exchange.facts["outcome"] == "success"
    assert [record.is_response for record in records] == [False, True][: 1 + answered]
    recording = exchange.recording("transport", "response")
    if answered and recording is not None:
        response = decoded(recording, Side.RESPONSE)
        assert document(records[1].message) == document(response.raw)
        assert [body.digest for body in records[1].bodies] == [each.body.digest.value for each in response.attachments]
