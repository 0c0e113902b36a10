"""What the ports of information systems tell without a client's name: who exists, and how a service is called.

`/listClients` answers as the reference (X-Road MetadataClientRequestProcessor.java), from the newest
configuration there is, expired or not. `/listSecurityServerClients` and `/wsdl` are Trembita's: the
clients of this server, and the description of one service, fetched by a signed getWsdl in the name of
the server's owner and rewritten for whoever asks. Errors are plain text with an HTTP status.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Final, Protocol
from urllib.parse import parse_qs

from gateway.consumer.deps import ConsumerDeps
from gateway.consumer.soap import exchange_soap
from gateway.exchange.faults import FaultStyle, Origin, render_fault
from gateway.exchange.outcome import let_go, observe
from gateway.exchange.refused import RefusedCall, record_refusal
from gateway.exchange.requests import InboundRequest, OutboundResponse, Timeline
from gateway.messagelog.model import Side
from gateway.runtime.texts import choose_language
from gateway.serverconf.model import ClientStatus, ServerConf
from gateway.xroad.bodies import BytesSink
from gateway.xroad.faults import (
    AccessRefused,
    ConfigurationUnusable,
    MalformedMessage,
    Party,
    RemoteFault,
    Spelling,
    XRoadFault,
    blame,
    spell,
)
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.identifiers import ClientId, MemberId, ServiceId, SubsystemId
from gateway.xroad.metadata.clients import (
    JSON_TYPE,
    XML_TYPE,
    ListedClient,
    accepts_json,
    build_client_list_json,
    build_client_list_xml,
    clients_of,
    describe,
)
from gateway.xroad.metadata.soap import GET_WSDL, build_get_wsdl, wsdl_of
from gateway.xroad.metadata.wsdl import caller_address, rewrite_for_callers
from gateway.xroad.soap.faults import remote_fault_of
from gateway.xroad.soap.headers import SoapHeaders
from gateway.xroad.soap.message import TEXT_XML_UTF8, SoapFault, SoapMessage
from gateway.xroad.soap.package import PackageReader

LIST_CLIENTS: Final = "/listClients"
LIST_SERVER_CLIENTS: Final = "/listSecurityServerClients"
WSDL: Final = "/wsdl"
METHOD: Final = "GET"  # with any other one these paths are SOAP, as all paths are
_REQUIRED: Final = ("xRoadInstance", "memberClass", "memberCode", "serviceCode")
_NOT_THERE: Final = frozenset({"unknown_member", "unknown_service", "service_type", "invalid_security_server"})


class NewestConfiguration(Protocol):
    """The configuration client as far as lists ask it."""

    def latest(self) -> GlobalConf:
        """Return the configuration, expired or not. Raises ConfigurationUnusable when there is none."""
        ...


class Catalogue:
    """The handler of the three paths."""

    paths: Final = frozenset({LIST_CLIENTS, LIST_SERVER_CLIENTS, WSDL})

    def __init__(self, deps: ConsumerDeps, configuration: NewestConfiguration) -> None:
        self._deps = deps
        self._configuration = configuration

    def takes(self, method: str, path: str) -> bool:
        """Tell whether a request is one for the catalogue."""
        return method == METHOD and path in self.paths

    async def answer(self, path: str, request: InboundRequest) -> OutboundResponse:
        """Answer a GET; every refusal says who must do what."""
        query = read_query(request.target.partition("?")[2])
        timeline = Timeline(self._deps.clock.now_ms())
        try:
            if path == LIST_CLIENTS:
                globalconf = self._configuration.latest()
                return _client_list(clients_of(globalconf, query.get("xRoadInstance") or globalconf.instance), request)
            if path == LIST_SERVER_CLIENTS:
                return _client_list(self._own_clients(), request)
            return await self._wsdl(query, request, timeline)
        except Exception as failure:  # the edge: every failure is answered
            refusal = await self._refusal(failure, request, timeline)
            let_go(failure)
            return refusal

    def _own_clients(self) -> list[ListedClient]:
        conf, globalconf = self._deps.registrations.current(), self._configuration.latest()
        owner: ClientId = owner_of(conf)
        others = [c.id for c in conf.clients.values() if c.status is ClientStatus.REGISTERED and c.id != owner]
        return [describe(client, globalconf) for client in (owner, *others)]

    async def _wsdl(self, query: dict[str, str], request: InboundRequest, timeline: Timeline) -> OutboundResponse:
        with blame(Party.CLIENT):
            wanted = read_service(query)
            address = caller_address(request.header("host"), is_tls=request.is_tls)
            owner = owner_of(self._deps.registrations.current())
            headers = SoapHeaders(owner, ServiceId(wanted.provider, GET_WSDL), request.id)
            question = build_get_wsdl(headers, wanted)
        document = await self._fetch(question, request.id, timeline)
        with blame(Party.SERVICE):
            body = await asyncio.to_thread(
                rewrite_for_callers, document, wanted.service_code, wanted.service_version, address
            )
        return OutboundResponse(200, (("Content-Type", XML_TYPE),), body, len(body))

    async def _fetch(self, question: bytes, request_id: str, timeline: Timeline) -> bytes:
        """Ask the provider's security server, as an information system of this server's owner would."""
        headers = (("Content-Type", TEXT_XML_UTF8),)
        internal = self._deps.internal_certificate
        request = InboundRequest("POST", "/", headers, _once(question), internal, True, request_id)
        error: Exception | None = None
        try:
            answer = await exchange_soap(request, self._deps, timeline)
        except Exception as failure:
            error = failure
            raise
        finally:
            timeline.response_out_ms = self._deps.clock.now_ms()
            observe(Origin.CONSUMER, request_id, timeline, error)
        with blame(Party.SERVICE):
            return wsdl_of(read_answer(answer))

    async def _refusal(self, failure: Exception, request: InboundRequest, timeline: Timeline) -> OutboundResponse:
        language = choose_language(request.header("accept-language"), self._deps.style.language)
        fault = render_fault(failure, Origin.CONSUMER, FaultStyle(self._deps.style.spelling, language), request.id)
        if timeline.message is not None:  # an exchange had begun
            call = RefusedCall(Side.CONSUMER, request.id, timeline, self._deps.clock.now_ms())
            await record_refusal(self._deps.message_log, fault, call)
        body = f"{fault.code}: {fault.text}".encode("utf-8", "replace")
        headers = (("Content-Type", "text/plain; charset=utf-8"),)
        return OutboundResponse(status_of(failure), headers, body, len(body))


def read_query(query: str) -> dict[str, str]:
    """Return the parameters of a query; of several with one name the last counts."""
    return {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}


def read_service(query: dict[str, str]) -> ServiceId:
    """Return the service that `/wsdl` is asked for; its version is `serviceVersion`, or `version` as of old.

    Raises MalformedMessage (invalid_request).
    """
    for name in _REQUIRED:
        if not query.get(name, "").strip():
            raise MalformedMessage("invalid_request", "catalogue.missing_parameter", name=name)
    versions = {version for name in ("serviceVersion", "version") if (version := query.get(name, "").strip())}
    if len(versions) > 1:
        raise MalformedMessage("invalid_request", "catalogue.two_versions")
    member = MemberId(query["xRoadInstance"], query["memberClass"], query["memberCode"])
    subsystem = query.get("subsystemCode", "")
    provider: ClientId = SubsystemId(member, subsystem) if subsystem.strip() else member
    return ServiceId(provider, query["serviceCode"], next(iter(versions), None))


def read_answer(answer: OutboundResponse) -> SoapMessage:
    """Return the SOAP message that an exchange answered with, its attachments in memory."""
    content_type = next((value for name, value in answer.headers if name.lower() == "content-type"), None)
    reader = PackageReader(content_type, open_sink=BytesSink)
    for chunk in [answer.body] if isinstance(answer.body, bytes) else answer.body:
        reader.feed(chunk)
    message = reader.finish()
    if isinstance(message, SoapFault):
        raise remote_fault_of(message)
    return message


def owner_of(conf: ServerConf) -> MemberId:
    """Return who owns this server. Raises ConfigurationUnusable before it was initialised."""
    if conf.server is None:
        raise ConfigurationUnusable("malformed_server_conf", "catalogue.not_initialised")
    return conf.server.owner


def status_of(failure: Exception) -> int:
    """Return the HTTP status of a refusal: what is not there, what was asked wrongly, what failed."""
    if isinstance(failure, RemoteFault):
        leaf = spell(failure.code, Spelling.SNAKE_CASE).rpartition(".")[2]
        return 404 if leaf in _NOT_THERE else 502
    if isinstance(failure, AccessRefused):
        return 404
    return 400 if isinstance(failure, XRoadFault) and failure.party is Party.CLIENT else 500


def _client_list(clients: Iterable[ListedClient], request: InboundRequest) -> OutboundResponse:
    if accepts_json(value for name, value in request.headers if name.lower() == "accept"):
        body, content_type = build_client_list_json(clients), JSON_TYPE
    else:
        body, content_type = build_client_list_xml(clients), XML_TYPE
    return OutboundResponse(200, (("Content-Type", content_type),), body, len(body))


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
