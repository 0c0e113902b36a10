"""A registry in the place of ours: it answers what a test wants, and knows how often it was asked."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.landscape.description import Landscape, Member, Registry, ServerClient, Service
from tests.scenarios.asking import NAMESPACE
from tests.scenarios.wire import Answer, WireRequest, WireServer, http_answer

PORT = 8090


@dataclass
class StandIn:
    """The registry behind the services `ask`, `askSecretly`, `things` and `closed`."""

    server: WireServer

    @classmethod
    async def at(cls, registry: Registry) -> StandIn:
        """Start one."""
        stand_in = cls(WireServer(registry.address, registry.port, truthful))
        await stand_in.server.start()
        return stand_in

    @property
    def asked(self) -> list[WireRequest]:
        """Every question so far, downloads of its description left out."""
        return [request for request in self.server.requests if not request.target.startswith("/wsdl")]

    @contextmanager
    def answering(self, answer: Answer | bytes) -> Iterator[None]:
        """Answer otherwise for a while."""
        before = self.server.answer
        self.server.answer = answer if callable(answer) else lambda _: answer
        try:
            yield
        finally:
            self.server.answer = before


def truthful(request: WireRequest) -> bytes:
    """Answer as a well-made registry does."""
    if request.target.startswith("/wsdl"):
        return http_answer(_wsdl("askSecretly" if "closed" in request.target else "ask"))
    if request.target == "/soap":
        return http_answer(soap_answer(request.body))
    echo = {"method": request.method, "target": request.target, "body": request.body.decode("latin-1")}
    return http_answer(json.dumps(echo).encode(), "application/json")


def soap_answer(request: bytes) -> bytes:
    """Return the right answer to a SOAP question: its header, and a body of the response's name."""
    return request.replace(b"<s:ask ", b"<s:askResponse ").replace(b"</s:ask>", b"</s:askResponse>")


def _wsdl(operation: str) -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:xrd="http://x-road.eu/xsd/xroad.xsd" xmlns:s="{NAMESPACE}" targetNamespace="{NAMESPACE}">
  <wsdl:portType name="port"><wsdl:operation name="{operation}"/></wsdl:portType>
  <wsdl:binding name="binding" type="s:port">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsdl:operation name="{operation}"><xrd:version>v1</xrd:version></wsdl:operation>
  </wsdl:binding>
  <wsdl:service name="service">
    <wsdl:port name="port" binding="s:binding"><soap:address location="http://example.org/"/></wsdl:port>
  </wsdl:service>
</wsdl:definitions>""".encode()


def extended(landscape: Landscape) -> Landscape:
    """Add to the demo's landscape what the scenarios need: clients of each connection type, a visitor, the stand-in."""
    snap, provider = landscape.server
    demographic = landscape.registry[0]
    network = demographic.address.rpartition(".")[0]
    asks, standin = ("GOV/10000001/SNAP", "GOV/10000001/MUTUAL", "GOV/10000001/ENCRYPTED"), "GOV/10000002/STANDIN"
    allow = (*asks, "GOV/10000003/VISITOR")
    more = {"GOV/10000001": ("MUTUAL", "ENCRYPTED"), "GOV/10000002": ("STANDIN",)}
    members = [
        dataclasses.replace(member, subsystems=(*member.subsystems, *more.get(member.id, ())))
        for member in landscape.member
    ]
    clients = (ServerClient("GOV/10000001/MUTUAL", "HTTPS"), ServerClient("GOV/10000001/ENCRYPTED", "HTTPS_NO_AUTH"))
    return dataclasses.replace(
        landscape,
        member=(*members, Member("GOV/10000003", "Visitor", ("VISITOR",))),
        server=(
            dataclasses.replace(snap, client=(*snap.client, *clients)),
            dataclasses.replace(provider, client=(*provider.client, ServerClient(standin))),
        ),
        registry=(*landscape.registry, Registry("stand-in", f"{network}.3", PORT)),
        service=(
            *landscape.service,
            Service(standin, "WSDL", "stand-in", "/wsdl", "/soap", allow=allow),
            Service(standin, "WSDL", "stand-in", "/wsdl/closed", "/soap"),
            Service(standin, "REST", "stand-in", "", "/things", "things", allow),
            Service(standin, "REST", "stand-in", "", "/closed", "closed"),
        ),
    )
