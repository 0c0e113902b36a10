from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.configuration_client.cache import Cache, instance_folder, read_tree
from gateway.configuration_client.model import Generation
from gateway.xroad.faults import ConfigurationUnusable, MalformedMessage
from gateway.xroad.globalconf.optional_parts import MONITORING, build_monitoring
from gateway.xroad.globalconf.trusted import Role, TrustedConfiguration, verify_directory, verify_parts
from gateway.xroad.globalconf.verification_conf import read_verification_conf
from tests.factories.globalconf import CLIENT, NOW, Source, a_private_parameters, a_shared_parameters, a_source

PARTNER = a_source(instance="PART NER/1", base_url="http://partner.test", path="/externalconf")


def _trusted(source: Source, version: int = 6) -> TrustedConfiguration:
    role = Role.OWN if source.path == "/internalconf" else Role.FEDERATED
    directory = verify_directory(
        source.directory(version),
        instance=source.instance,
        certificates=source.anchor().certificates,
        at=NOW,
        role=role,
    )
    return verify_parts(directory, source.answers())


def _generation(source: Source | None = None, version: int = 6) -> Generation:
    return Generation(_trusted(source or a_source(), version))


def _load(cache: Cache) -> Generation | None:
    return cache.load(a_source().anchor().certificates, "TEST")


def test_files_lie_where_the_reference_has_them(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.store(_generation())
    current = tmp_path / "current"
    assert (current / "instance-identifier").read_bytes() == b"TEST"
    assert sorted(path.name for path in (current / "TEST").iterdir()) == [
        ".directory",
        "private-params.xml",
        "private-params.xml.metadata",
        "shared-params.xml",
        "shared-params.xml.metadata",
    ]
    metadata = (current / "TEST/shared-params.xml.metadata").read_text()
    assert "\n" not in metadata
    assert json.loads(metadata) == {
        "contentIdentifier": "SHARED-PARAMETERS",
        "instanceIdentifier": "TEST",
        "expirationDate": "2026-05-01T12:10:00Z",
        "contentFileName": "shared-params.xml",
        "contentLocation": "/V6/20260501120000000000000/shared-params.xml",
        "configurationVersion": "6",
    }


def test_metadata_of_version_2_do_not_say_so_because_7_2_would_refuse_them(tmp_path: Path) -> None:
    Cache(tmp_path).store(_generation(version=2))
    metadata = json.loads((tmp_path / "current/TEST/shared-params.xml.metadata").read_bytes())
    assert "configurationVersion" not in metadata


def test_what_was_stored_is_loaded_verified(tmp_path: Path) -> None:
    own = a_source(private=a_private_parameters(anchors=(PARTNER.anchor(),)))
    stored = Generation(_trusted(own), {PARTNER.instance: _trusted(PARTNER)})
    Cache(tmp_path).store(stored)
    assert _load(Cache(tmp_path)) == stored


def test_an_empty_cache_or_one_of_another_instance_has_nothing(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert _load(cache) is None
    cache.store(_generation())
    assert cache.load(a_source().anchor().certificates, "OTHER") is None


@pytest.mark.parametrize("name", ["shared-params.xml", ".directory"])
def test_a_file_that_was_changed_on_disk_is_not_loaded(tmp_path: Path, name: str) -> None:
    cache = Cache(tmp_path)
    cache.store(_generation())
    path = tmp_path / "current/TEST" / name
    path.write_bytes(path.read_bytes().replace(b"TEST", b"TSET"))
    with pytest.raises(ConfigurationUnusable):
        _load(cache)


def test_a_file_that_is_gone_is_a_fault(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.store(_generation())
    (tmp_path / "current/TEST/shared-params.xml").unlink()
    with pytest.raises(ConfigurationUnusable) as caught:
        _load(cache)
    assert caught.value.text_id == "configuration.cache_unreadable"


def test_a_part_that_vanished_from_the_directory_vanishes_from_the_disk(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.store(_generation(a_source(parts={(MONITORING, "monitoring-params.xml"): build_monitoring(CLIENT)})))
    assert (tmp_path / "current/TEST/monitoring-params.xml").exists()
    cache.store(_generation())
    assert not (tmp_path / "current/TEST/monitoring-params.xml").exists()


def test_a_reader_that_followed_the_link_still_sees_its_own_moment(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.store(_generation())
    seen = cache.current_path()
    assert seen is not None
    cache.store(_generation(a_source(shared=a_shared_parameters(ocsp_freshness_s=1))))
    assert b"3600" in (seen / "TEST/shared-params.xml").read_bytes()
    assert cache.current_path() != seen


def test_older_generations_and_half_written_ones_are_removed(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for _ in range(4):
        cache.store(_generation())
    (tmp_path / "generations/99").mkdir()
    (tmp_path / "generations/junk").mkdir()
    cache.store(_generation())
    assert sorted(path.name for path in (tmp_path / "generations").iterdir()) == ["100", "4"]


def test_unchanged_files_are_linked_and_not_written_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.store(_generation())
    first = (tmp_path / "current/TEST/shared-params.xml").stat().st_ino
    cache.store(_generation(a_source(expires_at=NOW + timedelta(seconds=900))))
    assert (tmp_path / "current/TEST/shared-params.xml").stat().st_ino == first
    assert "12:15:00Z" in (tmp_path / "current/TEST/shared-params.xml.metadata").read_text()


@pytest.mark.parametrize(
    ("instance", "folder"), [("UA-DEMO", "UA-DEMO"), ("a b/c", "a%20b%2Fc"), ("..", "%2E%2E"), (".", "%2E")]
)
def test_an_instance_never_names_a_path_of_its_own(instance: str, folder: str) -> None:
    assert instance_folder(instance) == folder


def test_the_anchor_is_stored_as_it_was_handed_over(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    xml = a_source().anchor_xml()
    cache.write_anchor(xml)
    assert cache.read_anchor().xml == xml
    assert cache.read_anchor().anchor == a_source().anchor()
    assert (tmp_path / "configuration-anchor.xml").read_bytes() == xml


def test_a_missing_anchor_and_a_broken_one_are_told_apart(tmp_path: Path) -> None:
    cache = Cache(tmp_path, anchor_path=tmp_path / "etc/anchor.xml")
    with pytest.raises(ConfigurationUnusable) as caught:
        cache.read_anchor()
    assert caught.value.code == "anchor_file_not_found"
    cache.write_anchor(b"<x/>")
    with pytest.raises(MalformedMessage):
        cache.read_anchor()


def test_the_stored_tree_is_a_verification_configuration(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.store(_generation())
    current = cache.current_path()
    assert current is not None
    assert read_verification_conf(read_tree(current)).servers_of(CLIENT)


def test_a_kill_at_any_point_leaves_one_whole_configuration(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    script = Path(__file__).with_name("store_forever.py")
    for pause_s in (0.001, 0.004, 0.009):
        ready, started = os.pipe()
        process = subprocess.Popen(
            [sys.executable, str(script), str(tmp_path), str(started)],
            pass_fds=[started],
            cwd=Path(__file__).parents[3],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        )
        os.close(started)
        assert os.read(ready, 1) == b"!"
        time.sleep(pause_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
        os.close(ready)
        anchor = cache.read_anchor().anchor
        loaded = cache.load(anchor.certificates, anchor.instance)
        assert loaded is not None
        assert loaded.own.shared.ocsp_freshness_s in (10, 20)
