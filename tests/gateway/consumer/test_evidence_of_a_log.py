"""`/asic` and `/signature` over a real message log: to each client its own records, whoever else is on the server.

Two members with two subsystems each, of every connection type; records in plain and encrypted, in the log
and archived.
"""

from __future__ import annotations

import dataclasses
import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from gateway.auditing.archived import ArchivedDocuments
from gateway.auditing.configurations import Chosen
from gateway.auditing.server_source import ServerSource
from gateway.consumer.evidence import ASIC, SIGNATURE, Evidence
from gateway.exchange.requests import InboundRequest, OutboundResponse
from gateway.messagelog.documents import Documents
from gateway.messagelog.encryption import add_key
from gateway.messagelog.index import Indexer
from gateway.messagelog.index_database import open_index
from gateway.messagelog.index_log import LogEntries
from gateway.messagelog.writer import Change
from gateway.runtime.clock import FixedClock
from gateway.runtime.database import Database
from gateway.serverconf.model import ClientStatus, ConnectionType, LocalClient, ServerConf
from gateway.xroad.asic.container import read_container
from gateway.xroad.identifiers import ClientId, SecurityServerId
from tests.factories.audit import ALPHA, ALPHA_DESK, ALPHA_FIELD, BETA, BETA_DESK, BETA_FIELD
from tests.factories.messagelog import Logbook, Tsa, a_demo_globalconf, a_logbook, a_message, serving
from tests.factories.pki import NOON

CERTIFICATES: dict[ClientId, bytes] = {ALPHA_FIELD: b"alpha's", BETA_FIELD: b"beta's"}
CLIENTS: dict[ClientId, ConnectionType] = {
    ALPHA: ConnectionType.HTTP,
    BETA: ConnectionType.HTTP,
    ALPHA_DESK: ConnectionType.HTTP,
    BETA_DESK: ConnectionType.HTTPS_NO_AUTH,
    ALPHA_FIELD: ConnectionType.HTTPS,
    BETA_FIELD: ConnectionType.HTTPS,
}
ASKING = [client for client in CLIENTS if client not in (ALPHA, BETA)]


class Registrations:
    """The clients of this server."""

    def current(self) -> ServerConf:
        clients = {
            client: LocalClient(
                client,
                ClientStatus.REGISTERED,
                kind,
                tls_certificates=frozenset(filter(None, [CERTIFICATES.get(client)])),
            )
            for client, kind in CLIENTS.items()
        }
        return ServerConf(1, SecurityServerId(ALPHA, "SS1"), clients=clients)

    def verification_conf(self) -> bytes:
        return b""


@dataclasses.dataclass
class Site:
    """A server's log with what hands documents out."""

    evidence: Evidence
    book: Logbook
    indexer: Indexer

    async def ask(
        self, client: ClientId, query_id: str, *, path: str = ASIC, tls: bool = True, certificate: bytes | None = None
    ) -> OutboundResponse:
        names = dict(zip(("xRoadInstance", "memberClass", "memberCode", "subsystemCode"), client.parts, strict=False))
        target = f"{path}?{urlencode({**names, 'queryId': query_id, 'force': ''})}"
        request = InboundRequest("GET", target, (), None, certificate, tls, "id")  # type: ignore[arg-type]
        return await self.evidence.answer(path, request)

    async def archive(self) -> None:
        """Take everything but the newest record out of the log, as retention does."""
        database = self.book.log
        steps = (
            (
                "INSERT INTO archive_files VALUES (1, '', 'mlog.zip', 'file:///archive', 1, 4, 4, 1, '', 'SHA-512', 0)",
                [()],
            ),
            (
                "INSERT INTO archived_entries (sequence, file_id, name, content_hash) "
                "SELECT sequence, 1, query_id, content_hash FROM message_records WHERE sequence < 5 AND ? = ?",
                [(1, 1)],
            ),
            ("DELETE FROM message_records WHERE sequence < ?", [(5,)]),
        )
        await database.submit(Change(steps=steps))


@pytest.fixture(params=["plain", "encrypted"])
async def site(request: pytest.FixtureRequest, sqlite_database: Database, tmp_path: Path) -> AsyncIterator[Site]:
    settings: dict[str, Any] = {}
    if request.param == "encrypted":
        settings["encryption_key_file"] = tmp_path / "log.keys"
        add_key(tmp_path / "log.keys", NOON)
    index = open_index(f"sqlite:///{tmp_path}/index.db")
    clock = FixedClock(NOON)
    async with serving(Tsa(clock)) as tsa, a_logbook(sqlite_database, tmp_path, tsa, **settings) as book:
        for client in [*ASKING, ALPHA_DESK]:
            await book.record(a_message("same id", client=client))
        stamper = book.timestamper()
        conf = a_demo_globalconf(tsa.issued)
        source = ServerSource(book.log, index, configurations=lambda _: Chosen(conf, "test"))
        archived = ArchivedDocuments(source, sqlite_database)
        registrations = Registrations()
        evidence = Evidence(
            Documents(book.log, stamper),
            registrations,
            registrations,
            language="en",
            internal_certificate=None,
            archived=archived,
        )
        yield Site(evidence, book, Indexer(index, LogEntries(sqlite_database, book.log.reader)))
        await stamper.stop()
    index.close()


def clients_in(answer: OutboundResponse) -> set[str]:
    """Who asked in the messages of an answer."""
    assert isinstance(answer.body, bytes)
    if dict(answer.headers)["Content-Type"] != "application/zip":
        containers = [answer.body]
    else:
        with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
            containers = [archive.read(name) for name in archive.namelist()]
    texts = [read_container(container).message.decode() for container in containers]
    return {str(client) for client in ASKING for text in texts if all(f">{part}<" in text for part in client.parts)}


@pytest.mark.parametrize("path", [ASIC, SIGNATURE])
@pytest.mark.parametrize("client", ASKING, ids=str)
async def test_client_is_given_its_own_records_of_an_id_that_others_used_too(
    site: Site, client: ClientId, path: str
) -> None:
    answer = await site.ask(client, "same id", path=path, certificate=CERTIFICATES.get(client))
    assert answer.status == 200, answer.body
    assert clients_in(answer) == {str(client)}


@pytest.mark.parametrize("path", [ASIC, SIGNATURE])
async def test_member_is_not_given_the_records_of_its_subsystems(site: Site, path: str) -> None:
    for member in (ALPHA, BETA):
        assert (await site.ask(member, "same id", path=path)).status == 404


@pytest.mark.parametrize("path", [ASIC, SIGNATURE])
async def test_connection_type_of_the_client_asked_for_counts(site: Site, path: str) -> None:
    assert (await site.ask(ALPHA_DESK, "same id", path=path, tls=False)).status == 200
    for client in (BETA_DESK, ALPHA_FIELD, BETA_FIELD):
        assert (await site.ask(client, "same id", path=path, tls=False)).status == 401
    assert (await site.ask(BETA_DESK, "same id", path=path)).status == 200
    for certificate in (None, CERTIFICATES[BETA_FIELD], b"a stranger's"):
        answer = await site.ask(ALPHA_FIELD, "same id", path=path, certificate=certificate)
        assert answer.status == 401
        assert b"PK" not in answer.body


@pytest.mark.parametrize("path", [ASIC, SIGNATURE])
async def test_archived_document_is_not_found_and_its_owner_is_told_where_it_is(site: Site, path: str) -> None:
    site.indexer.catch_up()
    await site.archive()
    for client in (BETA_DESK, ALPHA_FIELD):
        answer = await site.ask(client, "same id", path=path, certificate=CERTIFICATES.get(client))
        assert answer.status == 404
        assert b"were archived" in answer.body
        assert b"surma audit search --query-id same id" in answer.body
    assert (await site.ask(ALPHA_DESK, "same id", path=path)).status == 200  # the newest one is still here


@pytest.mark.parametrize("query_id", ["another id", "same*", "*", ""])
async def test_nobody_learns_of_archived_documents_by_other_ids_or_under_other_names(site: Site, query_id: str) -> None:
    site.indexer.catch_up()
    await site.archive()
    for client, asked in ((BETA_DESK, query_id), (ALPHA, "same id"), (BETA, "same id")):
        answer = await site.ask(client, asked)
        assert answer.status in (400, 404)
        assert b"archived" not in answer.body


async def test_record_that_is_gone_without_being_archived_is_not_called_archived(site: Site) -> None:
    site.indexer.catch_up()
    await site.book.log.submit(Change(steps=(("DELETE FROM message_records WHERE sequence < ?", [(5,)]),)))
    answer = await site.ask(BETA_DESK, "same id")
    assert answer.status == 404
    assert b"archived" not in answer.body
