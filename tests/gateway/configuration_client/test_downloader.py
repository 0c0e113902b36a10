from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gateway.configuration_client.downloader import Downloader, open_fetcher
from gateway.configuration_client.model import DownloadFailed
from gateway.runtime.clock import FixedClock
from gateway.xroad.faults import MalformedMessage
from gateway.xroad.globalconf.anchor import Anchor, AnchorSource
from gateway.xroad.globalconf.shared_parameters import ConfigurationSource
from gateway.xroad.globalconf.trusted import Role
from tests.factories.globalconf import (
    NOW,
    Source,
    Web,
    a_key_pair,
    a_private_parameters,
    a_shared_parameters,
    a_source,
)

NO_SOURCES = a_shared_parameters(sources=(ConfigurationSource("central.test"),))


def _downloader(web: Web, clock: FixedClock | None = None) -> Downloader:
    return Downloader(web.get, clock or FixedClock(NOW), shuffle=lambda locations: None)


def _http(web: Web) -> list[str]:
    return [url.removeprefix("http://central.test") for url in web.requests if url.startswith("http://central.test/")]


async def test_the_newest_version_is_found_by_asking_and_its_answer_is_used() -> None:
    web = Web().publish(a_source())
    downloaded = await _downloader(web).download(a_source().anchor())
    assert downloaded.configuration.version == 6
    assert downloaded.url == "http://central.test/internalconf"
    assert web.requests[0] == "https://central.test/internalconf?version=6"
    assert _http(web) == [
        "/internalconf?version=6",
        "/V6/20260501120000000000000/shared-params.xml",
        "/V6/20260501120000000000000/private-params.xml",
    ]


@pytest.mark.parametrize("newest", [2, 3, 5])
async def test_versions_are_asked_for_downwards_until_one_exists(newest: int) -> None:
    source = a_source(versions=tuple(range(2, newest + 1)))
    web = Web().publish(source)
    downloaded = await _downloader(web).download(source.anchor())
    assert downloaded.configuration.version == newest
    asked = [path for path in _http(web) if path.startswith("/internalconf")]
    assert asked == [f"/internalconf?version={version}" for version in range(6, newest - 1, -1)]


async def test_any_status_but_404_means_that_the_version_exists() -> None:
    web = Web().publish(a_source())
    web.answers["http://central.test/internalconf?version=6"] = 500
    with pytest.raises(DownloadFailed) as caught:
        await _downloader(web).download(a_source().anchor())
    assert caught.value.code == "global_conf_download_url_connection_failure"
    assert caught.value.facts["reason"] == "HTTP 500"


async def test_a_version_in_the_address_is_respected() -> None:
    source = a_source()
    anchor = Anchor("TEST", (AnchorSource("http://central.test/internalconf?version=3", (source.signer.der,)),))
    downloaded = await _downloader(Web().publish(source)).download(anchor)
    assert downloaded.configuration.version == 3


async def test_a_source_that_does_not_answer_is_passed_over() -> None:
    source = a_source()
    sources = (AnchorSource("http://dead.test/internalconf", (source.signer.der,)), *source.anchor().sources)
    web = Web(dead=("http://dead.test",)).publish(source)
    downloader = _downloader(web)
    downloaded = await downloader.download(Anchor("TEST", sources))
    assert downloaded.url == "http://central.test/internalconf"

    web.requests.clear()
    await downloader.download(Anchor("TEST", sources))
    assert web.requests[0] == "http://central.test/internalconf?version=6"


async def test_an_address_that_fails_is_no_longer_the_first() -> None:
    source = a_source()
    web = Web().publish(source)
    downloader = _downloader(web)
    await downloader.download(source.anchor())
    web.dead = ("http://central.test",)
    with pytest.raises(DownloadFailed):
        await downloader.download(source.anchor())
    web.requests.clear()
    with pytest.raises(DownloadFailed):
        await downloader.download(source.anchor())
    assert web.requests[0].startswith("https://")


async def test_the_fault_is_the_telling_one_and_every_attempt_is_listed() -> None:
    source = a_source(anchor_certificates=(a_key_pair("other").der,))
    with pytest.raises(DownloadFailed) as caught:
        await _downloader(Web().publish(source)).download(source.anchor())
    assert caught.value.code == "global_conf_missing_verification_cert"
    assert [url for url, _ in caught.value.attempts] == [
        "https://central.test/internalconf",
        "http://central.test/internalconf",
    ]


async def test_unchanged_files_are_not_asked_for_again() -> None:
    web = Web().publish(a_source(shared=NO_SOURCES))
    downloader = _downloader(web)
    known = (await downloader.download(a_source().anchor())).configuration
    web.publish(a_source(shared=NO_SOURCES, expires_at=NOW + timedelta(seconds=900), stamp="20260501120100000000000"))
    web.requests.clear()

    renewed = (await downloader.download(a_source().anchor(), known=known)).configuration
    assert web.requests == ["http://central.test/internalconf?version=6"]
    assert renewed.expires_at == NOW + timedelta(seconds=900)
    assert renewed.shared is known.shared


async def test_of_a_changed_configuration_only_the_changed_file_is_asked_for() -> None:
    web = Web().publish(a_source())
    downloader = _downloader(web)
    known = (await downloader.download(a_source().anchor())).configuration
    web.publish(a_source(private=a_private_parameters(timestamping_interval_s=5), stamp="20260501120100000000000"))
    web.requests.clear()

    changed = (await downloader.download(a_source().anchor(), known=known)).configuration
    assert changed.private is not None
    assert changed.private.timestamping_interval_s == 5
    assert _http(web)[1:] == ["/V6/20260501120100000000000/private-params.xml"]


async def test_a_new_key_and_address_that_the_configuration_announced_are_trusted() -> None:
    new_key = a_key_pair("new signing key")
    announced = ConfigurationSource("moved.test:8880", (a_key_pair("conf").der, new_key.der))
    old = a_source(shared=a_shared_parameters(sources=(announced,)))
    web = Web().publish(old)
    downloader = _downloader(web)
    known = (await downloader.download(old.anchor())).configuration

    web.answers.clear()
    web.publish(Source(base_url="http://moved.test:8880", shared=old.shared, signer=new_key))
    downloaded = await downloader.download(old.anchor(), known=known)
    assert downloaded.url == "http://moved.test:8880/internalconf"
    assert downloaded.configuration.directory.certificate_der == new_key.der


async def test_an_anchor_of_https_addresses_alone_is_refused_in_words() -> None:
    anchor = Anchor("TEST", (AnchorSource("https://central.test/internalconf", (b"x",)),))
    with pytest.raises(MalformedMessage) as caught:
        await _downloader(Web()).download(anchor)
    assert caught.value.text_id == "globalconf.anchor_without_http"


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://[/x", "ftp://central.test/x"])
async def test_a_part_elsewhere_than_on_the_web_is_not_fetched(location: str) -> None:
    from dataclasses import replace

    source = a_source()
    content = source.content(6)
    entries = (replace(content.entries[0], location=location), *content.entries[1:])
    web = Web({"http://central.test/internalconf?version=6": source.sign(replace(content, entries=entries))})
    with pytest.raises(DownloadFailed) as caught:
        await _downloader(web).download(source.anchor())
    assert caught.value.code == "global_conf_part_download_failure"


def _federation() -> tuple[Web, Source]:
    partner = a_source(instance="PARTNER", base_url="http://partner.test", path="/externalconf")
    own = a_source(private=a_private_parameters(anchors=(partner.anchor(),)))
    return Web().publish(own).publish(partner), own


@pytest.mark.parametrize(
    ("allowed", "known"),
    [((), set()), (("all",), {"PARTNER"}), (("partner",), {"PARTNER"}), (("OTHER",), set())],
)
async def test_only_allowed_federated_instances_are_downloaded(allowed: tuple[str, ...], known: set[str]) -> None:
    web, own = _federation()
    generation, url, failures = await _downloader(web).download_all(own.anchor(), None, allowed)
    assert set(generation.federated) == known
    assert (url, failures) == ("http://central.test/internalconf", {})
    assert any("partner.test" in asked for asked in web.requests) == bool(known)


async def test_of_a_federated_instance_only_shared_parameters_are_asked_for() -> None:
    web, own = _federation()
    generation, _, _ = await _downloader(web).download_all(own.anchor(), None, ["all"])
    asked = [url for url in web.requests if url.startswith("http://partner.test/V")]
    assert [url.rpartition("/")[2] for url in asked] == ["shared-params.xml"]
    assert generation.federated["PARTNER"].directory.role is Role.FEDERATED


async def test_a_failing_federated_instance_is_kept_until_it_expires_and_never_fatal() -> None:
    web, own = _federation()
    clock = FixedClock(NOW)
    downloader = _downloader(web, clock)
    first, _, _ = await downloader.download_all(own.anchor(), None, ["all"])
    web.dead = ("http://partner.test",)

    second, _, failures = await downloader.download_all(own.anchor(), first, ["all"])
    assert set(second.federated) == set(failures) == {"PARTNER"}

    clock.advance(seconds=601)
    web.publish(a_source(private=own.private, expires_at=NOW + timedelta(seconds=2000)))
    third, _, failures = await downloader.download_all(own.anchor(), second, ["all"])
    assert (set(third.federated), set(failures)) == (set(), {"PARTNER"})


@contextmanager
def _serving(source: Source) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = source.answers().get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_a_configuration_is_downloaded_over_a_real_connection() -> None:
    source = a_source(shared=NO_SOURCES)
    with _serving(source) as base_url:
        source.base_url = base_url
        async with open_fetcher() as fetcher:
            downloaded = await Downloader(fetcher.get, FixedClock(NOW)).download(source.anchor())
    assert downloaded.url == f"{base_url}/internalconf"
    assert downloaded.configuration.instance == "TEST"
