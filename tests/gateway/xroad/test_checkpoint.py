from __future__ import annotations

import base64
import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.checkpoint import (
    Checkpoint,
    LedgerHead,
    build_checkpoint,
    build_export,
    claimed_time,
    parse_checkpoint,
    parse_export,
    verify_checkpoint,
)
from gateway.xroad.digests import SignatureAlgorithm, digest_of
from gateway.xroad.faults import MalformedMessage, SignatureRefused, XRoadFault
from gateway.xroad.identifiers import MemberId, SecurityServerId
from gateway.xroad.ledger import HASH_BYTES
from gateway.xroad.pki.certificates import key_of, load_certificate
from gateway.xroad.pki.ocsp import Status
from tests.factories.ledger import a_checkpoint, a_head
from tests.factories.messages import a_member
from tests.factories.openssl import openssl
from tests.factories.pki import NOON, RSA, a_root, a_token
from tests.factories.signatures import a_world

GLOBALCONF = a_world().globalconf
TEXT = build_checkpoint(a_checkpoint())  # made once: no two ECDSA signatures are the same

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(str.strip)
blobs = st.binary(min_size=1, max_size=90)
times = st.datetimes(datetime(1900, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC)).map(
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)
)
heads = st.builds(
    LedgerHead,
    st.builds(SecurityServerId, st.builds(MemberId, names, names, names), names),
    st.integers(1, 2**63 - 1),
    st.binary(min_size=HASH_BYTES, max_size=HASH_BYTES),
    times,
)
checkpoints = st.builds(
    Checkpoint,
    heads,
    st.sampled_from(SignatureAlgorithm),
    blobs,
    blobs,
    st.lists(blobs, max_size=3).map(tuple),
    st.lists(blobs, min_size=1, max_size=3).map(tuple),
    blobs,
)


def refusal_of(checkpoint: Checkpoint) -> str:
    with pytest.raises(SignatureRefused) as refused:
        verify_checkpoint(checkpoint, GLOBALCONF)
    return refused.value.text_id


@given(checkpoints)
def test_parsing_gives_back_what_was_built(checkpoint: Checkpoint) -> None:
    assert parse_checkpoint(build_checkpoint(checkpoint)) == checkpoint


@given(st.binary(max_size=400))
def test_any_bytes_are_parsed_or_refused(text: bytes) -> None:
    try:
        parse_checkpoint(text)
    except XRoadFault:
        return
    raise AssertionError("nobody writes a checkpoint by chance")


@given(st.data())
def test_a_text_has_one_spelling(data: st.DataObject) -> None:
    text = bytearray(TEXT)
    place = data.draw(st.integers(0, len(text) - 1))
    text[place] = data.draw(st.integers(0, 255))
    try:
        parsed = parse_checkpoint(bytes(text))
    except MalformedMessage:
        return
    assert build_checkpoint(parsed) == bytes(text)


@pytest.mark.parametrize(
    ("field", "old", "new"),
    [
        ("title", b"checkpoint 1", b"checkpoint 2"),
        ("origin", b"UA-DEMO/GOV", b"UA-DEMO"),
        ("origin", b"UA-DEMO", b"%55A-DEMO"),
        ("size", b"size 3", b"size 03"),
        ("size", b"size 3", b"size 0"),
        ("size", b"size 3", b"size 9999999999999999999"),
        ("size", b"size 3", b"size  3"),
        ("time", b".000Z", b"Z"),
        ("time", b"T12:", b"T25:"),
        ("algorithm", b"#ecdsa-sha512", b"#ecdsa-sha1"),
        ("algorithm", b"\nalgorithm", b"\r\nalgorithm"),
        ("ocsp", b"ocsp ", b"crl "),
    ],
)
def test_other_spellings_are_refused(field: str, old: bytes, new: bytes) -> None:
    assert old in TEXT
    with pytest.raises(MalformedMessage) as refused:
        parse_checkpoint(TEXT.replace(old, new, 1))
    found = refused.value.facts["field"]
    assert found == field or (field, found) in {("ocsp", "timestamp"), ("algorithm", "time")}


def test_checkpoint_without_status_is_refused() -> None:
    with pytest.raises(MalformedMessage):
        parse_checkpoint(build_checkpoint(a_checkpoint(ocsp_responses=())))


def test_text_is_the_documented_one() -> None:
    lines = build_checkpoint(a_checkpoint()).decode().split("\n")
    root = base64.b64encode(bytes(range(32))).decode()
    assert lines[:5] == [
        "surma checkpoint 1",
        "origin UA-DEMO/GOV/10000001/SS1",
        "size 3",
        f"root {root}",
        "time 2026-11-21T12:00:00.000Z",
    ]
    assert [line.partition(" ")[0] for line in lines[5:]] == [
        "algorithm", "signature", "certificate", "ocsp", "timestamp", "",
    ]  # fmt: skip


# Exports


def leaves_of(size: int = 3) -> list[bytes]:
    return [bytes([number % 256]) * HASH_BYTES for number in range(size)]


def exported(size: int = 3) -> bytes:
    note = build_checkpoint(a_checkpoint(a_head(size=size)))
    return b"".join(build_export(note, size, leaves_of(size)))


@pytest.mark.parametrize("size", [1, 3, 1024, 1025])
def test_export_gives_back_checkpoint_and_leaves(size: int) -> None:
    export = parse_export(exported(size).splitlines(keepends=True))
    assert export.checkpoint.head.size == size
    assert export.leaves == b"".join(leaves_of(size))
    assert export.leaf(size - 1) == leaves_of(size)[-1]


def test_export_may_be_the_checkpoint_alone() -> None:
    assert parse_export([*build_checkpoint(a_checkpoint()).splitlines(keepends=True)]).leaves is None


def test_checkpoint_alone_has_no_leaves() -> None:
    with pytest.raises(MalformedMessage):
        parse_checkpoint(exported())


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-1],
        lambda text: text + b"\n",
        lambda text: text[: -1 - 44],
        lambda text: text.replace(b"leaves 3", b"leaves 2"),
        lambda text: text.replace(b"\n\nleaves", b"\nleaves"),
        lambda text: text.replace(b"AAAA=\n", b"AAAB=\n"),
        lambda text: text[: text.index(b"\nleaves") + 1],
    ],
)
def test_damaged_leaves_are_refused(damage: object) -> None:
    with pytest.raises(MalformedMessage) as refused:
        parse_export(damage(exported()).splitlines(keepends=True))  # type: ignore[operator]
    assert refused.value.facts == {"field": "leaves"}


# Verification


def test_checkpoint_of_the_servers_owner_holds() -> None:
    checkpoint = a_checkpoint(stamped_at=NOON + timedelta(seconds=2))
    verdict = verify_checkpoint(checkpoint, GLOBALCONF)
    assert verdict.checkpoint is checkpoint
    assert verdict.time == NOON + timedelta(seconds=2) == claimed_time(checkpoint)
    assert verdict.authority == a_world().hierarchy.tsa.certificate
    assert verdict.path[-1] == a_world().hierarchy.root.certificate


def test_checkpoint_by_an_rsa_key_below_an_intermediate_holds() -> None:
    world = a_world(RSA)
    world.signer(a_member(), below="issuing")
    checkpoint = a_checkpoint(world=world, identity=world.identity(below="issuing"))
    assert len(verify_checkpoint(checkpoint, world.globalconf).path) in (2, 3)


@pytest.mark.parametrize("change", [{"size": 4}, {"root": bytes(32)}, {"time": NOON + timedelta(milliseconds=1)}])
def test_altered_head_does_not_hold(change: dict[str, object]) -> None:
    altered = dataclasses.replace(a_checkpoint(), head=a_head(**change))
    assert refusal_of(altered) == "pki.signature_invalid"


def test_head_of_another_server_of_the_same_owner_does_not_hold() -> None:
    other = a_head(origin=SecurityServerId(a_member(), "SS9"))
    assert refusal_of(dataclasses.replace(a_checkpoint(), head=other)) == "pki.signature_invalid"


def test_signature_by_another_member_does_not_hold() -> None:
    other = a_world().identity(a_member("10000002"))
    assert refusal_of(a_checkpoint(identity=other)) == "signature.other_member"


def test_certificate_that_is_not_for_signing_does_not_hold() -> None:
    world = a_world()
    certificate = world.hierarchy.tsa.der
    assert refusal_of(a_checkpoint(certificate_der=certificate)) == "signature.not_a_signing_certificate"


def test_certificate_of_a_ca_that_nobody_approved_does_not_hold() -> None:
    stranger = a_root("Stranger CA").signer(a_member())
    assert refusal_of(a_checkpoint(certificate_der=stranger.der)) == "signature.issuer_not_approved"


def test_revoked_certificate_does_not_hold() -> None:
    world = a_world()
    issued = world.signer(a_member())
    status = world.hierarchy.status_of(issued.certificate, status=Status.REVOKED)
    assert refusal_of(a_checkpoint(ocsp_responses=(status,))) == "pki.ocsp_status"


def test_status_of_another_time_does_not_hold() -> None:
    world = a_world()
    issued = world.signer(a_member())
    status = world.hierarchy.status_of(issued.certificate, this_update=NOON - timedelta(days=3))
    assert refusal_of(a_checkpoint(ocsp_responses=(status,))) == "pki.ocsp_too_old"


def test_status_of_another_certificate_does_not_hold() -> None:
    world = a_world()
    status = world.hierarchy.status_of(world.signer(a_member("10000002")).certificate)
    assert refusal_of(a_checkpoint(ocsp_responses=(status,))) == "pki.ocsp_missing"


def test_time_stamp_over_something_else_does_not_hold() -> None:
    token = a_world().hierarchy.timestamp(digest_of(b"another"))
    assert refusal_of(a_checkpoint(timestamp=token)) == "pki.timestamp_imprint"


def test_time_stamp_of_a_stranger_does_not_hold() -> None:
    checkpoint = a_checkpoint()
    token = a_token(digest_of(checkpoint.signature), a_root("Stranger CA").tsa("Stranger TSA"))
    stamped = dataclasses.replace(checkpoint, timestamp=token)
    assert refusal_of(stamped) == "pki.timestamp_authority_unknown"


@pytest.mark.parametrize("stamped_at", [NOON + timedelta(hours=2), NOON - timedelta(hours=2)])
def test_stated_time_far_from_the_stamp_does_not_hold(stamped_at: datetime) -> None:
    assert refusal_of(a_checkpoint(stamped_at=stamped_at)) == "ledger.checkpoint_time"


def test_anybody_can_check_it_with_openssl(tmp_path: Path) -> None:
    checkpoint = a_checkpoint()
    files = {
        "head": b"".join(build_checkpoint(checkpoint).splitlines(keepends=True)[:5]),
        "signature": checkpoint.signature,
        "token": checkpoint.timestamp,
        "key": key_of(load_certificate(checkpoint.certificate_der)).public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        ),
        "tsa": a_world().hierarchy.tsa.pem,
        "ca": a_world().hierarchy.root.pem,
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    said = openssl(
        "dgst", "-sha512", "-verify", tmp_path / "key", "-signature", tmp_path / "signature", tmp_path / "head"
    )
    assert "Verified OK" in said
    said = openssl(
        "ts", "-verify", "-data", tmp_path / "signature", "-in", tmp_path / "token", "-token_in",
        "-CAfile", tmp_path / "ca", "-untrusted", tmp_path / "tsa", "-attime", str(int(NOON.timestamp())),
    )  # fmt: skip
    assert "Verification: OK" in said
