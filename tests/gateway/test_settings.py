from __future__ import annotations

from pathlib import Path

import pytest

from gateway.paths import StatePaths
from gateway.runtime.settings import SettingsError, load
from gateway.settings import GatewaySettings


def test_ports_are_those_of_the_field() -> None:
    settings = GatewaySettings()
    assert (settings.consumer.http_port, settings.consumer.https_port) == (8080, 8443)
    assert (settings.provider.port, settings.provider.ocsp_port, settings.admin.port) == (5500, 5577, 4000)
    assert (settings.consumer.peer_port, settings.consumer.peer_ocsp_port) == (5500, 5577)


def test_environment_overrides_the_file(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[consumer]\nhttp_port = 1\nhttps_port = 2\n[faults]\nspelling = "CamelCase"\n')
    environ = {
        "GATEWAY_CONSUMER__HTTP_PORT": "3",
        "GATEWAY_MESSAGELOG__RECORDS__TIMESTAMP_INTERVAL_S": "1",
        "GATEWAY_CONFIGURATION__ALLOWED_FEDERATIONS": "AA,BB",
        "GATEWAY_SIGNER__PIN_FILE": "/run/pin",
        "PATH": "/bin",
    }
    settings = load(GatewaySettings, file, environ, "GATEWAY")
    assert (settings.consumer.http_port, settings.consumer.https_port) == (3, 2)
    assert settings.faults.spelling == "CamelCase"
    assert settings.messagelog.records.timestamp_interval_s == 1
    assert settings.configuration.allowed_federations == ("AA", "BB")
    assert settings.signer.pin_file == Path("/run/pin")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEWAY_CONSUMER__HTTP_PROT", "80"),
        ("GATEWAY_CONSUMER__HTTP_PORT", "http"),
        ("GATEWAY_CONSUMER", "x"),
        ("GATEWAY_MESSAGELOG__RECORDS__TIMESTAMP_RECORDS_LIMIT", "0"),
    ],
)
def test_mistake_is_refused_and_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(GatewaySettings, None, {name: value}, "GATEWAY")
    assert name.rpartition("__")[2].lower() in str(refused.value).lower()


def test_state_lies_in_one_directory_and_databases_elsewhere_if_told_so(tmp_path: Path) -> None:
    paths = StatePaths(tmp_path / "state", GatewaySettings())
    assert paths.database_url == f"sqlite:///{tmp_path}/state/gateway.db"
    assert paths.message_log_url == f"sqlite:///{tmp_path}/state/messagelog.db"
    paths.make()
    assert paths.root.stat().st_mode & 0o777 == 0o700
    elsewhere = load(
        GatewaySettings,
        None,
        {"GATEWAY_DATABASE_URL": "postgresql://h/a", "GATEWAY_MESSAGELOG__DATABASE_URL": "postgresql://h/b"},
        "GATEWAY",
    )
    there = StatePaths(tmp_path, elsewhere)
    assert (there.database_url, there.message_log_url) == ("postgresql://h/a", "postgresql://h/b")
