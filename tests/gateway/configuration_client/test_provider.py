from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from gateway.configuration_client.cache import Cache
from gateway.configuration_client.history import History
from gateway.configuration_client.model import Generation
from gateway.configuration_client.provider import ConfigurationProvider
from gateway.runtime.clock import FixedClock
from gateway.xroad.faults import ConfigurationUnusable
from gateway.xroad.globalconf.shared_parameters import ConfigurationSource
from gateway.xroad.globalconf.trusted import Role, TrustedConfiguration, renew, verify_directory, verify_parts
from gateway.xroad.globalconf.verification_conf import read_verification_conf
from tests.factories.globalconf import NOW, Source, a_key_pair, a_private_parameters, a_shared_parameters, a_source


def _trusted(source: Source) -> TrustedConfiguration:
    role = Role.OWN if source.path == "/internalconf" else Role.FEDERATED
    directory = verify_directory(
        source.directory(), instance=source.instance, certificates=[source.signer.der], at=NOW, role=role
    )
    return verify_parts(directory, source.answers())


def _provider(root: Path, clock: FixedClock | None = None) -> ConfigurationProvider:
    return ConfigurationProvider(Cache(root), clock or FixedClock(NOW), history=History(root / "history"))


def test_without_a_configuration_nothing_can_be_used(tmp_path: Path) -> None:
    provider = _provider(tmp_path)
    for ask in (provider.current, provider.latest, provider.verification_conf):
        with pytest.raises(ConfigurationUnusable) as caught:
            ask()
        assert (caught.value.code, caught.value.text_id) == ("global_conf_outdated", "configuration.absent")


def test_an_expired_configuration_is_refused_but_still_there_for_lists(tmp_path: Path) -> None:
    clock = FixedClock(NOW)
    provider = _provider(tmp_path, clock)
    provider.install(Generation(_trusted(a_source())))
    assert provider.current() is provider.latest()

    clock.advance(seconds=600)
    with pytest.raises(ConfigurationUnusable) as caught:
        provider.current()
    assert (caught.value.code, caught.value.text_id) == ("global_conf_outdated", "configuration.expired")
    assert provider.latest().instance == "TEST"
    assert read_verification_conf(provider.verification_conf()).instance == "TEST"


def test_a_snapshot_in_use_never_changes(tmp_path: Path) -> None:
    provider = _provider(tmp_path)
    provider.install(Generation(_trusted(a_source())))
    before = provider.current()
    provider.install(Generation(_trusted(a_source(shared=a_shared_parameters(ocsp_freshness_s=1)))))
    assert (before.ocsp_freshness_s, provider.current().ocsp_freshness_s) == (3600, 1)


def test_a_configuration_signed_anew_keeps_the_memo_and_lasts_longer(tmp_path: Path) -> None:
    provider = _provider(tmp_path)
    known = _trusted(a_source())
    provider.install(Generation(known))
    provider.current().memo["proof"] = True

    later = a_source(expires_at=NOW + timedelta(seconds=900))
    renewed = renew(
        known,
        verify_directory(later.directory(), instance="TEST", certificates=[later.signer.der], at=NOW),
    )
    assert renewed is not None
    provider.install(Generation(renewed))
    assert provider.current().memo == {"proof": True}
    assert provider.current().expires_at == NOW + timedelta(seconds=900)


def test_an_expired_federated_instance_is_gone_and_the_own_unaffected(tmp_path: Path) -> None:
    clock = FixedClock(NOW)
    provider = _provider(tmp_path, clock)
    partner = a_source(instance="PARTNER", path="/externalconf", expires_at=NOW + timedelta(seconds=60))
    provider.install(Generation(_trusted(a_source()), {"PARTNER": _trusted(partner)}))
    assert provider.current().instances == ("TEST", "PARTNER")

    clock.advance(seconds=60)
    assert provider.current().instances == ("TEST",)
    assert provider.current() is provider.current()


def test_a_start_uses_what_is_on_the_disk(tmp_path: Path) -> None:
    Cache(tmp_path).write_anchor(a_source().anchor_xml())
    Cache(tmp_path).store(Generation(_trusted(a_source())))
    provider = _provider(tmp_path)
    assert provider.load()
    assert provider.current().instance == "TEST"


def test_a_start_with_a_broken_or_empty_disk_has_no_configuration(tmp_path: Path) -> None:
    assert not _provider(tmp_path).load()
    Cache(tmp_path).write_anchor(a_source().anchor_xml())
    assert not _provider(tmp_path).load()
    Cache(tmp_path).store(Generation(_trusted(a_source())))
    (tmp_path / "current/TEST/shared-params.xml").write_bytes(b"other")
    assert not _provider(tmp_path).load()


def test_a_start_after_the_source_moved_to_an_announced_key_is_helped_by_the_history(tmp_path: Path) -> None:
    new_key = a_key_pair("new signing key")
    announced = ConfigurationSource("central.test", (a_key_pair("conf").der, new_key.der))
    shared = a_shared_parameters(sources=(announced,))
    anchor = a_source().anchor_xml()
    Cache(tmp_path).write_anchor(anchor)
    History(tmp_path / "history").record(Generation(_trusted(a_source(shared=shared))), anchor, NOW)
    Cache(tmp_path).store(Generation(_trusted(a_source(shared=shared, signer=new_key))))

    assert _provider(tmp_path).load()
    assert not ConfigurationProvider(Cache(tmp_path), FixedClock(NOW)).load()


def test_another_process_follows_what_is_stored(tmp_path: Path) -> None:
    Cache(tmp_path).write_anchor(a_source().anchor_xml())
    follower = _provider(tmp_path)
    assert not follower.reload_if_changed()
    Cache(tmp_path).store(Generation(_trusted(a_source())))
    assert follower.reload_if_changed()
    assert not follower.reload_if_changed()
    Cache(tmp_path).store(Generation(_trusted(a_source(shared=a_shared_parameters(ocsp_freshness_s=1)))))
    assert follower.reload_if_changed()
    assert follower.current().ocsp_freshness_s == 1


def test_the_verification_configuration_names_every_instance(tmp_path: Path) -> None:
    provider = _provider(tmp_path)
    partner = a_source(instance="PARTNER", path="/externalconf")
    own = a_source(private=a_private_parameters(anchors=(partner.anchor(),)))
    provider.install(Generation(_trusted(own), {"PARTNER": _trusted(partner)}))
    assert read_verification_conf(provider.verification_conf()).instances == ("TEST", "PARTNER")
