"""One log of members and a registry, seen through each kind of source: its rows, its archives, archives alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.auditing.archive_index import ArchiveIndex
from gateway.auditing.archive_source import ArchiveSource
from gateway.auditing.configurations import Chosen
from gateway.auditing.ports import EvidenceSource
from gateway.auditing.server_archives import ServerArchives
from gateway.auditing.server_source import ServerSource
from gateway.messagelog.archive.places import FolderPlace, open_place
from gateway.messagelog.archive.retention import remove_archived
from gateway.messagelog.index import Indexer
from gateway.messagelog.index_database import open_index
from gateway.messagelog.index_log import LogEntries
from gateway.messagelog.model import Side
from gateway.runtime.database import Database
from gateway.xroad.identifiers import encode_path
from gateway.xroad.rest.message import RestRequest, RestResponse
from gateway.xroad.signature.signed_message import Message
from gateway.xroad.soap.message import SoapMessage
from tests.factories.archives import a_stamped_logbook, archive, refuse, stamp
from tests.factories.messagelog import Logbook, a_demo_globalconf, a_message
from tests.factories.messages import (
    a_member,
    a_rest_request,
    a_rest_response,
    a_service,
    a_soap_response,
    a_subsystem,
)

KINDS = ("rows", "archives of a server", "archives alone")
ONE = a_subsystem("ONE", member=a_member("10000001"))
OTHER = a_subsystem("OTHER", member=a_member("10000001"))
TWO = a_subsystem("TWO", member=a_member("20000002"))
REGISTRY = a_subsystem("REGISTRY", member=a_member("30000003"))
BODY = b'{"unzr":"19900101-00017"}'


@dataclass
class Written:
    """What was written, by number: the message or nothing for a refusal, and whose it is."""

    messages: dict[int, Message] = field(default_factory=dict)
    parties: dict[int, str] = field(default_factory=dict)

    @property
    def refusals(self) -> set[int]:
        return self.parties.keys() - self.messages.keys()


async def write(book: Logbook) -> Written:
    """Fill a log with exchanges of both sides, SOAP and REST, answered, refused and open."""
    written = Written()

    async def keep(message: Message, side: Side, request_id: str) -> None:
        said: Any = message.headers if isinstance(message, SoapMessage) else message
        await book.record(message, side.value, request_id)
        party = said.client if side is Side.CONSUMER else said.service.provider
        number = len(written.parties) + 1
        written.messages[number], written.parties[number] = message, encode_path(party)
        book.clock.advance(seconds=1)

    service = a_service("persons", provider=REGISTRY)
    for number, client in enumerate((ONE, TWO, OTHER)):
        for side in Side:
            query_id = f"q-{number}"
            soap = a_message(
                query_id, client=client, service=service, issue=f"case-{number}", user_id=f"clerk-{number}"
            )
            headers = (("X-Road-Issue", f"case-{number}"), ("Uxp-Purpose-Ids", "P1,P2"))
            rest: RestRequest = a_rest_request(
                "POST", service=service, client=client, headers=headers, body=BODY, message_id=f"r-{number}"
            )
            answer: RestResponse = a_rest_response(rest, body=BODY)
            for request, response in ((soap, a_soap_response(soap)), (rest, answer)):
                request_id = f"{type(request).__name__}-{number}-{side}"
                await keep(request, side, request_id)
                await keep(response, side, request_id)
            await refuse(
                book, side=side, client=encode_path(client), provider=encode_path(REGISTRY), query_id=query_id,
                x_request_id=f"refused-{number}-{side}", time_ms=book.clock.now_ms(), until_ms=book.clock.now_ms(),
            )  # fmt: skip
            party = client if side is Side.CONSUMER else REGISTRY
            written.parties[len(written.parties) + 1] = encode_path(party)
    await refuse(book, client=None, provider=None, service_code=None, query_id=None)
    written.parties[len(written.parties) + 1] = ""
    return written


@dataclass
class Seen:
    """A source with what was written into its log."""

    source: EvidenceSource
    written: Written
    book: Logbook
    folder: Path


@asynccontextmanager
async def a_source_over(kind: str, database: Database, folder: Path, **settings: Any) -> AsyncIterator[Seen]:
    """Write a log and look at it as `kind` says."""
    chosen = Chosen(a_demo_globalconf(), "test")
    async with a_stamped_logbook(database, folder) as book:
        written = await write(book)
        index = open_index(f"sqlite:///{folder}/index.db")
        archives = ServerArchives(database, open_place)
        await asyncio.to_thread(Indexer(index, LogEntries(database, book.log.reader)).catch_up)
        await stamp(book)
        if kind != "rows":
            await archive(book, folder, **settings)
        if kind == "archives of a server":
            await book.record(a_message("the newest entry always stays"), request_id="newest")
            await remove_archived(book.log, book.clock.advance(days=40), 30)
        alone = ArchiveIndex(FolderPlace(folder / "archive"), folder / "cache.db")
        source: EvidenceSource
        if kind == "archives alone":
            await asyncio.to_thread(alone.build)
            source = ArchiveSource(alone, configurations=lambda _: chosen)
        else:
            source = ServerSource(book.log, index, configurations=lambda _: chosen, archives=archives)
        try:
            yield Seen(source, written, book, folder)
        finally:
            archives.close()
            alone.close()
            index.close()
