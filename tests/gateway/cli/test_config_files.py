"""The settings files that ship: each is a complete, commented list of the defaults."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from central_services.settings import CentralSettings
from gateway.runtime.settings import SettingsError, load
from gateway.settings import GatewaySettings
from registry_adapters.settings import RegistriesSettings
from registry_adapters.snap.settings import SnapSettings

CONFIG = Path(__file__).resolve().parents[3] / "config"
FILES = [
    ("gateway.toml", GatewaySettings, "GATEWAY"),
    ("central.toml", CentralSettings, "CENTRAL"),
    ("registries.toml", RegistriesSettings, "REGISTRY"),
    ("snap.toml", SnapSettings, "SNAP"),
]


def every_key(cls: type[Any]) -> Iterator[str]:
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if dataclasses.is_dataclass(hints[field.name]):
            yield from every_key(hints[field.name])
        else:
            yield field.name


@pytest.mark.parametrize(("name", "cls", "prefix"), FILES)
def test_shipped_file_holds_the_defaults(name: str, cls: type[Any], prefix: str) -> None:
    assert load(cls, CONFIG / name, {}, prefix) == cls()


@pytest.mark.parametrize(("name", "cls", "prefix"), FILES)
def test_shipped_file_names_every_setting(name: str, cls: type[Any], prefix: str) -> None:
    lines = (CONFIG / name).read_text(encoding="utf-8").splitlines()
    named = [line.removeprefix("# ").partition(" = ")[0] for line in lines if " = " in line]
    assert sorted(named) == sorted(every_key(cls))


def test_misspelt_setting_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text("[consumer]\nhttp_prot = 80\n")
    with pytest.raises(SettingsError, match=r"consumer\.http_prot; did you mean http_port"):
        load(GatewaySettings, file, {}, "GATEWAY")
