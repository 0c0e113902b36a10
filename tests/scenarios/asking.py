"""Ask as an information system does, and read what came back."""

from __future__ import annotations

import itertools
import re
import ssl
from dataclasses import dataclass
from html import unescape
from typing import Any, Final

import httpx

from gateway.main import Gateway
from gateway.xroad.identifiers import ClientId, MemberId, ServiceId, SubsystemId
from gateway.xroad.soap.envelope import build_envelope
from gateway.xroad.soap.headers import SoapHeaders
from tests.landscape import Federation

INSTANCE: Final = "UA-DEMO"
OWNER: Final = MemberId(INSTANCE, "GOV", "10000001")
PROVIDER_MEMBER: Final = MemberId(INSTANCE, "GOV", "10000002")
VISITOR_MEMBER: Final = MemberId(INSTANCE, "GOV", "10000003")
SNAP: Final = SubsystemId(OWNER, "SNAP")
MUTUAL: Final = SubsystemId(OWNER, "MUTUAL")
ENCRYPTED: Final = SubsystemId(OWNER, "ENCRYPTED")
DEMOGRAPHIC: Final = SubsystemId(PROVIDER_MEMBER, "DEMOGRAPHIC")
STANDIN: Final = SubsystemId(PROVIDER_MEMBER, "STANDIN")
VISITOR: Final = SubsystemId(VISITOR_MEMBER, "VISITOR")
PERSON: Final = "19910824-00026"
PERSON_NAMESPACE: Final = "https://surma.example/registries/demographic/v1"
NAMESPACE: Final = "http://stand-in.test"
SOAP_TYPE: Final = "text/xml; charset=UTF-8"

ASK: Final = ServiceId(STANDIN, "ask", "v1")
CLOSED: Final = ServiceId(STANDIN, "askSecretly", "v1")
THINGS: Final = ServiceId(STANDIN, "things")
CLOSED_THINGS: Final = ServiceId(STANDIN, "closed")
GET_PERSON: Final = ServiceId(DEMOGRAPHIC, "GetPerson", "v1")
PERSONS: Final = ServiceId(DEMOGRAPHIC, "persons")

_numbers = itertools.count(1)


def new_id() -> str:
    """Return a query id that nobody has used."""
    return f"scenario-{next(_numbers)}"


_TEXT_IDS: Final = re.compile(r"\b(?:http|peers|pki|signature|messagelog|exchange|soap|configuration)\.[a-z_]+\b")


def assert_readable(text: str) -> None:
    """Hold that a sentence for people is one: with no names of sentences, and no gaps in it."""
    assert _TEXT_IDS.search(text) is None, text
    assert "{" not in text, text
    assert ".." not in text, text


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with what matters of it: the fault, if it is one, and its text."""

    status: int
    headers: httpx.Headers
    content: bytes
    code: str | None
    text: str

    @classmethod
    def of(cls, answer: httpx.Response) -> Reply:
        """Read an HTTP answer."""
        found = re.search(rb"<faultcode>(.*?)</faultcode>.*?<faultstring>(.*?)</faultstring>", answer.content, re.S)
        if found is not None:
            code, text = (unescape(part.decode()) for part in found.groups())
        elif "x-road-error" in answer.headers:
            code, text = answer.headers["x-road-error"], answer.json()["message"]
        else:
            code, text = None, ""
        assert_readable(text)
        return cls(answer.status_code, answer.headers, answer.content, code, text)


def envelope(
    service: ServiceId = ASK,
    client: ClientId = SNAP,
    query_id: str | None = None,
    *,
    question: str = "who",
    **headers: Any,
) -> bytes:
    """Return a SOAP request of the stand-in's service or of another one."""
    head = SoapHeaders(client, service, query_id or new_id(), user_id="clerk-1", **headers)
    code = service.service_code
    body = f'<s:{code} xmlns:s="{NAMESPACE}"><s:question>{question}</s:question></s:{code}>'
    if service == GET_PERSON:
        body = f'<d:GetPerson xmlns:d="{PERSON_NAMESPACE}"><d:unzr>{PERSON}</d:unzr></d:GetPerson>'
    return build_envelope(head, body.encode())


@dataclass(frozen=True, slots=True)
class InformationSystem:
    """Asks one security server; by TLS with `certificate` (PEM paths) where it is told so."""

    federation: Federation
    gateway: Gateway
    tls: bool = False
    certificate: tuple[str, str] | None = None

    def _open(self) -> httpx.AsyncClient:
        url = self.federation.url_of(self.gateway, tls=self.tls)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the gateway's own is self-signed; who asks here is what matters
        if self.certificate is not None:
            context.load_cert_chain(*self.certificate)
        return httpx.AsyncClient(base_url=url, trust_env=False, timeout=60, verify=context)

    async def soap(
        self, content: bytes, content_type: str | None = SOAP_TYPE, *, method: str = "POST", **headers: str
    ) -> Reply:
        """Send a SOAP message as it is."""
        given = {} if content_type is None else {"Content-Type": content_type}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._open() as http:
            return Reply.of(await http.request(method, "/", content=content, headers=given | named))

    async def rest(
        self,
        path: str = "",
        *,
        service: ServiceId = THINGS,
        client: ClientId | None = SNAP,
        query_id: str | None = None,
        method: str = "GET",
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """Call a REST service."""
        provider = service.provider
        assert isinstance(provider, SubsystemId)
        target = "/".join(("/r1", slashes(provider), service.service_code)) + path
        named = {"X-Road-Id": query_id or new_id(), **({} if client is None else {"X-Road-Client": slashes(client)})}
        async with self._open() as http:
            answer = await http.request(method, target, content=content, headers={**named, **(headers or {})})
            return Reply.of(answer)

    async def evidence(self, path: str, client: ClientId, query_id: str, *flags: str) -> Reply:
        """Ask for signed documents."""
        parts = {
            "xRoadInstance": client.member.xroad_instance,
            "memberClass": client.member.member_class,
            "memberCode": client.member.member_code,
            "queryId": query_id,
            **({"subsystemCode": client.subsystem_code} if isinstance(client, SubsystemId) else {}),
            **dict.fromkeys(flags, ""),
        }
        async with self._open() as http:
            return Reply.of(await http.get(path, params=parts))


def slashes(client: ClientId) -> str:
    member = client.member
    words = [member.xroad_instance, member.member_class, member.member_code]
    return "/".join([*words, client.subsystem_code] if isinstance(client, SubsystemId) else words)
