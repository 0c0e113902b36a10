"""The ledger as auditors ask it: proofs that anybody works out again, exports that carry them, the log compared."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gateway.auditing.configurations import Chosen, configuration_in
from gateway.auditing.deps import AuditDeps
from gateway.auditing.exports import Exports, ExportSettings
from gateway.auditing.ledgers import ServerLedger, exports_in, size_of
from gateway.auditing.model import Query
from gateway.auditing.server_archives import ServerArchives
from gateway.auditing.server_source import ServerSource
from gateway.cli.verify_batch import Asked as VerifyAsked
from gateway.cli.verify_batch import Exit, verify_paths
from gateway.messagelog.archive.places import open_place
from gateway.messagelog.archive.records import parse_line
from gateway.messagelog.archive.retention import remove_archived
from gateway.messagelog.checkpoints import export_checkpoint
from gateway.messagelog.index import Indexer
from gateway.messagelog.index_database import open_index
from gateway.messagelog.index_log import LogEntries
from gateway.runtime.audit.trail import Trail
from gateway.runtime.database import Database
from gateway.xroad.checkpoint import parse_checkpoint, verify_checkpoint
from gateway.xroad.faults import LoggingUnavailable, MalformedMessage, SignatureRefused
from gateway.xroad.globalconf.shared_parameters_xml import build_shared_parameters
from gateway.xroad.globalconf.verification_conf import build_verification_conf
from gateway.xroad.ledger import entry_leaf, verify_inclusion
from tests.factories.archives import a_stamped_logbook, archive, refuse, stamp
from tests.factories.auditors import a_desk
from tests.factories.index import ALL
from tests.factories.ledger import a_checkpointer
from tests.factories.messagelog import Logbook, a_demo_globalconf, a_message
from tests.factories.messages import INSTANCE, a_rest_request, a_soap_response
from tests.factories.signatures import rezip


@dataclass
class Site:
    """A log of five entries with everything that asks its ledger."""

    deps: AuditDeps
    book: Logbook
    exports: Exports
    ledger: ServerLedger


@asynccontextmanager
async def a_site(database: Database, folder: Path, *, archived: bool = False, **settings: Any) -> AsyncIterator[Site]:
    conf = a_demo_globalconf()
    index, archives = open_index(f"sqlite:///{folder}/index.db"), ServerArchives(database, open_place)
    async with a_stamped_logbook(database, folder, **settings) as book:
        request = a_message("q-1", issue="case-1")
        await book.record(request, request_id="r-1")
        await book.record(a_soap_response(request), request_id="r-1")
        await refuse(book, query_id="refused-1")
        await book.record(a_rest_request("POST", body=b'{"a":1}', message_id="q-2"), request_id="r-2")
        await stamp(book)
        Indexer(index, LogEntries(database, book.log.reader, archives)).catch_up()
        checkpointer = a_checkpointer(book)
        await checkpointer.make_checkpoint()
        if archived:
            await archive(book, folder)
            await remove_archived(book.log, book.clock.advance(days=40), 30)
        source = ServerSource(book.log, index, configurations=lambda _: Chosen(conf, "test"), archives=archives)
        ledger = ServerLedger(book.log, checkpointer, trust=lambda _: conf)
        exports = Exports(
            folder / "exports", source, book.clock, server_name=lambda: "SS1", ledger=ledger,
            settings=ExportSettings(reserve_bytes=0),
        )  # fmt: skip
        await exports.start()
        yield Site(
            AuditDeps(source, Trail(folder, book.clock), book.clock, lambda: "SS1", ledger, exports),
            book,
            exports,
            ledger,
        )
        await exports.stop()
        await checkpointer.stop()
    archives.close()
    index.close()


async def an_export(site: Site) -> Path:
    """Export everything, and return where it lies."""
    job = await site.exports.create("olha", ALL, Query(), "court")
    async with asyncio.timeout(20):
        while not (found := site.exports.find(job.id, "olha", ALL)) or not found.is_over:
            await asyncio.sleep(0.01)
    return site.exports.file_of(job)


@pytest.mark.parametrize("archived", [False, True], ids=["rows", "archived"])
async def test_proof_leads_from_what_an_entry_says_to_the_checkpoint(
    sqlite_database: Database, tmp_path: Path, archived: bool
) -> None:
    async with a_site(sqlite_database, tmp_path, archived=archived) as site:
        desk = a_desk(site.deps)
        for sequence in (1, 2, 3, 4):
            inclusion, note = await desk.prove(sequence)
            head = parse_checkpoint(note).head
            assert inclusion.fact is not None
            leaf = entry_leaf(sequence, inclusion.fact.content_hash)
            assert leaf == inclusion.leaf
            verify_inclusion(leaf, sequence - 1, head.size, head.root, inclusion.hashes)


async def test_proof_is_of_a_checkpoint_that_holds(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_site(sqlite_database, tmp_path) as site:
        note = await a_desk(site.deps).checkpoint()
        assert verify_checkpoint(parse_checkpoint(note), a_demo_globalconf()).checkpoint.head.size == 4


async def test_entry_after_the_checkpoint_has_no_proof_until_one_is_made(
    sqlite_database: Database, tmp_path: Path
) -> None:
    async with a_site(sqlite_database, tmp_path) as site:
        await refuse(site.book, query_id="later")
        assert site.ledger.prove(5, 4) is None
        assert site.ledger.prove(5, 5) is None
        assert size_of(await a_desk(site.deps).make_checkpoint()) == 5
        assert site.ledger.prove(5, 5) is not None
        assert site.ledger.prove(0, 5) is None


@pytest.mark.parametrize("archived", [False, True], ids=["rows", "archived"])
async def test_export_proves_each_of_its_entries(sqlite_database: Database, tmp_path: Path, archived: bool) -> None:
    async with a_site(sqlite_database, tmp_path, archived=archived) as site:
        path = await an_export(site)
        with zipfile.ZipFile(path) as opened:
            files = {name: opened.read(name) for name in opened.namelist()}
    head = parse_checkpoint(files["checkpoint.txt"]).head
    facts = {fact.sequence: fact for fact in map(parse_line, files["records.jsonl"].splitlines(keepends=True))}
    proofs = [json.loads(line) for line in files["proofs.jsonl"].splitlines()]
    assert {proof["entry"] for proof in proofs} == {1, 2, 3, 4}
    for proof in proofs:
        fact = facts[proof["entry"]]
        hashes = [base64.b64decode(one) for one in proof["hashes"]]
        leaf = entry_leaf(fact.sequence, fact.content_hash)
        verify_inclusion(leaf, fact.sequence - 1, head.size, head.root, hashes)
        container = getattr(fact, "container", None)
        if container is not None:
            assert hashlib.sha512(files[f"containers/{container}"]).digest() == fact.container_digest
    assert json.loads(files["manifest.json"])["counts"]["unproven"] == 0


async def test_log_is_compared_with_a_checkpoint_and_the_damage_named(
    sqlite_database: Database, tmp_path: Path
) -> None:
    async with a_site(sqlite_database, tmp_path) as site:
        desk = a_desk(site.deps)
        note = await desk.checkpoint()
        assert (await desk.completeness(note)).holds
        with sqlite_database.transaction() as connection:
            connection.execute(text("UPDATE message_records SET query_id = 'another' WHERE sequence = 2"))
        found = await desk.completeness(note)
        assert [finding.first for finding in found.findings] == [2]
        told = await a_desk(site.deps, "UA-DEMO/GOV/99999999").completeness(note)
        assert [(finding.first, finding.facts) for finding in told.findings] == [(2, {})]


async def test_checkpoint_that_is_none_or_was_changed_is_refused(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_site(sqlite_database, tmp_path) as site:
        desk = a_desk(site.deps)
        note = await desk.checkpoint()
        with pytest.raises(MalformedMessage):
            await desk.completeness(b"no checkpoint")
        with pytest.raises(SignatureRefused):
            await desk.completeness(note.replace(b"\nsize 4\n", b"\nsize 3\n"))


async def test_size_of_a_checkpoint_is_read_with_or_without_its_leaves(
    sqlite_database: Database, tmp_path: Path
) -> None:
    async with a_site(sqlite_database, tmp_path):
        for with_leaves in (False, True):
            note = b"".join(export_checkpoint(sqlite_database, with_leaves=with_leaves))
            assert size_of(note) == 4
            assert (exports_in([note])[0].leaves is not None) is with_leaves


async def test_message_whose_body_was_left_out_is_proven_by_its_digest(
    sqlite_database: Database, tmp_path: Path
) -> None:
    async with a_site(sqlite_database, tmp_path, message_body_logging=False) as site:
        desk = a_desk(site.deps)
        assert not (await desk.read(1)).is_whole
        for sequence in (1, 2, 4):
            proof = await desk.verify(sequence)
            assert proof.holds, proof.fault


@pytest.mark.parametrize("spoilt", [False, True], ids=["as it is", "with containers swapped"])
async def test_export_is_verified_as_it_is_also_where_bodies_were_left_out(
    sqlite_database: Database, tmp_path: Path, spoilt: bool
) -> None:
    shared = build_shared_parameters(a_demo_globalconf().shared[INSTANCE], 5)
    conf = tmp_path / "conf.zip"
    conf.write_bytes(build_verification_conf(INSTANCE, {INSTANCE: (shared, 5)}))
    async with a_site(sqlite_database, tmp_path, message_body_logging=False) as site:
        path = await an_export(site)
    if spoilt:
        with zipfile.ZipFile(path) as opened:
            files = {name: opened.read(name) for name in opened.namelist()}
        first, second, *_ = [name for name in files if name.endswith(".asice")]
        files[first], files[second] = files[second], files[first]
        path.write_bytes(rezip(files))
    choose = configuration_in(conf)
    exits = {one.exit for one in verify_paths([path], VerifyAsked(choose))}
    assert exits == ({Exit.VALID, Exit.INVALID} if spoilt else {Exit.VALID})


async def test_checkpoint_that_cannot_be_kept_is_told_as_a_fault(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_site(sqlite_database, tmp_path) as site:
        await refuse(site.book, query_id="later")
        await site.book.log.stop()
        with pytest.raises(LoggingUnavailable):
            await a_desk(site.deps).make_checkpoint()
