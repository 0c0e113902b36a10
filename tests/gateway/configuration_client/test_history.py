from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from gateway.configuration_client.history import History
from gateway.configuration_client.model import Generation
from gateway.xroad.faults import ConfigurationUnusable
from gateway.xroad.globalconf.anchor import Anchor
from gateway.xroad.globalconf.shared_parameters import ConfigurationSource
from gateway.xroad.globalconf.trusted import Role, TrustedConfiguration, verify_directory, verify_parts
from tests.factories.globalconf import (
    NOW,
    Source,
    a_key_pair,
    a_private_parameters,
    a_shared_parameters,
    a_source,
)

ANCHOR = a_source().anchor()
LATER = NOW + timedelta(days=100)
YEARS_LATER = NOW + timedelta(days=4000)


def _trusted(source: Source) -> TrustedConfiguration:
    role = Role.OWN if source.path == "/internalconf" else Role.FEDERATED
    directory = verify_directory(
        source.directory(), instance=source.instance, certificates=[source.signer.der], at=None, role=role
    )
    return verify_parts(directory, source.answers())


def _changed(freshness_s: int, **changes: object) -> Source:
    return a_source(shared=a_shared_parameters(ocsp_freshness_s=freshness_s), **changes)


def _record(history: History, source: Source, at: object) -> bool:
    return history.record(Generation(_trusted(source)), source.anchor_xml(), at)  # type: ignore[arg-type]


def test_what_was_in_use_at_a_time_is_found_and_its_interval_stated(tmp_path: Path) -> None:
    history = History(tmp_path)
    _record(history, _changed(1), NOW)
    _record(history, _changed(2), LATER)

    first = History(tmp_path).at(NOW + timedelta(days=50), ANCHOR)
    assert (first.globalconf.ocsp_freshness_s, first.used_from, first.used_until) == (1, NOW, LATER)
    second = History(tmp_path).at(YEARS_LATER, ANCHOR)
    assert (second.globalconf.ocsp_freshness_s, second.used_from, second.used_until) == (2, LATER, None)


def test_expiry_is_not_asked(tmp_path: Path) -> None:
    history = History(tmp_path)
    _record(history, _changed(1), NOW)
    assert history.at(YEARS_LATER, ANCHOR).globalconf.expires_at < YEARS_LATER


def test_a_configuration_signed_anew_is_not_kept_again(tmp_path: Path) -> None:
    history = History(tmp_path)
    assert _record(history, a_source(), NOW)
    assert not _record(history, a_source(expires_at=LATER, stamp="20260501120100000000000"), NOW + timedelta(minutes=1))
    assert len(history.entries()) == 1


def test_a_configuration_that_comes_back_begins_a_new_interval_and_no_new_objects(tmp_path: Path) -> None:
    history = History(tmp_path)
    _record(history, _changed(1), NOW)
    _record(history, _changed(2), LATER)
    objects = {path for path in (tmp_path / "objects").rglob("*") if path.is_file()}
    assert _record(history, _changed(1, signer=a_key_pair("conf")), LATER + timedelta(days=1))
    added = {path for path in (tmp_path / "objects").rglob("*") if path.is_file()} - objects
    assert len(added) <= 1  # at most the directory, which is signed anew
    assert [entry.used_from for entry in history.entries()] == [NOW, LATER, LATER + timedelta(days=1)]


def test_before_the_first_entry_nothing_is_known(tmp_path: Path) -> None:
    history = History(tmp_path)
    for _ in range(2):
        with pytest.raises(ConfigurationUnusable) as caught:
            history.at(NOW - timedelta(seconds=1), ANCHOR)
        assert caught.value.text_id == "configuration.history_begins_later"
        _record(history, a_source(), NOW)


def test_an_anchor_that_does_not_name_the_key_proves_nothing(tmp_path: Path) -> None:
    history = History(tmp_path)
    _record(history, a_source(), NOW)
    stranger = a_source(anchor_certificates=(a_key_pair("other").der,)).anchor()
    with pytest.raises(ConfigurationUnusable) as caught:
        history.at(NOW, stranger)
    assert caught.value.code == "global_conf_missing_verification_cert"


def test_an_anchor_of_another_instance_proves_nothing(tmp_path: Path) -> None:
    history = History(tmp_path)
    _record(history, a_source(), NOW)
    with pytest.raises(ConfigurationUnusable):
        history.at(NOW, Anchor("OTHER", ANCHOR.sources))


def test_a_later_key_counts_when_a_verified_configuration_announced_it(tmp_path: Path) -> None:
    new_key = a_key_pair("new signing key")
    announced = ConfigurationSource("central.test", (a_key_pair("conf").der, new_key.der))
    history = History(tmp_path)
    _record(history, a_source(shared=a_shared_parameters(sources=(announced,))), NOW)
    _record(history, _changed(2, signer=new_key), LATER)
    assert history.at(LATER, ANCHOR).globalconf.ocsp_freshness_s == 2
    assert new_key.der in history.announced_certificates(ANCHOR)


def test_a_later_key_that_nobody_announced_does_not_count(tmp_path: Path) -> None:
    history = History(tmp_path)
    _record(history, a_source(), NOW)
    _record(history, _changed(2, signer=a_key_pair("new signing key")), LATER)
    with pytest.raises(ConfigurationUnusable):
        history.at(LATER, ANCHOR)


def test_federated_configurations_are_kept_and_verified_with_the_anchors_of_the_own(tmp_path: Path) -> None:
    partner = a_source(instance="PARTNER", path="/externalconf", signer=a_key_pair("partner"))
    own = a_source(private=a_private_parameters(anchors=(partner.anchor(),)))
    history = History(tmp_path)
    history.record(Generation(_trusted(own), {"PARTNER": _trusted(partner)}), own.anchor_xml(), NOW)
    assert history.at(NOW, ANCHOR).globalconf.instances == ("TEST", "PARTNER")


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b" "])
def test_a_changed_object_is_noticed(tmp_path: Path, change: object) -> None:
    history = History(tmp_path)
    _record(history, a_source(), NOW)
    for path in (tmp_path / "objects").rglob("*"):
        if path.is_file():
            path.write_bytes(change(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(ConfigurationUnusable) as caught:
        history.at(NOW, ANCHOR)
    assert caught.value.text_id == "configuration.history_unreadable"


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"used_from": 1}'])
def test_a_broken_entry_is_a_fault(tmp_path: Path, content: bytes) -> None:
    history = History(tmp_path)
    _record(history, a_source(), NOW)
    (tmp_path / "entries/00000001.json").write_bytes(content)
    with pytest.raises(ConfigurationUnusable):
        history.at(NOW, ANCHOR)


def test_the_anchor_and_directory_are_kept_as_received(tmp_path: Path) -> None:
    source = a_source()
    generation = Generation(_trusted(source))
    History(tmp_path).record(generation, source.anchor_xml(), NOW)
    kept = {path.read_bytes() for path in (tmp_path / "objects").rglob("*") if path.is_file()}
    assert {source.anchor_xml(), generation.own.directory.raw, *generation.own.files.values()} == kept
