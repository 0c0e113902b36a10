from __future__ import annotations

import dataclasses
import io
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.messagelog import store
from gateway.messagelog.documents import Document, Documents, verify_document, zip_documents
from gateway.messagelog.encryption import add_key
from gateway.messagelog.model import MessageRecord
from gateway.messagelog.timestamper import Timestamper
from gateway.runtime.clock import FixedClock
from gateway.runtime.database import Database
from gateway.xroad.asic.container import read_container
from gateway.xroad.asic.verdict import AttachmentState
from gateway.xroad.asic.verify import verify_container
from gateway.xroad.faults import LoggingUnavailable, SignatureRefused
from gateway.xroad.signature.signed_message import Message, bodies_of
from tests.factories.messagelog import Tsa, a_demo_globalconf, a_logbook, a_message, serving
from tests.factories.messages import (
    a_provider,
    a_rest_request,
    a_rest_response,
    a_soap_response,
    a_subsystem,
    an_attachment,
)
from tests.factories.messages import a_soap_message as a_soap
from tests.factories.pki import NOON


@asynccontextmanager
async def documents_of(
    database: Database, folder: Path, *messages: Message, side: str = "consumer", **settings: Any
) -> AsyncIterator[tuple[Timestamper, Documents]]:
    async with serving(Tsa(FixedClock(NOON))) as tsa, a_logbook(database, folder, tsa, **settings) as book:
        stamper = book.timestamper()
        for message in messages:
            await book.record(message, side)
        yield stamper, Documents(book.log, stamper)
        await stamper.stop()


REQUEST, RESPONSE = a_message("q-1"), a_soap_response(a_message("q-1"))


async def test_party_finds_its_request_and_response(database: Database, tmp_path: Path) -> None:
    async with documents_of(database, tmp_path, REQUEST, RESPONSE, a_message("q-2")) as (_, documents):
        assert await documents.find(a_subsystem(), "q-1", response=None) == [1, 2]
        assert await documents.find(a_subsystem(), "q-1", response=False) == [1]
        assert await documents.find(a_subsystem(), "q-1", response=True) == [2]


async def test_provider_finds_the_exchange_on_its_own_server(sqlite_database: Database, tmp_path: Path) -> None:
    async with documents_of(sqlite_database, tmp_path, REQUEST, side="provider") as (_, documents):
        assert await documents.find(a_provider(), "q-1", response=None) == [1]


@pytest.mark.parametrize("side", ["consumer", "provider"])
async def test_nobody_finds_the_records_of_another(sqlite_database: Database, tmp_path: Path, side: str) -> None:
    party, other = (a_subsystem(), a_provider()) if side == "consumer" else (a_provider(), a_subsystem())
    async with documents_of(sqlite_database, tmp_path, REQUEST, side=side) as (_, documents):
        assert await documents.find(party, "q-1", response=None) == [1]
        for stranger in (other, party.member, a_subsystem("OTHER", member=party.member)):
            assert await documents.find(stranger, "q-1", response=None) == []


@pytest.mark.parametrize(
    "message",
    [
        REQUEST,
        RESPONSE,
        a_rest_request(),
        a_rest_request("POST", body=b'{"a":1}'),
        a_rest_response(),
        a_rest_response(body=b""),
    ],
)
@pytest.mark.parametrize("how", ["single", "batch"])
async def test_document_verifies_offline(sqlite_database: Database, tmp_path: Path, message: Message, how: str) -> None:
    async with documents_of(sqlite_database, tmp_path, message, a_message("other")) as (stamper, documents):
        if how == "single":
            await documents.stamp([1])
        else:
            await stamper.stamp_waiting()
        assert not await documents.has_unstamped([1])
        (document,) = await documents.build([1])
    verdict = verify_container(read_container(document.container), a_demo_globalconf())
    assert verdict.time == NOON


async def test_unstamped_record_is_told_and_can_be_built(sqlite_database: Database, tmp_path: Path) -> None:
    async with documents_of(sqlite_database, tmp_path, REQUEST) as (_, documents):
        assert await documents.has_unstamped([1])
        (document,) = await documents.build([1])
    assert read_container(document.container).token is None


async def test_body_is_in_the_document(sqlite_database: Database, tmp_path: Path) -> None:
    async with documents_of(sqlite_database, tmp_path, a_rest_request("POST", body=b"12345")) as (_, documents):
        (document,) = await documents.build([1])
    assert b"".join(read_container(document.container).attachments[1].chunks()) == b"12345"


@pytest.mark.parametrize(
    "message", [a_rest_request("POST", body=b"123456"), a_soap(attachments=(an_attachment(b"123456"),))]
)
async def test_document_says_which_body_was_not_kept(
    sqlite_database: Database, tmp_path: Path, message: Message
) -> None:
    async with documents_of(sqlite_database, tmp_path, message, max_body_bytes=5) as (_, documents):
        await documents.stamp([1])
        (document,) = await documents.build([1])
    assert read_container(document.container).attachments == {}
    with zipfile.ZipFile(io.BytesIO(document.container)) as archive:
        assert b'full-path="attachment1" surma:omitted="true"' in archive.read("META-INF/manifest.xml")
    verify_container(read_container(document.container), a_demo_globalconf())


async def test_attachments_of_a_chain_are_in_the_document_and_proven(sqlite_database: Database, tmp_path: Path) -> None:
    message = a_soap(attachments=(an_attachment(b"one"), an_attachment(b"")))
    async with documents_of(sqlite_database, tmp_path, message) as (_, documents):
        await documents.stamp([1])
        (document,) = await documents.build([1])
    container = read_container(document.container)
    assert [b"".join(body.chunks()) for body in container.attachments.values()] == [b"one", b""]
    verdict = verify_container(container, a_demo_globalconf())
    assert [each.state for each in verdict.attachments] == [AttachmentState.VERIFIED] * 2


async def test_lost_body_file_is_named(sqlite_database: Database, tmp_path: Path) -> None:
    async with documents_of(sqlite_database, tmp_path, a_rest_request("POST", body=b"12345")) as (_, documents):
        for path in (tmp_path / "bodies").rglob("*"):
            if path.is_file():
                path.unlink()
        with pytest.raises(LoggingUnavailable) as caught:
            await documents.build([1])
    assert caught.value.text_id == "messagelog.body_missing"


@pytest.mark.parametrize(
    ("query_id", "name"),
    [
        ("q-1", "q-1-request-1.asice"),
        ("a b/ї~*", "a+b%2F%D1%97%7E*-request-1.asice"),
        ("x" * 300, "x" * 226 + "-request-1.asice"),
    ],
)
async def test_document_is_named_as_the_reference_names_it(
    sqlite_database: Database, tmp_path: Path, query_id: str, name: str
) -> None:
    async with documents_of(sqlite_database, tmp_path, a_message(query_id)) as (_, documents):
        (document,) = await documents.build([1])
    assert document.name == name


async def test_number_in_the_name_is_in_base_32(sqlite_database: Database, tmp_path: Path) -> None:
    messages = [a_message(f"q-{n}") for n in range(32)]
    async with documents_of(sqlite_database, tmp_path, *messages) as (_, documents):
        (document,) = await documents.build([32])
    assert document.name == "q-31-request-10.asice"


async def test_same_record_gives_the_same_bytes(sqlite_database: Database, tmp_path: Path) -> None:
    async with documents_of(sqlite_database, tmp_path, REQUEST) as (_, documents):
        assert await documents.build([1]) == await documents.build([1])


def test_several_documents_come_in_one_zip() -> None:
    documents = [Document("a.asice", b"first"), Document("b.asice", b"second")]
    with zipfile.ZipFile(io.BytesIO(zip_documents(documents))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"a.asice": b"first", "b.asice": b"second"}


# Without bodies, and encrypted

WITHOUT_BODIES = [
    a_message("q-1"),
    a_soap_response(a_message("q-1")),
    a_soap(attachments=(an_attachment(b"secret"), an_attachment(b""))),
    a_rest_request("POST", "/persons?unzr=secret", body=b"secret"),
    a_rest_response(body=b"secret"),
]


async def stored(
    database: Database, folder: Path, message: Message, *, stamp: str = "batch", **settings: Any
) -> tuple[MessageRecord, bytes]:
    """A record, and the document of it."""
    async with documents_of(database, folder, message, a_message("other"), **settings) as (stamper, documents):
        if stamp == "single":
            await documents.stamp([1])
        await stamper.stamp_waiting()
        (document,) = await documents.build([1])
        with database.reading() as connection:
            record = store.read_record(connection, 1)
    assert record is not None
    return record, document.container


@pytest.mark.parametrize("stamp", ["single", "batch"])
@pytest.mark.parametrize("message", WITHOUT_BODIES)
async def test_document_without_body_proves_all_but_the_content(
    sqlite_database: Database, tmp_path: Path, message: Message, stamp: str
) -> None:
    record, container = await stored(sqlite_database, tmp_path, message, stamp=stamp, message_body_logging=False)
    with zipfile.ZipFile(io.BytesIO(container)) as archive:
        assert not any(b"secret" in archive.read(name) for name in archive.namelist())
        assert b'full-path="message.xml" surma:omitted="body"' in archive.read("META-INF/manifest.xml")
    verdict = verify_document(container, record, a_demo_globalconf())
    assert (verdict.message, verdict.time) == (AttachmentState.DIGEST_KNOWN, NOON)
    assert {each.state for each in verdict.attachments} <= {AttachmentState.DIGEST_KNOWN}
    assert len(verdict.attachments) == len(record.bodies)


@pytest.mark.parametrize("message", WITHOUT_BODIES)
async def test_document_without_body_fails_alone_and_says_why(
    sqlite_database: Database, tmp_path: Path, message: Message
) -> None:
    record, container = await stored(sqlite_database, tmp_path, message, message_body_logging=False)
    with pytest.raises(SignatureRefused) as caught:
        verify_container(read_container(container), a_demo_globalconf())
    chained = record.hash_chain is not None
    code = "malformed_signature.invalid_hash_chain_ref" if chained else "invalid_signature_value"
    assert (caught.value.code, caught.value.text_id) == (code, "asic.body_not_logged")


async def test_document_without_body_does_not_prove_another_message(sqlite_database: Database, tmp_path: Path) -> None:
    record, container = await stored(sqlite_database, tmp_path, REQUEST, message_body_logging=False)
    other = dataclasses.replace(record, message_digest=a_message("q-2").digest.value)
    with pytest.raises(SignatureRefused) as caught:
        verify_document(container, other, a_demo_globalconf())
    assert (caught.value.code, caught.value.text_id) == ("invalid_signature_value", "signature.reference_digest")


@pytest.mark.parametrize("settings", [{}, {"message_body_logging": False}])
async def test_document_of_another_message_than_recorded_is_told(
    sqlite_database: Database, tmp_path: Path, settings: dict[str, Any]
) -> None:
    record, container = await stored(sqlite_database, tmp_path, REQUEST, **settings)
    changes: dict[str, Any] = {"message_digest" if record.is_whole else "kept_digest": b"x" * 64}
    with pytest.raises(LoggingUnavailable) as caught:
        verify_document(container, dataclasses.replace(record, **changes), a_demo_globalconf())
    assert caught.value.text_id == "messagelog.other_message"


async def test_attachment_too_large_to_keep_is_proven_by_its_digest(sqlite_database: Database, tmp_path: Path) -> None:
    message = a_soap(attachments=(an_attachment(b"123456"), an_attachment(b"12345")))
    record, container = await stored(sqlite_database, tmp_path, message, max_body_bytes=5)
    verdict = verify_document(container, record, a_demo_globalconf())
    assert verdict.message is AttachmentState.VERIFIED
    assert [each.state for each in verdict.attachments] == [AttachmentState.DIGEST_KNOWN, AttachmentState.VERIFIED]


@pytest.mark.parametrize("message", [REQUEST, a_rest_request("POST", body=b"12345" * 30_000)])
async def test_document_of_an_encrypted_record_is_the_same(
    sqlite_database: Database, tmp_path: Path, message: Message
) -> None:
    keys = tmp_path / "log.keys"
    add_key(keys, NOON)
    record, container = await stored(sqlite_database, tmp_path, message, encryption_key_file=keys)
    assert record.key_id is not None
    read = read_container(container)
    assert read.message == message.raw
    assert [body.digest for body in read.attachments.values()] == [body.digest for body in bodies_of(message)]
    assert verify_document(container, record, a_demo_globalconf()).message is AttachmentState.VERIFIED
