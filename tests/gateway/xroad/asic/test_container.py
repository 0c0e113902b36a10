"""Containers: entry for entry as the reference writes them, and nothing beside when read."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.xroad.asic.container import (
    COMMENT,
    MIME_TYPE,
    NS_SURMA,
    BatchTimestamp,
    build_container,
    read_container,
    write_container,
)
from gateway.xroad.bodies import BytesBody
from gateway.xroad.digests import digest_of
from gateway.xroad.faults import MalformedMessage, XRoadFault
from gateway.xroad.signature.signed_message import Signature
from gateway.xroad.xml import NS_MANIFEST
from tests.factories.messages import a_soap_message
from tests.factories.pki import NOON
from tests.factories.signatures import a_world, rezip, unzip

SIMPLE = Signature(b"<signature/>")
CHAINED = Signature(b"<signature/>", b"<result/>", b"<chain/>")
STAMP = BatchTimestamp(b"token", b"<ts-result/>", b"<ts-chain/>")
BODY = BytesBody(b"\x00\x01binary")


def code_of(data: bytes) -> str:
    with pytest.raises(MalformedMessage) as refusal:
        read_container(data)
    return refusal.value.code


def listed(container: bytes) -> list[tuple[str, str]]:
    root = etree.fromstring(unzip(container)["META-INF/manifest.xml"])
    return [
        (entry.get(f"{{{NS_MANIFEST}}}full-path", ""), entry.get(f"{{{NS_MANIFEST}}}media-type", "")) for entry in root
    ]


def test_entries_stand_in_the_order_of_the_reference() -> None:
    full = build_container(b"<m/>", CHAINED, at=NOON, attachments={2: BODY, 1: BODY}, timestamp=STAMP)

    assert list(unzip(full)) == [
        "mimetype", "message.xml", "META-INF/signatures.xml", "sig-hashchainresult.xml", "sig-hashchain.xml",
        "ts-hashchainresult.xml", "ts-hashchain.xml", "META-INF/manifest.xml", "META-INF/ASiCManifest.xml",
        "META-INF/timestamp.tst", "attachment1", "attachment2",
    ]  # fmt: skip
    assert list(unzip(build_container(b"<m/>", SIMPLE, at=NOON))) == [
        "mimetype", "message.xml", "META-INF/signatures.xml", "META-INF/manifest.xml",
    ]  # fmt: skip


def test_archive_says_what_it_is_in_its_comment_and_first_entry() -> None:
    container = build_container(b"<m/>", SIMPLE, at=NOON)
    with zipfile.ZipFile(io.BytesIO(container)) as archive:
        assert archive.comment == COMMENT == b"mimetype=application/vnd.etsi.asic-e+zip"
        first = archive.infolist()[0]
    assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_DEFLATED)
    assert unzip(container)["mimetype"] == MIME_TYPE.encode()


def test_manifest_lists_what_is_outside_of_meta_inf() -> None:
    full = build_container(b"<m/>", CHAINED, at=NOON, attachments={1: BODY}, timestamp=STAMP)

    assert listed(full)[0] == ("/", MIME_TYPE)
    assert sorted(listed(full)[1:]) == [
        ("attachment1", "application/octet-stream"), ("message.xml", "text/xml"), ("sig-hashchain.xml", "text/xml"),
        ("sig-hashchainresult.xml", "text/xml"), ("ts-hashchain.xml", "text/xml"),
        ("ts-hashchainresult.xml", "text/xml"),
    ]  # fmt: skip


def test_asic_manifest_ties_the_token_to_the_chain_result() -> None:
    container = build_container(b"<m/>", SIMPLE, at=NOON, timestamp=STAMP)
    manifest = unzip(container)["META-INF/ASiCManifest.xml"].decode()

    assert digest_of(STAMP.chain_result).base64 in manifest
    assert 'URI="META-INF/timestamp.tst"' in manifest


def test_body_that_was_not_kept_is_named_in_the_manifest() -> None:
    container = build_container(b"<m/>", CHAINED, at=NOON, omitted=[1])
    root = etree.fromstring(unzip(container)["META-INF/manifest.xml"])
    marked = [e.get(f"{{{NS_MANIFEST}}}full-path") for e in root if e.get(f"{{{NS_SURMA}}}omitted") == "true"]

    assert marked == ["attachment1"]
    assert dict(read_container(container).attachments) == {}


def test_message_without_body_is_named_in_the_manifest() -> None:
    container = build_container(b"<m/>", CHAINED, at=NOON, is_whole=False)
    root = etree.fromstring(unzip(container)["META-INF/manifest.xml"])
    marked = [e.get(f"{{{NS_MANIFEST}}}full-path") for e in root if e.get(f"{{{NS_SURMA}}}omitted") == "body"]

    assert marked == ["message.xml"]
    assert read_container(container).omitted == {"message.xml"}


def test_container_says_what_was_not_kept_and_others_say_nothing() -> None:
    whole = build_container(b"<m/>", CHAINED, at=NOON)
    partial = build_container(b"<m/>", CHAINED, at=NOON, omitted=[1, 12])

    assert read_container(partial).omitted == {"attachment1", "attachment12"}
    assert read_container(whole).omitted == frozenset()
    assert b"surma" not in unzip(whole)["META-INF/manifest.xml"]


def test_large_attachment_is_written_as_it_is_read() -> None:
    chunks = write_container(b"<m/>", CHAINED, at=NOON, attachments={1: BytesBody(b"x" * 1_000_000)})

    assert max(len(chunk) for chunk in chunks) < 100_000


def test_what_is_written_is_read() -> None:
    full = build_container(b"<m/>", CHAINED, at=NOON, attachments={1: BODY, 2: BytesBody(b"")}, timestamp=STAMP)
    container = read_container(full)

    assert container.message == b"<m/>"
    assert container.signature == CHAINED
    assert (container.token, container.timestamp_chain_result, container.timestamp_chain) == (
        STAMP.token, STAMP.chain_result, STAMP.chain,
    )  # fmt: skip
    assert {number: b"".join(body.chunks()) for number, body in container.attachments.items()} == {1: BODY.data, 2: b""}
    assert container.attachments[1].digest == BODY.digest
    assert container.attachments[1].size == BODY.size


def test_same_content_gives_the_same_bytes() -> None:
    assert a_container() == a_container()
    assert read_container(a_container()) == read_container(a_container())


CONTAINER = a_world().container(a_soap_message())


def a_container() -> bytes:
    return build_container(b"<m/>", CHAINED, at=NOON, timestamp=STAMP)


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ("mimetype", "asic_mime_type_not_found"),
        ("message.xml", "asic_message_not_found"),
        ("META-INF/signatures.xml", "asic_signature_not_found"),
        ("sig-hashchain.xml", "asic_hash_chain_not_found"),
        ("sig-hashchainresult.xml", "asic_hash_chain_result_not_found"),
        ("ts-hashchain.xml", "asic_hash_chain_not_found"),
        ("ts-hashchainresult.xml", "asic_hash_chain_result_not_found"),
    ],
)
@pytest.mark.parametrize("content", [None, b"", b" \n"])
def test_missing_or_empty_entry_has_its_own_code(entry: str, code: str, content: bytes | None) -> None:
    entries = unzip(a_container())
    if content is None:
        del entries[entry]
    else:
        entries[entry] = content

    assert code_of(rezip(entries)) == code


@pytest.mark.parametrize("content", [b"application/zip", MIME_TYPE.encode() + b"\n"])
def test_other_mime_type_is_refused(content: bytes) -> None:
    assert code_of(rezip({**unzip(a_container()), "mimetype": content})) == "asic_invalid_mime_type"


@pytest.mark.parametrize(
    "name",
    [
        "readme.txt", "/message.xml", "./message.xml", "Message.xml", "MESSAGE.XML", "../../evil.txt", "META-INF/",
        "META-INF/signatures1.xml", "META-INF/signatures0.xml", "attachment0", "attachment01", "attachment",
        "attachment1.txt", "Attachment1", "attachment99999", "message.xml ", "message.xml\\", "meta-inf/manifest.xml",
    ],
)  # fmt: skip
def test_entry_that_nothing_signed_refers_to_is_refused(name: str) -> None:
    assert code_of(rezip({**unzip(a_container()), name: b"x"})) == "asic_invalid_container"


@pytest.mark.parametrize("missing", ["META-INF/manifest.xml", "META-INF/ASiCManifest.xml"])
def test_manifests_may_be_absent(missing: str) -> None:
    entries = unzip(a_container())
    del entries[missing]

    assert read_container(rezip(entries)).signature == CHAINED


def test_signature_with_an_unfinished_chain_is_written_without() -> None:
    container = build_container(b"<m/>", replace(CHAINED, hash_chain=None), at=NOON)

    assert "sig-hashchainresult.xml" not in unzip(container)


@given(data=st.binary(max_size=300))
def test_any_bytes_are_a_container_or_a_fault(data: bytes) -> None:
    with pytest.raises(XRoadFault):
        read_container(data)


@given(data=st.data())
def test_damaged_containers_are_containers_or_faults(data: st.DataObject) -> None:
    document = bytearray(CONTAINER)
    for _ in range(data.draw(st.integers(1, 3))):
        document[data.draw(st.integers(0, len(document) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_container(bytes(document))
    except XRoadFault:
        return
