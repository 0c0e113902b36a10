"""A tax registry with few persons and a clock that stands still; and the requests a security server sends it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

import httpx
from lxml import etree
from sqlalchemy import select

from gateway.runtime.clock import FixedClock
from gateway.runtime.database import Database
from gateway.xroad.identifiers import ClientId, MemberId, ServiceId, SubsystemId
from gateway.xroad.soap.envelope import build_envelope
from gateway.xroad.soap.faults import parse_fault
from gateway.xroad.soap.headers import SoapHeaders
from gateway.xroad.xml import NS_SOAP11
from registry_adapters.sdk.access_log import ACCESS_LOG
from registry_adapters.sdk.context import CONTEXT_NS
from registry_adapters.sdk.fields import from_json
from registry_adapters.sdk.fields_xml import from_xml, to_xml
from registry_adapters.sdk.registry import Registry
from registry_adapters.settings import TaxSettings
from registry_adapters.tax.registry import declare

NOW: Final = datetime(2026, 2, 10, 9, tzinfo=UTC)
FEW: Final = TaxSettings(persons=1500)
SNAP: Final = SubsystemId(MemberId("UA-DEMO", "GOV", "10000001"), "SNAP")
CROSS_CHECK: Final = SubsystemId(MemberId("UA-DEMO", "GOV", "10000007"), "CROSS-CHECK")
INVESTIGATOR: Final = SubsystemId(MemberId("UA-DEMO", "GOV", "10000002"), "DEMOGRAPHIC")
TAX: Final = SubsystemId(MemberId("UA-DEMO", "GOV", "10000004"), "TAX")
PURPOSES: Final = {SNAP: "HOUSING-SUBSIDY", CROSS_CHECK: "CROSS-CHECK", INVESTIGATOR: "INVESTIGATION"}


@dataclass
class TaxOffice:
    """A served tax registry with what it stands on."""

    url: str
    database: Database
    clock: FixedClock
    registry: Registry = field(default_factory=lambda: declare(FEW))
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def looks(self) -> list[dict[str, Any]]:
        """The access log, oldest first."""
        with self.database.reading() as connection:
            return [dict(row._mapping) for row in connection.execute(select(ACCESS_LOG).order_by(ACCESS_LOG.c.id))]


@dataclass(frozen=True)
class Asker:
    """An information system that asks through its security server."""

    office: TaxOffice
    http: httpx.Client
    client: ClientId = INVESTIGATOR
    purpose: str = "INVESTIGATION"
    user_id: str | None = "clerk"

    def rest(self, operation: str, message_id: str | None = None, **fields: Any) -> httpx.Response:
        """Ask by REST; `fields` fill the path, then the query or the body."""
        route = next(route for route in self.office.registry.rest.routes if route.operation.name == operation)
        path = route.path
        for name in route.path_parameters:
            path = path.replace(f"{{{name}}}", quote(str(fields.pop(name)), safe=""))
        headers = {"X-Road-Client": str(self.client), "X-Road-Id": message_id or self._next_id()}
        headers |= {"X-Road-UserId": self.user_id} if self.user_id else {}
        headers |= {"Uxp-Purpose-Ids": self.purpose} if self.purpose else {}
        if route.method == "POST":
            return self.http.post(path, json=fields, headers=headers)
        return self.http.get(path, params=fields, headers=headers)

    def soap(self, operation: str, asked: Any, message_id: str | None = None) -> httpx.Response:
        """Ask by SOAP."""
        body = etree.tostring(to_xml(asked, operation, self.office.registry.soap.namespace))
        service = ServiceId(TAX, operation, "v1")
        headers = SoapHeaders(self.client, service, message_id or self._next_id(), user_id=self.user_id)
        purpose = f'<c:purposeIds xmlns:c="{CONTEXT_NS}">{self.purpose}</c:purposeIds></SOAP-ENV:Header>'
        raw = build_envelope(headers, body).replace(b"</SOAP-ENV:Header>", purpose.encode())
        return self.http.post("/soap", content=raw, headers={"Content-Type": "text/xml; charset=UTF-8"})

    def by_rest(self, operation: str, message_id: str | None = None, **fields: Any) -> Any:
        """Return the answer to a REST request as a record."""
        return self.read(operation, self.rest(operation, message_id, **fields))

    def by_soap(self, operation: str, asked: Any, message_id: str | None = None) -> Any:
        """Return the answer to a SOAP request as a record."""
        return self.read(operation, self.soap(operation, asked, message_id))

    def read(self, operation: str, response: httpx.Response) -> Any:
        """Return an answer of either form as a record."""
        assert response.status_code == 200, response.text
        answer = self.office.registry.soap.operations[operation].response
        if not response.headers["content-type"].startswith("text/xml"):
            return from_json(answer, response.json())
        body = etree.fromstring(response.content).find(f"{{{NS_SOAP11}}}Body/*")
        assert body is not None
        return from_xml(answer, body)

    def _next_id(self) -> str:
        return f"m-{next(self.office.numbers)}"


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Return status and name of a refusal, in either form."""
    if response.headers["content-type"].startswith("text/xml"):
        return response.status_code, parse_fault(response.content).code.rpartition(".")[2]
    problem: Mapping[str, str] = response.json()
    return response.status_code, problem["type"].rpartition(":")[2]
