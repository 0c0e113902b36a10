"""Directories recorded from a real signer, and broken ones, against the verdicts of a real client."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.configuration_client.cache import Cache
from gateway.configuration_client.downloader import Downloader
from gateway.configuration_client.model import DownloadFailed, Generation
from gateway.runtime.clock import FixedClock
from gateway.runtime.fetch import Fetched, FetchError
from gateway.xroad.digests import digest_of
from gateway.xroad.faults import MalformedMessage, XRoadFault
from gateway.xroad.globalconf.anchor import anchor_hash, build_anchor, parse_anchor
from gateway.xroad.globalconf.directory import (
    DirectoryContent,
    build_directory,
    build_signed_content,
    parse_directory,
    parse_signed_content,
    read_entry,
    read_expiry,
    read_version,
)
from gateway.xroad.globalconf.private_parameters_xml import build_private_parameters, parse_private_parameters
from gateway.xroad.globalconf.schemas import SCHEMAS
from gateway.xroad.globalconf.shared_parameters_xml import build_shared_parameters, parse_shared_parameters
from gateway.xroad.globalconf.trusted import Role, TrustedConfiguration
from gateway.xroad.globalconf.verification_conf import read_verification_conf
from gateway.xroad.identifiers import parse_client, parse_member, parse_server
from gateway.xroad.pki.certificates import der_of, load_certificate
from tests.factories.recordings import find_vectors, vectors

NOW = datetime(2027, 1, 1, tzinfo=UTC)

# Where our code is not the recorded first error: case -> our code, and why.
OTHER_CODES = {
    "version-7": ("global_conf_header_field_wrong_value", "recorded: a Java exception without code"),
    "version-text": ("global_conf_header_field_wrong_value", "recorded: a Java exception without code"),
    "expire-malformed": ("global_conf_header_field_wrong_value", "recorded: a Java exception without code"),
    "algorithm-unknown": ("unsupported_sign_algorithm", "recorded: internal_error, which says less"),
    "anchor-not-xml": ("malformed_anchor", "the code of the admin API for the same file"),
    "anchor-no-source": ("malformed_anchor", "the code of the admin API for the same file"),
    "no-identifier": ("global_conf_header_field_missing", "accepted by 7.8.0"),
    "no-shared": ("global_conf_parsing_downloaded_conf_directory_failure", "accepted by 7.8.0"),
    "no-private": ("global_conf_parsing_downloaded_conf_directory_failure", "accepted by 7.8.0"),
    "shared-twice": ("global_conf_parsing_downloaded_conf_directory_failure", "accepted by 7.8.0"),
    "sha1-signature": ("unsupported_sign_algorithm", "accepted by 7.8.0"),
    "part-doctype": ("malformed_global_conf", "accepted by 7.8.0"),
    "anchor-other-instance": ("global_conf_part_invalid_instance_identifier", "accepted by 7.8.0"),
    "anchor-https-only": ("malformed_anchor", "7.8.0 finds no address and says nothing"),
}

BROKEN_ANCHORS = ("anchor-not-xml.xml", "anchor-no-source.xml", "anchor-no-instance.xml")


def _cases() -> list[dict[str, Any]]:
    folder = find_vectors()
    if folder is None:
        return []
    cases: list[dict[str, Any]] = json.loads((folder / "globalconf/verdicts.json").read_text())["cases"]
    return cases


class RecordedSource:
    """Answers over http as the recording did; nothing listens for https, nor on the first of two sources."""

    def __init__(self, case: dict[str, Any], folder: Path) -> None:
        self.case = case
        self.folders = (folder / case["folder"] / "www", folder / "www")
        self.directory = (folder / case["folder"] / "directory").read_bytes()
        self.requests: list[str] = []

    async def get(self, url: str, *, max_bytes: int | None = None) -> Fetched:
        parts = urlsplit(url)
        if parts.scheme == "https" or parts.port != 9100:
            raise FetchError(url, "connection refused")
        self.requests.append(parts.path + (f"?{parts.query}" if parts.query else ""))
        if parts.path == self.case["directory_path"]:
            return Fetched(url, self.case["directory_status"], {}, self.directory)
        for folder in self.folders:
            file = folder / parts.path.lstrip("/")
            if parts.path not in self.case["missing"] and file.is_file():
                return Fetched(url, 200, {}, file.read_bytes())
        return Fetched(url, 404, {}, b"")


async def _download(case: dict[str, Any], folder: Path, cache: Cache) -> TrustedConfiguration:
    if case["anchor"] is not None:
        cache.write_anchor((folder / case["anchor"]).read_bytes())
    anchor = cache.read_anchor().anchor
    role = Role.FEDERATED if case["directory_path"] == "/externalconf" else Role.OWN
    downloader = Downloader(RecordedSource(case, folder).get, FixedClock(NOW))
    return (await downloader.download(anchor, role=role)).configuration


@pytest.mark.parametrize("case", _cases(), ids=lambda case: case["name"])
async def test_the_verdict_is_the_one_that_is_expected_of_us(case: dict[str, Any], tmp_path: Path) -> None:
    try:
        configuration = await _download(case, vectors() / "globalconf", Cache(tmp_path))
        code = None
    except XRoadFault as fault:
        configuration, code = None, fault.code

    if case["expected"] != "either":
        assert (configuration is not None) == (case["expected"] == "accept")
    if configuration is None:
        assert code == (OTHER_CODES[case["name"]][0] if case["name"] in OTHER_CODES else case["verdict"]["code"])


@pytest.mark.parametrize(
    "case", [case for case in _cases() if case["expected"] == "accept"], ids=lambda case: case["name"]
)
async def test_accepted_parts_are_asked_for_and_stored_as_a_real_client_does(
    case: dict[str, Any], tmp_path: Path
) -> None:
    folder = vectors() / "globalconf"
    cache = Cache(tmp_path)
    cache.store(Generation(await _download(case, folder, cache)))

    current = cache.current_path()
    assert current is not None
    stored = sorted(str(path.relative_to(current)) for path in current.rglob("*") if path.is_file())
    assert [path for path in stored if not path.endswith("/.directory")] == sorted(case["stored"])


async def test_the_first_telling_error_wins_over_refused_connections(tmp_path: Path) -> None:
    case = next((case for case in _cases() if case["name"] == "signature-byte"), None)
    if case is None:
        vectors()
    assert case is not None
    with pytest.raises(DownloadFailed) as caught:
        await _download(case, vectors() / "globalconf", Cache(tmp_path))
    codes = {fault.code for _, fault in caught.value.attempts}
    assert codes == {"global_conf_download_url_connection_failure", "global_conf_signature_verification_failure"}


def test_every_readable_anchor_is_written_again_with_the_same_facts() -> None:
    for path in (vectors() / "globalconf/anchors").iterdir():
        if path.name in BROKEN_ANCHORS:
            with pytest.raises(MalformedMessage):
                parse_anchor(path.read_bytes())
            continue
        anchor = parse_anchor(path.read_bytes())
        assert parse_anchor(build_anchor(anchor)) == anchor
        assert len(anchor_hash(path.read_bytes()).split(":")) == 28


@pytest.mark.parametrize("case", ["v2", "v3", "v4", "v5", "v6", "v6-monitoring", "v6-second-key", "v6-external"])
def test_we_write_a_directory_byte_for_byte_as_the_real_signer(case: str) -> None:
    raw = (vectors() / f"globalconf/good/{case}/directory").read_bytes()
    claimed = parse_directory(raw)
    head, *parts = parse_signed_content(claimed)
    content = DirectoryContent(read_expiry(head), read_version(head), tuple(map(read_entry, parts)))
    anchor = parse_anchor((vectors() / "globalconf/anchors/anchor.xml").read_bytes())
    signer = next(der for der in anchor.certificates if digest_of(der) == claimed.certificate_hash)
    outer = raw.split(b"boundary=", 1)[1].split(b"\r\n", 1)[0].decode()

    assert build_signed_content(content, claimed.inner_boundary) == claimed.signed
    boundaries = (outer, claimed.inner_boundary)
    assert (
        build_directory(content, lambda _: claimed.signature, claimed.algorithm, signer, boundaries=boundaries) == raw
    )


@pytest.mark.parametrize("version", SCHEMAS)
def test_stored_parameters_of_each_version_are_written_again_with_the_same_facts(version: int) -> None:
    folder = vectors() / f"trust/globalconf-v{version}/TEST"
    shared = parse_shared_parameters((folder / "shared-params.xml").read_bytes(), version)
    private = parse_private_parameters((folder / "private-params.xml").read_bytes(), version)

    assert parse_shared_parameters(build_shared_parameters(shared, version), version) == shared
    assert parse_private_parameters(build_private_parameters(private, version), version) == private


@pytest.mark.parametrize("version", SCHEMAS)
def test_a_stored_configuration_answers_who_is_who(version: int) -> None:
    folder = vectors() / f"trust/globalconf-v{version}"
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    globalconf = read_verification_conf(files)
    auth = (vectors() / "trust/certs/SS1-auth.pem").read_bytes()
    sign = (vectors() / "trust/certs/SS3-sign.pem").read_bytes()
    rogue = (vectors() / "trust/certs/rogue-same-name-sign.pem").read_bytes()

    assert globalconf.version == version
    assert globalconf.server_of_certificate(der_of(load_certificate(auth))) == parse_server("TEST/GOV/1001/SS1")
    assert globalconf.member_of(load_certificate(sign), "TEST") == parse_member("TEST/ORG/3003")
    assert globalconf.issuer_of(load_certificate(rogue)) is None
    assert [s.address for s in globalconf.servers_of(parse_client("TEST/COM/2002/service"))] == ["127.0.7.2"]
