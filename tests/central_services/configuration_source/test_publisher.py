"""Publishing: every version or none, at once, verifiable, and for long enough."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from central_services.configuration_source.model import SourceType
from central_services.configuration_source.publisher import Publisher, PublishingImpossible
from central_services.main import CentralServices
from gateway.runtime.clock import FixedClock, SystemClock
from gateway.xroad.digests import DigestAlgorithm
from gateway.xroad.faults import ConfigurationUnusable
from gateway.xroad.globalconf.directory import parse_directory
from gateway.xroad.identifiers import MemberId
from tests.factories.central import AdminClient, add_member
from tests.factories.openssl import openssl
from tests.factories.published import anchor_of, published


async def fetch(running: CentralServices, path: str) -> httpx.Response:
    """Ask the configuration source."""
    async with httpx.AsyncClient() as http:
        return await http.get(f"http://127.0.0.1:{running.ports.configuration}{path}")


def a_publisher(running: CentralServices, directory: Path, clock: FixedClock) -> Publisher:
    """A publisher of the same registry into another directory, under another clock."""
    central = running.central
    return Publisher(
        central.database,
        central.token,
        directory,
        clock,
        running.settings.configuration,
        management_certificate=b"certificate",
        port=lambda: 80,
    )


async def test_every_version_of_both_sources_verifies_under_its_anchor(running: CentralServices) -> None:
    for source in SourceType:
        anchor = await anchor_of(running, source)
        for version in (2, 3, 4, 5, 6):
            conf = await published(running, version, anchor)
            assert conf.version == version
            assert conf.member_name(MemberId("UA-DEMO", "GOV", "10000000")) == "Administrator"
            assert (conf.private is not None) == (source is SourceType.INTERNAL)


async def test_openssl_verifies_the_signature(running: CentralServices, tmp_path: Path) -> None:
    directory = parse_directory((await fetch(running, "/internalconf?version=6")).content)
    anchor = await anchor_of(running)
    (tmp_path / "cert.der").write_bytes(anchor.certificates[0])
    (tmp_path / "key.pem").write_text(
        openssl("x509", "-inform", "DER", "-in", tmp_path / "cert.der", "-pubkey", "-noout")
    )
    (tmp_path / "signature").write_bytes(directory.signature)
    (tmp_path / "signed").write_bytes(directory.signed)
    assert directory.algorithm.digest_algorithm is DigestAlgorithm.SHA512
    said = openssl(
        "dgst", "-sha512", "-verify", tmp_path / "key.pem", "-signature", tmp_path / "signature", tmp_path / "signed"
    )
    assert "Verified OK" in said


async def test_a_key_of_the_other_source_does_not_count(running: CentralServices) -> None:
    from dataclasses import replace

    internal, external = await anchor_of(running), await anchor_of(running, SourceType.EXTERNAL)
    mixed = replace(internal, sources=(replace(internal.sources[0], certificates=external.certificates),))
    with pytest.raises(ConfigurationUnusable) as refusal:
        await published(running, 6, mixed)
    assert refusal.value.code == "global_conf_missing_verification_cert"


async def test_it_holds_ten_minutes_and_is_made_anew_long_before(running: CentralServices) -> None:
    publication = await running.publisher.publish()
    left = publication.expires_at - publication.published_at
    assert timedelta(seconds=599) <= left <= timedelta(seconds=600)
    assert running.settings.configuration.refresh_interval_s * 5 < left.total_seconds()


async def test_parts_stay_while_an_old_directory_may_still_be_read(
    ready: AdminClient, running: CentralServices
) -> None:
    before = running.publisher.last
    assert before is not None
    await add_member(ready, "20000001")
    part = await fetch(running, f"/V6/{before.name}/shared-params.xml")
    assert part.status_code == 200
    assert b"20000001" not in part.content


async def test_parts_go_ten_minutes_after_they_were_replaced(running: CentralServices, tmp_path: Path) -> None:
    clock = FixedClock(SystemClock().now())
    publisher = a_publisher(running, tmp_path / "public", clock)
    names = []
    for _ in range(12):
        names.append((await publisher.publish()).name)
        clock.advance(seconds=60)
    kept = sorted(path.name for path in publisher.directory.iterdir() if path.name.isdecimal())
    assert kept == names
    await publisher.publish()
    assert not (publisher.directory / names[0]).exists()
    assert (publisher.directory / names[1]).exists()


async def test_generations_of_one_moment_have_different_names(running: CentralServices, tmp_path: Path) -> None:
    publisher = a_publisher(running, tmp_path / "public", FixedClock(SystemClock().now()))
    names = [(await publisher.publish()).name for _ in range(3)]
    assert names == sorted(set(names))
    assert all(name.isdecimal() for name in names)


async def test_a_failure_in_one_version_publishes_none(running: CentralServices, tmp_path: Path) -> None:
    clock = FixedClock(SystemClock().now())
    publisher = a_publisher(running, tmp_path / "public", clock)
    first = await publisher.publish()
    blocked = publisher.directory / f".{int(first.name) + 1}" / "V5"
    blocked.mkdir(parents=True)
    with pytest.raises(FileExistsError):
        await publisher.publish()
    assert os.readlink(publisher.directory / "current") == first.name
    assert sorted(path.name for path in publisher.directory.iterdir()) == sorted([first.name, "current"])


async def test_after_a_failure_it_publishes_again(running: CentralServices, tmp_path: Path) -> None:
    publisher = a_publisher(running, tmp_path / "public", FixedClock(SystemClock().now()))
    running.token.logout()
    with pytest.raises(PublishingImpossible) as reason:
        await publisher.publish()
    assert reason.value.text_id == "central.token_not_logged_in"
    running.token.login("Secret-Pin-1")
    assert (await publisher.publish()).name


async def test_callers_who_wait_together_share_a_publication(running: CentralServices, tmp_path: Path) -> None:
    publisher = a_publisher(running, tmp_path / "public", FixedClock(SystemClock().now()))
    made = await asyncio.gather(*(publisher.publish() for _ in range(10)))
    assert len({item.name for item in made}) <= 2


async def test_a_reader_never_sees_two_generations_in_one_directory(
    ready: AdminClient, running: CentralServices
) -> None:
    stop = asyncio.Event()
    seen = 0

    async def read() -> None:
        nonlocal seen
        while not stop.is_set():
            await published(running)
            seen += 1

    reader = asyncio.create_task(read())
    for number in range(4):
        await add_member(ready, f"3000000{number}")
    stop.set()
    await reader
    assert seen > 0


async def test_rolling_a_key_over_does_not_break_who_holds_the_anchor(
    ready: AdminClient, running: CentralServices
) -> None:
    path = "/configuration-sources/INTERNAL/signing-keys"
    new = await ready.call("POST", path, json={"key_label": "next", "token_id": "0"})
    assert not new["active"]
    anchor = await anchor_of(running)
    assert len(anchor.certificates) == 2
    await published(running, anchor=anchor)
    await ready.call("PUT", f"/signing-keys/{new['id']}/activate", 204)
    await published(running, anchor=anchor)
    tokens = await ready.call("GET", "/tokens")
    keys = {key["id"]: key for key in tokens[0]["configuration_signing_keys"] if key["source_type"] == "INTERNAL"}
    old = next(key_id for key_id in keys if key_id != new["id"])
    await ready.call("DELETE", f"/signing-keys/{old}", 204)
    await published(running, anchor=anchor)
    assert len((await anchor_of(running)).certificates) == 1


async def test_the_key_that_signs_is_not_deleted(ready: AdminClient) -> None:
    tokens = await ready.call("GET", "/tokens")
    active = tokens[0]["configuration_signing_keys"][0]
    assert active["possible_actions"] == []
    code = await ready.error("DELETE", f"/signing-keys/{active['id']}", 400)
    assert code == "signing_key_action_not_possible"


async def test_an_independent_reader_finds_the_signed_bytes(running: CentralServices, tmp_path: Path) -> None:
    """Python's own MIME parser, which knows nothing of us, sees the structure the reference describes."""
    from email.parser import BytesParser

    raw = (await fetch(running, "/internalconf?version=2")).content
    message = BytesParser().parsebytes(raw)
    content, seal = message.get_payload()
    assert message.get_content_type() == "multipart/related"
    assert content.get_content_type() == "multipart/mixed"
    assert [part["Content-identifier"] for part in content.get_payload()[1:]] == [
        "PRIVATE-PARAMETERS; instance='UA-DEMO'",
        "SHARED-PARAMETERS; instance='UA-DEMO'",
    ]
    assert "Verification-certificate-hash" in seal
