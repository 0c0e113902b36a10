"""Contract tests made of a registry's declarations: what any asker may rely on, tried for real.

    def test_what_the_registry_declares_holds():
        assert [str(result) for result in check_registry(registry) if result.problems] == []

The registry is built over a database of its own that lives for the length of the test, and asked through
both its forms as a security server asks. What is asked are the samples of an operation: a lookup's come
from its source, others are given by `sampled`, or made of the examples in the declarations
(`contract_questions`).
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.util
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final
from urllib.parse import quote, urlencode

import httpx
from lxml import etree

from gateway.runtime.database import open_database
from gateway.xroad.faults import XRoadFault
from gateway.xroad.identifiers import ClientId, MemberId, ServiceId, SubsystemId, encode_path
from gateway.xroad.soap.envelope import build_envelope
from gateway.xroad.soap.faults import parse_fault
from gateway.xroad.soap.headers import SoapHeaders
from gateway.xroad.xml import NS_SOAP11, parse_xml
from registry_adapters.sdk.conformance import body_problems, json_problems, openapi_problems, schema_of, wsdl_problems
from registry_adapters.sdk.context import CONTEXT_NS
from registry_adapters.sdk.contract_questions import (
    Samples,
    can_carry,
    element_of,
    flawed,
    sampled,
    samples_of,
    shown,
)
from registry_adapters.sdk.errors import RegistryError
from registry_adapters.sdk.fields import from_json, to_json
from registry_adapters.sdk.fields_xml import from_xml, to_xml
from registry_adapters.sdk.operations import Operation
from registry_adapters.sdk.purposes import ANY_PURPOSE
from registry_adapters.sdk.registry import Registry, build, prepare
from registry_adapters.sdk.rest_service import Route
from registry_adapters.settings import RegistrySettings

__all__ = ["Result", "check_registry", "sampled"]

INSTANCE: Final = "CONTRACT"
ASKER: Final = SubsystemId(MemberId(INSTANCE, "GOV", "10000001"), "SNAP")
PROVIDER: Final = SubsystemId(MemberId(INSTANCE, "GOV", "10000002"), "REGISTRY")
PERSONS: Final = 100  # of the synthetic data the registry is filled with


@dataclass(frozen=True, slots=True)
class Result:
    """One check with what it found wrong; `tried` says of how much, `skipped` why not."""

    check: str
    subject: str
    problems: tuple[str, ...] = ()
    tried: int = 1
    skipped: str = ""

    def __str__(self) -> str:
        return f"{self.subject}: {self.check}: {'; '.join(self.problems) or self.skipped or 'ok'}"


def check_registry(registry: Registry, settings: RegistrySettings | None = None) -> list[Result]:
    """Run every contract test of a registry and return what came out, in the order of the declarations."""
    with tempfile.TemporaryDirectory(prefix="surma-contract-") as folder:
        chosen = dataclasses.replace(
            settings or RegistrySettings(), persons=PERSONS, database_url="", security_servers=(), public_url=""
        )
        database = open_database(f"sqlite:///{folder}/{registry.name}.db")
        try:
            prepare(registry, database, chosen)
            return asyncio.run(_check(registry, httpx.ASGITransport(build(registry, database, chosen))))
        finally:
            database.close()


async def _check(registry: Registry, transport: httpx.AsyncBaseTransport) -> list[Result]:
    async with httpx.AsyncClient(transport=transport, base_url="http://registry") as http:
        wsdl = (await http.get("/wsdl")).content
        openapi = (await http.get("/openapi.json")).json()
        health = (await http.get("/health")).status_code
        results = [
            Result("health", registry.name, () if health == 200 else (f"status {health}",)),
            Result("WSDL is right", registry.name, tuple(wsdl_problems(wsdl))),
            _loaded(registry.name, wsdl),
            Result("OpenAPI is right", registry.name, tuple(openapi_problems(openapi))),
        ]
        if any(result.problems for result in results):
            return results
        schema = schema_of(parse_xml(wsdl))
        asker = _Asker(registry, http, schema, openapi)
        for operation in registry.soap.operations.values():
            results += await asker.check(operation)
        return results


def _loaded(name: str, wsdl: bytes) -> Result:
    """Load the WSDL with zeep, an independent client, where it is installed."""
    check = "zeep loads the WSDL"
    if importlib.util.find_spec("zeep") is None:
        return Result(check, name, skipped="zeep is not installed")
    from zeep.wsdl import Document

    try:
        Document(BytesIO(wsdl), _NoNetwork())  # type: ignore[arg-type]
    except Exception as cause:  # whatever it raises is the result
        return Result(check, name, (str(cause)[:300],))
    return Result(check, name)


class _NoNetwork:
    """zeep's transport for a description that has everything inline."""

    def load(self, url: str) -> bytes:
        raise OSError(f"{url} is not to be loaded")


@dataclass(slots=True)
class _Asker:
    """Asks a registry in both forms."""

    registry: Registry
    http: httpx.AsyncClient
    schema: etree.XMLSchema | None
    openapi: dict[str, Any]
    asked: int = field(default=0)

    async def check(self, operation: Operation) -> list[Result]:
        """Return what is wrong with one operation."""
        samples = samples_of(operation)
        routes = [route for route in self.registry.rest.routes if route.operation.name == operation.name]
        if not samples.requests:
            reason = "there is no question to try: give one with @sampled(...), or examples in the declarations"
            return [Result("both forms answer alike", operation.name, skipped=reason)]
        return [
            await self._answers(operation, routes, samples),
            await self._refusals(operation, routes, samples.requests[0]),
            await self._without_purpose(operation, routes, samples.requests[0]),
        ]

    async def _answers(self, operation: Operation, routes: Sequence[Route], samples: Samples) -> Result:
        problems: list[str] = []
        tried = 0
        for request in samples.requests:
            answers = []
            for form, reply in await self._replies(operation, routes, request):
                tried += 1
                try:
                    answers.append(self._read(operation, form, reply))
                except _UnfitError as cause:
                    problems.append(f"{form}: {cause}")
            if samples.repeatable and any(answer != answers[0] for answer in answers[1:]):
                problems.append("the forms answer differently")
        return Result("both forms answer alike", operation.name, tuple(dict.fromkeys(problems)), tried)

    async def _replies(
        self, operation: Operation, routes: Sequence[Route], request: Any
    ) -> list[tuple[str, httpx.Response]]:
        replies = [("SOAP", await self._soap(operation, to_xml(request, operation.name, self.registry.soap.namespace)))]
        for route in routes:
            if can_carry(route, to_json(request)):  # another form may ask for less
                replies.append((f"{route.method} {route.path}", await self._rest(route, to_json(request))))
        return replies

    def _read(self, operation: Operation, form: str, reply: httpx.Response) -> Any:
        """Return the record of an answer that is as described."""
        if reply.status_code != 200:
            raise _UnfitError(f"{reply.status_code} {_refusal(form, reply)}")
        try:
            if form == "SOAP":
                body = parse_xml(reply.content).find(f"{{{NS_SOAP11}}}Body/*")
                problems = body_problems(body, self.schema) if body is not None and self.schema else ["no body"]
                if problems:
                    raise _UnfitError("; ".join(problems))
                return from_xml(operation.response, body)  # type: ignore[arg-type]
            method, _, path = form.partition(" ")
            described = self.openapi["paths"][path][method.lower()]["responses"]["200"]["content"]
            problems = json_problems(reply.json(), described["application/json"]["schema"], self.openapi)
            if problems:
                raise _UnfitError("; ".join(problems))
            return from_json(operation.response, reply.json())
        except (RegistryError, XRoadFault, ValueError) as cause:
            raise _UnfitError(str(cause)) from cause

    async def _refusals(self, operation: Operation, routes: Sequence[Route], request: Any) -> Result:
        problems: list[str] = []
        tried = 0
        for flaw, expected, data in flawed(operation, request):
            body = element_of(operation, self.registry.soap.namespace, data)
            replies = [("SOAP", await self._soap(operation, body))]
            for route in routes:
                if can_carry(route, data):
                    replies.append((f"{route.method} {route.path}", await self._rest(route, data)))
            for form, reply in replies:
                tried += 1
                refusal = _refusal(form, reply)
                if refusal != expected:
                    problems.append(f"{form}: {flaw} gave {refusal or reply.status_code}, not {expected}")
        return Result("wrong questions are refused alike", operation.name, tuple(problems), tried)

    async def _without_purpose(self, operation: Operation, routes: Sequence[Route], request: Any) -> Result:
        check = "unknown purpose is refused"
        if self.registry.rules is None:
            return Result(check, operation.name, skipped="the registry declares no purposes")
        if ANY_PURPOSE in self.registry.rules.by_id:
            return Result(check, operation.name, skipped="the registry takes any purpose")
        problems = []
        body = to_xml(request, operation.name, self.registry.soap.namespace)
        replies = [("SOAP", await self._soap(operation, body, purpose="NO-SUCH-PURPOSE"))]
        for route in routes:
            if can_carry(route, to_json(request)):
                reply = await self._rest(route, to_json(request), purpose="NO-SUCH-PURPOSE")
                replies.append((f"{route.method} {route.path}", reply))
        for form, reply in replies:
            if _refusal(form, reply) != "purpose_unknown":
                problems.append(f"{form}: {_refusal(form, reply) or reply.status_code}")
        return Result(check, operation.name, tuple(problems), len(replies))

    def _reason(self, operation: Operation, purpose: str | None) -> tuple[ClientId, str]:
        """Return a client and a purpose that may ask: the first that the rules allow."""
        rules = self.registry.rules
        if purpose is None and rules is not None:
            for declared in rules.by_id.values():
                if operation.name in declared.operations and declared.id != ANY_PURPOSE:
                    client = next(iter(sorted(declared.clients)), "")
                    return _client(client) if client else ASKER, declared.id
        return ASKER, purpose or ""

    def _next_id(self) -> str:
        self.asked += 1
        return f"contract-{self.asked}"

    async def _soap(self, operation: Operation, body: etree._Element, purpose: str | None = None) -> httpx.Response:
        client, purpose = self._reason(operation, purpose)
        service = ServiceId(PROVIDER, operation.name, self.registry.version)
        headers = SoapHeaders(client, service, self._next_id(), user_id="contract", issue="contract")
        envelope = parse_xml(build_envelope(headers, etree.tostring(body)))
        header = envelope.find(f"{{{NS_SOAP11}}}Header")
        if purpose and header is not None:
            etree.SubElement(header, f"{{{CONTEXT_NS}}}purposeIds").text = purpose
        sent = {"Content-Type": "text/xml; charset=UTF-8"}
        return await self.http.post("/soap", content=etree.tostring(envelope, encoding="UTF-8"), headers=sent)

    async def _rest(self, route: Route, data: dict[str, Any], purpose: str | None = None) -> httpx.Response:
        client, purpose = self._reason(route.operation, purpose)
        headers = {"X-Road-Client": encode_path(client), "X-Road-Id": self._next_id(), "X-Road-UserId": "contract"}
        if purpose:
            headers["Uxp-Purpose-Ids"] = quote(purpose)
        path, rest = route.path, dict(data)
        for name in route.path_parameters:
            path = path.replace(f"{{{name}}}", quote(shown(rest.pop(name)), safe=""))
        if route.has_body:
            headers["Content-Type"] = "application/json"
            return await self.http.request(route.method, path, headers=headers, content=json.dumps(rest))
        pairs = [
            (name, shown(one)) for name, held in rest.items() for one in (held if isinstance(held, list) else [held])
        ]
        return await self.http.request(route.method, f"{path}?{urlencode(pairs)}" if pairs else path, headers=headers)


class _UnfitError(Exception):
    """An answer that is not as described."""


def _client(text: str) -> SubsystemId:
    member_class, member_code, subsystem = text.split("/")
    return SubsystemId(MemberId(INSTANCE, member_class, member_code), subsystem)


def _refusal(form: str, reply: httpx.Response) -> str:
    """Return the name of the refusal in an answer; empty when it is none."""
    try:
        if form == "SOAP":
            return parse_fault(reply.content).code.rpartition(".")[2]
        return str(reply.json().get("type", "")).rpartition(":")[2] if reply.status_code >= 400 else ""
    except (XRoadFault, ValueError, AttributeError):
        return ""
