"""A server whose log holds exchanges of two members, and auditors of whom each may see some of them."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import zipfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx

from gateway.auditing.configurations import Chosen
from gateway.auditing.deps import AuditDeps
from gateway.auditing.exports import Exports, ExportSettings
from gateway.auditing.ledgers import ServerLedger
from gateway.auditing.model import AUDITOR, Query, Scope
from gateway.auditing.server_archives import ServerArchives
from gateway.auditing.server_source import ServerSource
from gateway.messagelog.archive.places import open_place
from gateway.messagelog.archive.retention import remove_archived
from gateway.messagelog.index import Indexer
from gateway.messagelog.index_database import open_index
from gateway.messagelog.index_log import LogEntries
from gateway.messagelog.model import Side
from gateway.runtime.accounts.model import Grant, Principal
from gateway.runtime.audit.trail import Trail
from gateway.runtime.clock import SystemClock, epoch_ms
from gateway.runtime.control_server import ControlServer, Listener
from gateway.runtime.database import open_database
from gateway.runtime.private_files import write_private
from gateway.runtime.self_signed import ensure_tls_files, server_context
from gateway.xroad.identifiers import ServiceId, SubsystemId, encode_path
from tests.factories.archives import a_stamped_logbook, archive, refuse, stamp
from tests.factories.auditors import an_api
from tests.factories.ledger import a_checkpointer
from tests.factories.messagelog import Logbook, a_demo_globalconf
from tests.factories.messages import (
    a_body,
    a_member,
    a_rest_request,
    a_rest_response,
    a_soap_message,
    a_soap_response,
    a_subsystem,
    soap_headers,
)

ALPHA, BETA = a_member("11111111"), a_member("22222222")
# Whose it is -> the word in every text of theirs.
MARKS: Final = {
    a_subsystem("QUARTZ", member=ALPHA): "quince",
    a_subsystem("MARBLE", member=ALPHA): "medlar",
    a_subsystem("BASALT", member=BETA): "damson",
    a_subsystem("GRANITE", member=BETA): "bullace",
}
NOBODY: Final = "sorbus"  # the word of a caller that nobody knows
QUARTZ, MARBLE, BASALT, GRANITE = MARKS
REASON: Final = "complaint 7"
NOT_THERE: Final = 4711

# Who asks, and the scopes granted.
AUDITORS: Final[dict[str, tuple[str, ...]]] = {
    "alpha": (encode_path(ALPHA),),
    "marble-and-basalt": (encode_path(MARBLE), encode_path(BASALT)),
    "prefix-of-alpha": ("UA-DEMO/GOV/1111111",),
}


@dataclass
class Site:
    """A server with everything that auditors ask, its exchanges by whose they are, and who may ask."""

    deps: AuditDeps
    book: Logbook
    folder: Path
    last: int
    parties: dict[int, str]
    api: Any
    url: str = ""
    exports: dict[str, str] = field(default_factory=dict)
    note: bytes = b""

    def people(self) -> dict[str, Principal]:
        return {name: auditor(name, scopes) for name, scopes in {**AUDITORS, "everything": ("*",)}.items()}

    def client(self, name: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.api),
            base_url="https://ss.test/api/v1",
            headers={"Authorization": f"X-Road-ApiKey token={name}"},
        )

    def foreign(self, name: str) -> list[int]:
        """The numbers of entries and exchanges that somebody may not see."""
        scope = Scope(frozenset(AUDITORS[name]))
        return [number for number, party in self.parties.items() if not scope.covers(party)]

    def own(self, name: str) -> list[int]:
        foreign = set(self.foreign(name))
        return [number for number in self.parties if number not in foreign]

    def probed(self, name: str) -> list[int]:
        """Foreign numbers of every kind: those of one subsystem, in rows and in archives, and of nobody."""
        foreign = self.foreign(name)
        party = self.parties[foreign[0]]
        return [number for number in foreign if self.parties[number] in (party, "")]


def auditor(name: str, scopes: Iterable[str]) -> Principal:
    return Principal(name, frozenset({AUDITOR}), grants=frozenset(Grant(AUDITOR, scope) for scope in scopes))


def foreign_words(name: str) -> list[str]:
    """What no answer to an auditor may hold: words, codes of subsystems, and of members that are all foreign."""
    scope = Scope(frozenset(AUDITORS[name]))
    hidden = [party for party in MARKS if not scope.covers(encode_path(party))]
    members = {party.member for party in MARKS} - {party.member for party in MARKS if party not in hidden}
    words = [MARKS[party] for party in hidden] + [party.subsystem_code for party in hidden]
    return [*words, *(member.member_code for member in members), NOBODY]


async def write(book: Logbook, parties: dict[int, str]) -> None:
    """Leave an exchange of each kind for each subsystem."""
    numbers = itertools.count(len(parties) + 1)

    async def keep(message: Any, party: SubsystemId, side: str, request_id: str) -> None:
        await book.record(message, side, request_id)
        parties[next(numbers)] = encode_path(party)
        book.clock.advance(seconds=1)

    for party, word in MARKS.items():
        service = ServiceId(a_subsystem("DEMOGRAPHIC", member=a_member("10000002")), f"{word}Service")
        headers = soap_headers(
            client=party, service=service, id=f"{word}-soap", issue=f"{word}-case", user_id=f"{word}-clerk"
        )
        soap = a_soap_message(headers, body=a_body(f"{word}Service", inner=f"<name>{word}</name>"))
        stated = (("X-Road-Issue", f"{word}-case"), ("Uxp-Purpose-Ids", f"{word}-purpose"))
        rest = a_rest_request(
            "POST", f"/{word}", client=party, service=service, headers=stated, body=json.dumps({"name": word}).encode(),
            message_id=f"{word}-rest", request_id=f"{word}-request",
        )  # fmt: skip
        for request, response in ((soap, a_soap_response(soap)), (rest, a_rest_response(rest))):
            await keep(request, party, "consumer", f"{word}-request")
            await keep(response, party, "consumer", f"{word}-request")
        provided = soap_headers(client=a_subsystem(), service=ServiceId(party, f"{word}Own"), id=f"{word}-provided")
        await keep(a_soap_message(provided), party, "provider", f"{word}-provided")
        await refuse(book, **refusal_of(word, encode_path(party), book))
        parties[next(numbers)] = encode_path(party)
    await refuse(book, **refusal_of(NOBODY, None, book))
    parties[next(numbers)] = ""


def refusal_of(word: str, client: str | None, book: Logbook) -> dict[str, Any]:
    at = epoch_ms(book.clock.now())
    return {
        "client": client, "query_id": f"{word}-refused", "x_request_id": f"{word}-refused", "time_ms": at,
        "until_ms": at, "facts": json.dumps({"client": word}), "address": f"{word}.example",
        "side": Side.CONSUMER, "provider": "UA-DEMO/GOV/10000002/DEMOGRAPHIC", "fault_code": f"server.{word}",
    }  # fmt: skip


@asynccontextmanager
async def a_matrix_site(folder: Path) -> AsyncIterator[Site]:
    """Serve such a log: the first half of it is in archives alone, the second in rows."""
    database, index = open_database(f"sqlite:///{folder}/log.db"), open_index(f"sqlite:///{folder}/index.db")
    conf, parties = a_demo_globalconf(), dict[int, str]()
    archives = ServerArchives(database, open_place)
    async with a_stamped_logbook(database, folder) as book:
        indexer = Indexer(index, LogEntries(database, book.log.reader, archives))
        await write(book, parties)
        await stamp(book)
        indexer.catch_up()
        await archive(book, folder, grouping="subsystem")
        await remove_archived(book.log, book.clock.now() + timedelta(days=40), 30)
        await write(book, parties)
        await stamp(book)
        indexer.catch_up()
        checkpointer = a_checkpointer(book)
        note = (await checkpointer.make_checkpoint()).note
        source = ServerSource(
            book.log, index, configurations=lambda _: Chosen(conf, "test"), archives=archives, name=lambda: "SS1"
        )
        ledger = ServerLedger(book.log, checkpointer, trust=lambda _: conf)
        (folder / "trail").mkdir()
        exports = Exports(
            folder / "exports", source, book.clock, server_name=lambda: "SS1", ledger=ledger,
            settings=ExportSettings(reserve_bytes=0),
        )  # fmt: skip
        deps = AuditDeps(source, Trail(folder / "trail", book.clock), book.clock, lambda: "SS1", ledger, exports)
        made = Site(deps, book, folder, max(parties), parties, None, note=note)
        made.api = an_api(deps, made.people())
        await exports.start()
        for name, person in made.people().items():
            scope = Scope(person.scopes_of(AUDITOR))
            made.exports[name] = (await exports.create(name, scope, Query(), REASON)).id
        certificate, key = ensure_tls_files(folder, "admin", SystemClock().now())
        for name in made.people():
            write_private(folder / name, name)
        async with ControlServer(Listener(made.api, ssl_context=server_context(certificate, key))) as server:
            made.url = server.url
            async with asyncio.timeout(20):
                while any(not job.is_over for name in made.exports for job in exports.of(name, Scope(frozenset("*")))):
                    await asyncio.sleep(0.01)
            yield made
        await exports.stop()
        await checkpointer.stop()
    archives.close()
    index.close()
    database.close()


def assert_nothing_foreign(name: str, content: bytes | str, where: object) -> None:
    text = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
    found = [word for word in foreign_words(name) if word.lower() in text.lower()]
    assert found == [], f"{where}: {found}"


def unpacked(content: bytes) -> bytes:
    """All texts in an answer, those in zips in zips as well; the configuration names all members to everybody."""
    if content[:2] != b"PK":
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name for name in archive.namelist() if not name.startswith("verificationconf/")]
        return b"\n".join([*(name.encode() for name in names), *(unpacked(archive.read(name)) for name in names)])
