"""The tour that `surma demo --check` makes once: ask, keep evidence, verify it offline, refuse a tampered copy.

It uses what any stranger has: HTTP, and `surma verify` as a program of its own.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

import httpx

from gateway.landscape.description import Landscape, Service
from gateway.runtime.settings import SettingsError

TIMEOUT_S: Final = 60.0
PERSON: Final = "19910824-00026"  # a synthetic person that every demographic registry of the demo has
NAMESPACE: Final = "https://surma.example/registries/demographic/v1"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call of the tour and how it ended: an HTTP status, and a fault code if it was one."""

    service: str
    query_id: str
    status: int
    fault: str | None
    ms: float
    ok: bool

    @property
    def outcome(self) -> str:
        """The fault, else the status."""
        return self.fault or str(self.status)


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """One container that was downloaded, and what `surma verify` said of it."""

    file: str
    side: str
    verdict: str


@dataclass(slots=True)
class TourResult:
    """What the tour saw."""

    exchanges: list[Exchange] = field(default_factory=list)
    evidence: list[EvidenceFile] = field(default_factory=list)
    tampered_refused: bool = False

    @property
    def ok(self) -> bool:
        """Everything held."""
        return (
            bool(self.exchanges)
            and all(one.ok for one in self.exchanges)
            and len(self.evidence) == 4 * len(self.exchanges)
            and all(one.verdict == "valid" for one in self.evidence)
            and self.tampered_refused
        )


@dataclass(frozen=True, slots=True)
class Tour:
    """The consumer and the services that the tour calls."""

    landscape: Landscape
    client: str
    soap: Service
    rest: Service

    @classmethod
    def of(cls, landscape: Landscape) -> Tour:
        """Return the tour of the first SOAP and the first REST service that somebody may call. Raises SettingsError."""
        callable_services = [service for service in landscape.service if service.allow]
        soap = next((service for service in callable_services if service.type == "WSDL"), None)
        rest = next((service for service in callable_services if service.type != "WSDL"), None)
        if soap is None or rest is None:
            raise SettingsError("the tour needs a SOAP and a REST service that somebody may call")
        return cls(landscape, soap.allow[0], soap, rest)

    @property
    def consumer_url(self) -> str:
        """Where the consumer's security server takes requests."""
        server = self.landscape.server_of(self.client)
        return f"http://{server.address}:{server.http_port}"

    @property
    def provider_url(self) -> str:
        """Where the provider's security server gives evidence."""
        server = self.landscape.server_of(self.soap.client)
        return f"http://{server.address}:{server.http_port}"

    @property
    def rest_path(self) -> str:
        """The path of the REST service on the consumer's server."""
        return f"/r1/{self.landscape.instance}/{self.rest.client}/{self.rest.code}"

    def envelope(self, query_id: str) -> str:
        """Return the SOAP request for the person of the tour."""
        return "".join(
            (
                '<E:Envelope xmlns:E="http://schemas.xmlsoap.org/soap/envelope/"',
                ' xmlns:xrd="http://x-road.eu/xsd/xroad.xsd" xmlns:id="http://x-road.eu/xsd/identifiers"><E:Header>',
                f'<xrd:client id:objectType="SUBSYSTEM">{self._parts(self.client)}</xrd:client>',
                f'<xrd:service id:objectType="SERVICE">{self._parts(self.soap.client)}',
                "<id:serviceCode>GetPerson</id:serviceCode><id:serviceVersion>v1</id:serviceVersion></xrd:service>",
                f"<xrd:id>{escape(query_id)}</xrd:id><xrd:userId>clerk-1</xrd:userId>",
                "<xrd:protocolVersion>4.0</xrd:protocolVersion></E:Header><E:Body>",
                f'<d:GetPerson xmlns:d="{NAMESPACE}"><d:unzr>{PERSON}</d:unzr></d:GetPerson>',
                "</E:Body></E:Envelope>",
            )
        )

    def _parts(self, client: str) -> str:
        names = ("xRoadInstance", "memberClass", "memberCode", "subsystemCode")
        values = (self.landscape.instance, *client.split("/"))
        return "".join(f"<id:{name}>{escape(value)}</id:{name}>" for name, value in zip(names, values, strict=True))

    def curl_lines(self) -> list[str]:
        """Return lines to paste: SOAP, REST, evidence."""
        soap = (
            f"curl -s -H 'Content-Type: text/xml; charset=utf-8' -d '{self.envelope('demo-soap')}' {self.consumer_url}/"
        )
        client = f"{self.landscape.instance}/{self.client}"
        rest = (
            f"curl -s -H 'X-Road-Client: {client}' -H 'X-Road-Id: demo-rest' "
            f"'{self.consumer_url}{self.rest_path}/persons?unzr={PERSON}'"
        )
        evidence = f"curl -s -o evidence.zip '{self.consumer_url}/signature?{self._query(self.client, 'demo-rest')}'"
        return [rest, soap, evidence]

    def _query(self, client: str, query_id: str) -> str:
        member_class, member_code, subsystem = client.split("/")
        return (
            f"xRoadInstance={self.landscape.instance}&memberClass={member_class}&memberCode={member_code}"
            f"&subsystemCode={subsystem}&queryId={query_id}"
        )

    async def run(self, directory: Path, history: Path, anchor: Path) -> TourResult:
        """Make the tour; containers are written below `directory`."""
        result = TourResult()
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as http:
            await self._call(http, result)
            for exchange in result.exchanges:
                for side, url, client in (
                    ("consumer", self.consumer_url, self.client),
                    ("provider", self.provider_url, self.soap.client),
                ):
                    files = await self._download(http, f"{url}/signature?{self._query(client, exchange.query_id)}")
                    for name, container in files.items():
                        path = directory / f"{side}-{name}"
                        path.write_bytes(container)
                        verdict = await verdict_of(path, history, anchor)
                        result.evidence.append(EvidenceFile(path.name, side, verdict))
        if result.evidence:
            tampered = directory / "tampered.asice"
            tampered.write_bytes(tamper((directory / result.evidence[0].file).read_bytes()))
            result.tampered_refused = await verdict_of(tampered, history, anchor) == "invalid"
        return result

    async def _call(self, http: httpx.AsyncClient, result: TourResult) -> None:
        client = {"X-Road-Client": f"{self.landscape.instance}/{self.client}"}
        rest = self.consumer_url + self.rest_path
        soap = {"Content-Type": "text/xml; charset=utf-8"}
        soap_name, rest_name = f"{self.soap.client}/GetPerson/v1", f"{self.rest.client}/{self.rest.code}"
        await self._ask(
            http, result, soap_name, "tour-soap",
            method="POST", url=f"{self.consumer_url}/", content=self.envelope("tour-soap").encode(), headers=soap,
        )  # fmt: skip
        await self._ask(
            http, result, rest_name, "tour-get",
            method="GET", url=f"{rest}/persons?unzr={PERSON}", headers={**client, "X-Road-Id": "tour-get"},
        )  # fmt: skip
        await self._ask(
            http, result, rest_name, "tour-post",
            method="POST", url=f"{rest}/persons/search", json={"unzr": PERSON},
            headers={**client, "X-Road-Id": "tour-post"},
        )  # fmt: skip

    async def _ask(
        self, http: httpx.AsyncClient, result: TourResult, service: str, query_id: str, **request: Any
    ) -> None:
        started = time.perf_counter()
        answer = await http.request(**request)
        took_ms = round((time.perf_counter() - started) * 1000, 1)
        fault = answer.headers.get("x-road-error") or _fault_code(answer.text)
        ok = answer.status_code == 200 and fault is None and PERSON in answer.text
        name = f"{self.landscape.instance}/{service}"
        result.exchanges.append(Exchange(name, query_id, answer.status_code, fault, took_ms, ok))

    async def _download(self, http: httpx.AsyncClient, url: str) -> dict[str, bytes]:
        answer = await http.get(url)
        if answer.status_code != 200:
            return {}
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}


def _fault_code(text: str) -> str | None:
    _, begin, rest = text.partition("<faultcode>")
    return rest.partition("</faultcode>")[0] if begin else None


async def verdict_of(container: Path, history: Path, anchor: Path) -> str:
    """Ask `surma verify`, offline: `valid`, `invalid`, or what it said instead."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.cli", "verify", str(container),
        "--history", str(history), "--anchor", str(anchor), "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    verdicts = {0: "valid", 1: "invalid"}
    return verdicts.get(process.returncode or 0) or f"cannot tell: {(errors or output).decode(errors='replace')[-300:]}"


def tamper(container: bytes) -> bytes:
    """Return a copy whose message has one letter changed and is zipped again."""
    source = zipfile.ZipFile(io.BytesIO(container))
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as copy:
        copy.comment = source.comment
        for name in source.namelist():
            data = source.read(name)
            if name == "message.xml":
                data = data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]
            copy.writestr(name, data)
    return target.getvalue()


def as_json(result: TourResult, ready_s: float, first_answer_s: float, rss_mb: dict[str, float]) -> str:
    """Return the figures for scripts."""
    return json.dumps(
        {
            "ready_s": round(ready_s, 2),
            "first_answer_s": round(first_answer_s, 2),
            "rss_mb": rss_mb,
            "exchanges": [
                {
                    "service": one.service,
                    **({"status": one.status} if one.fault is None else {"fault": one.fault}),
                    "ms": one.ms,
                }
                for one in result.exchanges
            ],
            "evidence": [{"file": one.file, "side": one.side, "verdict": one.verdict} for one in result.evidence],
            "tampered_refused": result.tampered_refused,
        },
        ensure_ascii=False,
    )
