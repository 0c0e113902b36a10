from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.landscape.description import DEFAULT_FILE, Landscape, moved, read_landscape
from gateway.landscape.tour import Tour
from gateway.runtime.settings import SettingsError


def changed(tmp_path: Path, old: str, new: str) -> Path:
    """The demo's landscape with one text replaced."""
    text = DEFAULT_FILE.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "landscape.toml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return file


@pytest.fixture
def landscape() -> Landscape:
    return read_landscape()


def test_landscape_of_the_demo_can_be_read(landscape: Landscape) -> None:
    assert landscape.instance == "UA-DEMO"
    assert {server.code for server in landscape.server} == {"SS-SNAP", "SS-DMS", "SS-REG"}
    assert landscape.server_of("GOV/10000002/DEMOGRAPHIC").code == "SS-DMS"


def test_no_port_of_the_demo_needs_root(landscape: Landscape) -> None:
    ports = [
        landscape.central.admin_port, landscape.central.configuration_port,
        landscape.trust.ca_port, landscape.trust.tsa_port, *(one.port for one in landscape.registry),
        *(port for one in landscape.server for port in (one.http_port, one.https_port, one.admin_port)),
    ]  # fmt: skip
    assert min(ports) >= 1024


def test_every_security_server_has_an_address_of_its_own(landscape: Landscape) -> None:
    assert len({server.address for server in landscape.server}) == len(landscape.server)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('type = "WSDL"', 'type = "GRPC"', "service[0].type"),
        ('code = "persons"\n', "", "service[1].type"),
        ('registry = "demographic"', 'registry = "cadaster"', "service[0].registry"),
        ('allow = ["GOV/10000001/SNAP", ', 'allow = ["GOV/1/NOBODY", ', "service[0].allow[0]"),
        ('[[portal]]\nname = "snap"', '[[portal]]\nname = "shop"', "portal[0].name"),
        ('[[portal]]\nname = "snap"', '[[portal]]\nname = "identity"', "clerk[0]"),
        ('scope = "*"', 'scope = "10000002"', "holder[0].scope"),
        ('client = "GOV/10000002/DEMOGRAPHIC"', 'client = "GOV/1/NOBODY"', "service[0].client"),
        ('owner = "GOV/10000001"', 'owner = "10000001"', "server[0].owner"),
        ('address = "127.0.2.1"', 'address = "localhost"', "server[0].address"),
        ('address = "127.0.1.1"', 'address = "127.0.1"', "central.address"),
        ('[trust]\naddress = "127.0.1.2"', "[trust]\nca_port = 8888", "trust.address"),
        ('id = "GOV/10000001"', 'id = "GOV/10000001/"', "member[1].id"),
        ("configuration_port = 8880", 'configuration_port = "http"', "central.configuration_port"),
        ("[[registry]]", "[[registri]]", "registri"),
    ],
)
def test_mistake_is_refused_with_the_name_of_file_and_key(tmp_path: Path, old: str, new: str, key: str) -> None:
    file = changed(tmp_path, old, new)
    with pytest.raises(SettingsError) as refused:
        read_landscape(file)
    assert str(refused.value).startswith(f"{file}: ")
    assert key in str(refused.value)


def test_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml"):
        read_landscape(tmp_path / "none.toml")


def test_moved_landscape_keeps_the_last_two_bytes_and_every_port(landscape: Landscape) -> None:
    other = moved(landscape, "127.45")
    assert other.central.address == "127.45.1.1"
    assert [server.address for server in other.server] == ["127.45.2.1", "127.45.3.1", "127.45.4.1"]
    assert all(address.startswith("127.45.") for address in other.addresses)
    assert other.central.configuration_port == landscape.central.configuration_port


@pytest.mark.parametrize("network", ["", "127", "10.1", "127.300", "127.1.2", "abc"])
def test_landscape_moves_to_loopback_only(landscape: Landscape, network: str) -> None:
    with pytest.raises(SettingsError, match="--network"):
        moved(landscape, network)


def test_tour_needs_a_service_of_each_kind(tmp_path: Path) -> None:
    text = DEFAULT_FILE.read_text(encoding="utf-8")
    file = tmp_path / "landscape.toml"
    file.write_text(re.sub(r"allow = \[.*\]", "allow = []", text), encoding="utf-8")
    with pytest.raises(SettingsError, match="SOAP and a REST service"):
        Tour.of(read_landscape(file))
