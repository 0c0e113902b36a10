from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.configuration_client.cache import Cache
from gateway.configuration_client.client import ConfigurationClient
from gateway.configuration_client.downloader import Downloader
from gateway.configuration_client.history import History
from gateway.configuration_client.model import AnchorRefused
from gateway.configuration_client.provider import ConfigurationProvider
from gateway.runtime.clock import FixedClock
from gateway.xroad.faults import ConfigurationUnusable
from gateway.xroad.globalconf.shared_parameters import ConfigurationSource
from tests.factories.globalconf import (
    NOW,
    Web,
    a_key_pair,
    a_private_parameters,
    a_shared_parameters,
    a_source,
)

SHARED = a_shared_parameters(sources=(ConfigurationSource("central.test", (a_key_pair("conf").der,)),))


class Gateway:
    """A configuration client with its disk, its network and its clock."""

    def __init__(self, root: Path, web: Web | None = None, **options: object) -> None:
        self.clock = FixedClock(NOW)
        self.web = web or Web().publish(a_source(shared=SHARED))
        self.cache = Cache(root)
        self.history = History(root / "history")
        self.provider = ConfigurationProvider(self.cache, self.clock, history=self.history)
        self.client = ConfigurationClient(
            cache=self.cache,
            downloader=Downloader(self.web.get, self.clock),
            provider=self.provider,
            clock=self.clock,
            history=self.history,
            **options,  # type: ignore[arg-type]
        )

    def hand_over(self, anchor_xml: bytes | None = None) -> None:
        self.cache.write_anchor(anchor_xml or a_source().anchor_xml())


async def test_a_refresh_downloads_records_stores_and_uses(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    gateway.hand_over()
    status = await gateway.client.refresh_now()
    assert status.failure is None
    assert status.previous_update == status.last_success == NOW
    assert status.next_update == NOW + timedelta(seconds=60)
    assert status.last_url == "http://central.test/internalconf"
    assert gateway.provider.current().instance == "TEST"
    assert len(gateway.history.entries()) == 1
    assert Gateway(tmp_path).provider.load()


async def test_without_an_anchor_the_status_says_so(tmp_path: Path) -> None:
    status = await Gateway(tmp_path).client.refresh_now()
    assert status.failure is not None
    assert status.failure.code == "anchor_file_not_found"


async def test_a_failed_refresh_keeps_the_configuration_until_it_expires(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    gateway.hand_over()
    await gateway.client.refresh_now()
    gateway.web.dead = ("http://",)
    gateway.clock.advance(seconds=60)

    status = await gateway.client.refresh_now()
    assert status.failure is not None
    assert status.failure.code == "global_conf_download_url_connection_failure"
    assert (status.last_success, status.last_url) == (NOW, "http://central.test/internalconf")
    assert gateway.provider.current().instance == "TEST"

    gateway.clock.advance(seconds=600)
    with pytest.raises(ConfigurationUnusable):
        gateway.provider.current()


async def test_an_expired_configuration_recovers_by_itself(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    gateway.hand_over()
    await gateway.client.refresh_now()
    gateway.clock.advance(seconds=1000)
    assert (await gateway.client.refresh_now()).failure is not None
    gateway.web.publish(a_source(shared=SHARED, expires_at=NOW + timedelta(seconds=2000)))
    assert (await gateway.client.refresh_now()).failure is None
    assert gateway.provider.current().expires_at == NOW + timedelta(seconds=2000)


async def test_what_cannot_be_kept_is_not_used(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    gateway.hand_over()
    (tmp_path / "history").write_bytes(b"a file where the folder should be")
    status = await gateway.client.refresh_now()
    assert status.failure is not None
    assert status.failure.text_id == "configuration.not_stored"
    with pytest.raises(ConfigurationUnusable):
        gateway.provider.current()


async def test_failures_of_federated_instances_are_told_and_not_fatal(tmp_path: Path) -> None:
    partner = a_source(instance="PARTNER", base_url="http://partner.test", path="/externalconf")
    own = a_source(shared=SHARED, private=a_private_parameters(anchors=(partner.anchor(),)))
    gateway = Gateway(tmp_path, Web().publish(own), allowed_federations=["all"])
    gateway.hand_over()
    status = await gateway.client.refresh_now()
    assert status.failure is None
    assert set(status.federated_failures) == {"PARTNER"}


async def test_the_loop_starts_from_the_disk_and_goes_on(tmp_path: Path) -> None:
    first = Gateway(tmp_path)
    first.hand_over()
    await first.client.refresh_now()

    gateway = Gateway(tmp_path, Web(dead=("http://",)), interval_s=0.001)
    await gateway.client.start()
    try:
        assert gateway.provider.current().instance == "TEST"
        gateway.web.dead = ()
        gateway.web.publish(a_source(shared=a_shared_parameters(ocsp_freshness_s=5)))
        async with asyncio.timeout(5):
            while gateway.provider.current().ocsp_freshness_s != 5:
                await asyncio.sleep(0.001)
    finally:
        await gateway.client.stop()


async def test_an_anchor_is_tried_stored_and_used_before_the_answer(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    taken = await gateway.client.set_anchor(a_source().anchor_xml())
    assert taken.anchor == a_source().anchor()
    assert gateway.client.anchor() == taken
    assert gateway.provider.current().instance == "TEST"


@pytest.mark.parametrize(
    ("web", "anchor", "code"),
    [
        (Web(), b"<x/>", "malformed_anchor"),
        (Web(), a_source(base_url="https://central.test").anchor_xml(), "malformed_anchor"),
        (Web(dead=("http://",)), a_source().anchor_xml(), "conf_verification.unreachable"),
        (Web(), a_source().anchor_xml(), "conf_verification.unreachable"),
        (Web().publish(a_source(expires_at=NOW)), a_source().anchor_xml(), "conf_verification.outdated"),
        (
            Web().publish(a_source()),
            a_source(anchor_certificates=(a_key_pair("other").der,)).anchor_xml(),
            "conf_verification.signature_invalid",
        ),
        (
            Web().publish(a_source(path="/externalconf")),
            a_source(path="/externalconf").anchor_xml(),
            "conf_verification.missing_private_params",
        ),
        (Web().publish(a_source()), a_source(instance="OTHER").anchor_xml(), "conf_verification.other"),
    ],
)
async def test_an_anchor_that_fails_its_trial_changes_nothing(
    tmp_path: Path, web: Web, anchor: bytes, code: str
) -> None:
    gateway = Gateway(tmp_path, web)
    with pytest.raises(AnchorRefused) as caught:
        await gateway.client.set_anchor(anchor)
    assert caught.value.code == code
    assert gateway.client.anchor() is None


async def test_replacing_an_anchor_insists_on_the_instance(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    await gateway.client.set_anchor(a_source().anchor_xml())
    other = a_source(instance="OTHER").anchor_xml()
    with pytest.raises(AnchorRefused) as caught:
        await gateway.client.set_anchor(other, keep_instance=True)
    assert caught.value.code == "internal_anchor_upload_invalid_instance_id"
    assert gateway.client.preview_anchor(other).anchor.instance == "OTHER"


async def test_an_anchor_whose_real_download_fails_is_told_apart(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    (tmp_path / "history").write_bytes(b"a file where the folder should be")
    with pytest.raises(AnchorRefused) as caught:
        await gateway.client.set_anchor(a_source().anchor_xml())
    assert caught.value.code == "conf_download_failed"
