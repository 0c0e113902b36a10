from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from gateway.auditing.configurations import HistoricConfigurations, configurations_of
from gateway.configuration_client.history import History
from gateway.configuration_client.model import Generation
from gateway.xroad.faults import ConfigurationUnusable
from gateway.xroad.globalconf.trusted import Role, verify_directory, verify_parts
from tests.factories.globalconf import NOW, Source, a_shared_parameters, a_source

DAY = timedelta(days=1)
ANCHOR = a_source().anchor()


def _record(root: Path, freshness_s: int, at: object) -> Source:
    source = a_source(shared=a_shared_parameters(ocsp_freshness_s=freshness_s))
    directory = verify_directory(
        source.directory(), instance=source.instance, certificates=[source.signer.der], at=None, role=Role.OWN
    )
    History(root).record(Generation(verify_parts(directory, source.answers())), source.anchor_xml(), at)  # type: ignore[arg-type]
    return source


def test_time_chooses_the_configuration(tmp_path: Path) -> None:
    _record(tmp_path, 1, NOW)
    _record(tmp_path, 2, NOW + DAY)
    choose = HistoricConfigurations(History(tmp_path), lambda: ANCHOR)
    assert [choose(NOW + n * DAY / 2).globalconf.ocsp_freshness_s for n in range(4)] == [1, 1, 2, 2]
    assert choose(None).globalconf.ocsp_freshness_s == 2
    assert (choose(NOW).used_from, choose(NOW).used_until) == (NOW, NOW + DAY)


def test_configuration_is_proven_once(tmp_path: Path) -> None:
    _record(tmp_path, 1, NOW)
    choose = HistoricConfigurations(History(tmp_path), lambda: ANCHOR)
    assert choose(NOW).globalconf is choose(NOW + DAY).globalconf


def test_history_that_grows_is_followed(tmp_path: Path) -> None:
    _record(tmp_path, 1, NOW)
    choose = HistoricConfigurations(History(tmp_path), lambda: ANCHOR, grows=True)
    assert choose(NOW + 2 * DAY).globalconf.ocsp_freshness_s == 1
    assert choose(NOW + 2 * DAY).used_until is None
    _record(tmp_path, 2, NOW + DAY)
    assert choose(NOW + 2 * DAY).globalconf.ocsp_freshness_s == 2
    assert choose(NOW).used_until == NOW + DAY


def test_nothing_is_chosen_from_before_the_history_began(tmp_path: Path) -> None:
    _record(tmp_path, 1, NOW)
    with pytest.raises(ConfigurationUnusable) as refused:
        HistoricConfigurations(History(tmp_path), lambda: ANCHOR)(NOW - DAY)
    assert refused.value.text_id == "configuration.history_begins_later"


def test_history_without_entries_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationUnusable):
        HistoricConfigurations(History(tmp_path), lambda: ANCHOR, grows=True)(NOW)
    anchor = tmp_path / "anchor.xml"
    anchor.write_bytes(a_source().anchor_xml())
    with pytest.raises(ConfigurationUnusable):
        configurations_of(tmp_path / "nothing", anchor)
    with pytest.raises(ConfigurationUnusable):
        configurations_of(tmp_path, tmp_path / "no anchor")
