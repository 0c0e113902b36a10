"""A small truthful source of evidence in memory: real signed containers, found by the rules of the ports.

`a_source()` holds exchanges of two members of one server, so that a test can ask for one and look
for traces of the other; `MemorySource.ask` and `.refuse` add more.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.auditing.model import (
    Count,
    Document,
    Entry,
    Exchange,
    Growth,
    Outcome,
    Page,
    Query,
    RefusalEntry,
    Scope,
    SourceStatus,
    Stamping,
)
from gateway.messagelog.chain import refusal_hash
from gateway.messagelog.model import Refusal, RefusalContent, Side
from gateway.runtime.clock import epoch_ms
from gateway.xroad.asic.container import build_container
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.identifiers import ClientId, ServiceId, encode_path
from gateway.xroad.rest.message import RestRequest, RestResponse
from gateway.xroad.soap.message import SoapMessage
from tests.factories.messages import (
    a_member,
    a_rest_request,
    a_rest_response,
    a_service,
    a_soap_message,
    a_soap_response,
    a_subsystem,
    soap_headers,
)
from tests.factories.pki import NOON
from tests.factories.signatures import World, a_world

ALPHA, BETA = a_member("11111111"), a_member("22222222")
ALPHA_DESK, ALPHA_FIELD = a_subsystem("DESK", member=ALPHA), a_subsystem("FIELD", member=ALPHA)
BETA_DESK, BETA_FIELD = a_subsystem("BUREAU", member=BETA), a_subsystem("BRANCH", member=BETA)
STAMP_DELAY = timedelta(seconds=2)


@dataclass
class MemorySource:
    """An EvidenceSource whose entries lie in dictionaries; whatever is added becomes part of one log."""

    name: str = "UA-DEMO/GOV/10000001/SS1"
    world: World = field(default_factory=a_world)
    exchanges: dict[int, Exchange] = field(default_factory=dict)
    entries: dict[int, Entry] = field(default_factory=dict)
    documents: dict[int, Document] = field(default_factory=dict)
    refusals: dict[int, RefusalEntry] = field(default_factory=dict)
    attachments: dict[tuple[int, int], bytes] = field(default_factory=dict)
    last_sequence: int = 0
    indexed_through: int | None = None  # None: everything
    stamping: Stamping | None = None
    growth: Growth | None = None

    # filling it

    def ask(
        self,
        client: ClientId,
        *,
        query_id: str,
        service: ServiceId | None = None,
        side: Side = Side.CONSUMER,
        at: datetime = NOON,
        issue: str | None = None,
        user_id: str | None = None,
        purpose: str | None = None,
        body: bytes | None = None,
        rest: bool = False,
        answered: bool = True,
        stamped: bool = True,
        archive_file: str | None = None,
    ) -> Exchange:
        """Record a call, signed and stamped; with `rest` a POST whose body is an attachment."""
        service = service or a_service()
        request: SoapMessage | RestRequest
        response: SoapMessage | RestResponse
        if rest:
            stated = {"X-Road-Issue": issue, "X-Road-UserId": user_id, "Uxp-Purpose-Ids": purpose}
            sent = tuple((name, value) for name, value in stated.items() if value)
            request = a_rest_request(
                "POST", "/7", client=client, service=service, headers=sent, body=body or b"{}", message_id=query_id
            )
            response = a_rest_response(request)
        else:
            headers = soap_headers(client=client, service=service, id=query_id, issue=issue, user_id=user_id)
            request = a_soap_message(headers, body=body)
            response = a_soap_response(request)
        kept = {"side": side, "at": at, "is_stamped": stamped, "archive_file": archive_file}
        first = self._keep(request, False, client, service, query_id, **kept)  # type: ignore[arg-type]
        second = None
        if answered:
            second = self._keep(response, True, client, service, query_id, **kept)  # type: ignore[arg-type]
        return self._add(
            Exchange(
                id=first,
                time=at,
                side=side,
                party=encode_path(client if side is Side.CONSUMER else service.provider),
                client=encode_path(client),
                provider=encode_path(service.provider),
                service=encode_path(service),
                query_id=query_id,
                x_request_id=_request_id(query_id),
                issue=issue,
                purpose=purpose,
                user_id=user_id,
                outcome=Outcome.ANSWERED if answered else Outcome.OPEN,
                fault_code=None,
                count=1,
                request=first,
                response=second,
                refusal=None,
            )
        )

    def refuse(
        self,
        client: ClientId | None,
        *,
        query_id: str | None = None,
        service: ServiceId | None = None,
        at: datetime = NOON,
        times: int = 1,
        is_failure: bool = False,
        fault_code: str = "server.serverproxy.access_denied",
        text_id: str = "access.denied",
        facts: dict[str, object] | None = None,
        address: str | None = "192.0.2.7",
    ) -> Exchange:
        """Record a refusal at the consumer's side, or many that were counted together."""
        name = None if client is None else encode_path(client)
        service = service or a_service()
        content = RefusalContent(
            time_ms=epoch_ms(at),
            until_ms=epoch_ms(at) + (times - 1) * 10,
            times=times,
            side=Side.CONSUMER,
            is_failure=is_failure,
            fault_code=fault_code,
            text_id=text_id,
            facts=json.dumps({"service": str(service), "client": str(client), **(facts or {})}),
            address=address,
            x_request_id=None if query_id is None else _request_id(query_id),
            query_id=query_id,
            client=name,
            provider=encode_path(service.provider),
            service_code=service.service_code,
            service_version=service.service_version,
            message_digest=None,
        )
        number = self._next()
        found = Refusal(number, content, refusal_hash(content), bytes(64), hashlib.sha512(b"%d" % number).digest())
        self.refusals[number] = RefusalEntry(found, None)
        return self._add(
            Exchange(
                id=number,
                time=at,
                side=Side.CONSUMER,
                party=name or "",
                client=name,
                provider=content.provider,
                service=encode_path(service),
                query_id=query_id,
                x_request_id=content.x_request_id,
                issue=None,
                purpose=None,
                user_id=None,
                outcome=Outcome.FAILED if is_failure else Outcome.REFUSED,
                fault_code=fault_code,
                count=times,
                request=None,
                response=None,
                refusal=number,
            )
        )

    def _keep(
        self,
        message: SoapMessage | RestRequest | RestResponse,
        is_response: bool,
        client: ClientId,
        service: ServiceId,
        query_id: str,
        *,
        side: Side,
        at: datetime,
        is_stamped: bool,
        archive_file: str | None,
    ) -> int:
        number = self._next()
        body = getattr(message, "body", None) if not isinstance(message, SoapMessage) else None
        if body is not None:
            self.attachments[number, 1] = b"".join(body.chunks())
        self.entries[number] = Entry(
            sequence=number,
            time=at,
            side=side,
            is_response=is_response,
            query_id=query_id,
            x_request_id=_request_id(query_id),
            client=client,
            service=service,
            message=message.raw,
            is_whole=True,
            attachments={} if body is None else {1: body.size},
            omitted={},
            stamped_at=at + STAMP_DELAY if is_stamped else None,
            authority="CN=Test TSA" if is_stamped else None,
            archive_file=archive_file,
        )
        kind = "response" if is_response else "request"
        container = self.world.container(message) if is_stamped else self._unstamped(message)
        self.documents[number] = Document(f"{query_id}-{kind}-{number}.asice", container)
        return number

    def _unstamped(self, message: SoapMessage | RestRequest | RestResponse) -> bytes:
        return build_container(message.raw, self.world.sign(message), at=NOON)

    def _next(self) -> int:
        self.last_sequence += 1
        return self.last_sequence

    def _add(self, exchange: Exchange) -> Exchange:
        self.exchanges[exchange.id] = exchange
        return exchange

    # the port

    def search(self, query: Query, scope: Scope, *, before: int | None = None, limit: int = 50) -> Page:
        found = [e for e in self._newest_first(query, scope) if before is None or e.id < before]
        return Page(tuple(found[:limit]), found[limit - 1].id if len(found) > limit else None)

    def count(self, query: Query, scope: Scope, *, at_most: int = 10_000) -> Count:
        number = len(self._newest_first(query, scope))
        return Count(min(number, at_most), number <= at_most)

    def walk(self, query: Query, scope: Scope) -> Iterator[Exchange]:
        yield from reversed(self._newest_first(query, scope))

    def find_exchange(self, exchange_id: int, scope: Scope) -> Exchange | None:
        found = self.exchanges.get(exchange_id)
        return found if found is not None and scope.covers(found.party) else None

    def find_related(self, exchange: Exchange, scope: Scope) -> tuple[Exchange, ...]:
        return tuple(
            other
            for other in self._newest_first(Query(), scope)
            if other.id != exchange.id
            and (
                (exchange.query_id is not None and other.query_id == exchange.query_id)
                or (exchange.x_request_id is not None and other.x_request_id == exchange.x_request_id)
            )
        )

    def find_entry(self, sequence: int, scope: Scope) -> Entry | None:
        entry = self.entries.get(sequence)
        return entry if entry is not None and scope.covers(_party_of(entry)) else None

    def find_refusal(self, sequence: int, scope: Scope) -> RefusalEntry | None:
        found = self.refusals.get(sequence)
        return found if found is not None and scope.covers(_party_claimed(found)) else None

    def read_attachment(self, sequence: int, number: int, scope: Scope) -> bytes | None:
        return None if self.find_entry(sequence, scope) is None else self.attachments.get((sequence, number))

    def find_document(self, sequence: int, scope: Scope) -> Document | None:
        return None if self.find_entry(sequence, scope) is None else self.documents.get(sequence)

    def globalconf_at(self, time: datetime | None) -> GlobalConf:
        return self.world.globalconf

    def status(self) -> SourceStatus:
        return SourceStatus(
            name=self.name,
            first_sequence=min(1, self.last_sequence),
            last_sequence=self.last_sequence,
            indexed_through=self.last_sequence if self.indexed_through is None else self.indexed_through,
            checkpoint_size=None,
            checkpoint_at=None,
            stamping=self.stamping,
            growth=self.growth,
        )

    def _newest_first(self, query: Query, scope: Scope) -> list[Exchange]:
        found = [e for e in self.exchanges.values() if scope.covers(e.party) and is_asked_for(e, query)]
        return sorted(found, key=lambda exchange: -exchange.id)


def is_asked_for(exchange: Exchange, query: Query) -> bool:
    """Whether an exchange meets every condition of a query."""
    exact: tuple[Callable[[], bool], ...] = (
        lambda: query.since is None or exchange.time >= query.since,
        lambda: query.until is None or exchange.time < query.until,
        lambda: query.outcome is None or exchange.outcome is query.outcome,
        lambda: query.side is None or exchange.side is query.side,
        lambda: _is_within(exchange.client, query.client),
        lambda: _is_within(exchange.service, query.service),
    )
    texts = ("query_id", "x_request_id", "issue", "purpose", "user_id", "represented_party", "fault_code")
    return all(condition() for condition in exact) and all(
        _is_text(getattr(exchange, name), getattr(query, name)) for name in texts
    )


def _is_within(value: str | None, wanted: str | None) -> bool:
    return wanted is None or (value is not None and (value == wanted or value.startswith(f"{wanted}/")))


def _is_text(value: str | None, wanted: str | None) -> bool:
    if wanted is None:
        return True
    if value is None:
        return False
    return value.startswith(wanted[:-1]) if wanted.endswith("*") else value == wanted


def _party_of(entry: Entry) -> str:
    return encode_path(entry.client if entry.side is Side.CONSUMER else entry.service.provider)


def _party_claimed(found: RefusalEntry) -> str:
    content = found.refusal.content
    return (content.client if content.side is Side.CONSUMER else content.provider) or ""


def _request_id(query_id: str) -> str:
    return f"{hashlib.sha256(query_id.encode()).hexdigest()[:32]}"


def fill(source: MemorySource, desk: ClientId, branch: ClientId, mark: str, *, at: datetime = NOON) -> MemorySource:
    """Add one exchange of every kind for two subsystems of a member; every text begins with `mark`."""
    minute = timedelta(minutes=1)
    body = f'<d:GetPerson xmlns:d="http://demo.example/dem"><unzr>{mark}-unzr</unzr></d:GetPerson>'.encode()
    source.ask(
        desk, query_id=f"{mark}-soap", at=at, issue=f"{mark}-case-1", user_id=f"{mark}-clerk", purpose="1.2", body=body
    )
    posted = json.dumps({"lastName": f"{mark}-name", "count": 2}).encode()
    source.ask(
        desk,
        query_id=f"{mark}-rest",
        at=at + minute,
        service=a_service("persons"),
        issue=f"{mark}-case-2",
        user_id=f"{mark}-clerk",
        body=posted,
        rest=True,
    )
    source.ask(branch, query_id=f"{mark}-open", at=at + 2 * minute, answered=False, stamped=False)
    source.refuse(desk, query_id=f"{mark}-refused", at=at + 3 * minute, facts={"client": f"{mark}-told"})
    source.refuse(branch, at=at + 4 * minute, times=17, is_failure=True, fault_code="server.clientproxy.network_error")
    own = ServiceId(desk, f"{mark}-registry")
    source.ask(a_subsystem(), query_id=f"{mark}-provided", service=own, side=Side.PROVIDER, at=at + 5 * minute)
    return source


def a_source() -> MemorySource:
    """What one server knows of two members, ALPHA and BETA, and of callers that nobody knows."""
    source = MemorySource()
    fill(source, ALPHA_DESK, ALPHA_FIELD, "alpha")
    fill(source, BETA_DESK, BETA_FIELD, "beta", at=NOON + timedelta(seconds=7))
    source.refuse(None, at=NOON + timedelta(hours=1), fault_code="client.invalid_soap", address="192.0.2.66")
    return source


def with_body_left_out(entry: Entry) -> Entry:
    """The same entry as it looks where body logging is off."""
    return dataclasses.replace(entry, is_whole=False, attachments={}, omitted=dict(entry.attachments))
