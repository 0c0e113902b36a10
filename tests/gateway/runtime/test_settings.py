from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import pytest

from gateway.runtime.settings import SettingsError, load


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Listener:
    host: str = "127.0.0.1"
    port: int = 8080


@dataclass(frozen=True)
class Consumer:
    http_port: int = 8080
    timeout_s: float = 30.0
    pin_file: Path | None = None
    names: tuple[str, ...] = ()
    is_open: bool = False
    colour: Colour = Colour.RED
    listener: Listener = field(default_factory=Listener)

    def __post_init__(self) -> None:
        if self.http_port < 0:
            raise ValueError("http_port must not be negative")


@dataclass(frozen=True)
class Settings:
    consumer: Consumer = field(default_factory=Consumer)
    listeners: tuple[Listener, ...] = ()
    level: str = "info"


@dataclass(frozen=True)
class Two:
    first: Listener = field(default_factory=lambda: Listener(port=1))
    second: Listener = field(default_factory=lambda: Listener(port=2))


@dataclass(frozen=True)
class Needy:
    name: str


def from_text(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    file = tmp_path / "gateway.toml"
    file.write_text(text, encoding="utf-8")
    return load(Settings, file, environ, "GATEWAY")


def test_defaults_stand_in_the_dataclass() -> None:
    assert load(Settings) == Settings()


def test_file_overrides_defaults(tmp_path: Path) -> None:
    settings = from_text(tmp_path, '[consumer]\nhttp_port = 1\npin_file = "/run/pin"\ncolour = "blue"\n')
    assert settings.consumer == Consumer(http_port=1, pin_file=Path("/run/pin"), colour=Colour.BLUE)


def test_environment_overrides_the_file(tmp_path: Path) -> None:
    environ = {"GATEWAY_CONSUMER__HTTP_PORT": "2", "GATEWAY_LEVEL": "debug", "OTHER_LEVEL": "no"}
    settings = from_text(tmp_path, "[consumer]\nhttp_port = 1\ntimeout_s = 5\n", environ)
    assert (settings.consumer.http_port, settings.consumer.timeout_s, settings.level) == (2, 5, "debug")


def test_table_keeps_the_defaults_of_its_place(tmp_path: Path) -> None:
    file = tmp_path / "two.toml"
    file.write_text('[second]\nhost = "::1"\n')
    assert load(Two, file) == Two(second=Listener("::1", 2))


def test_tables_nest_and_repeat(tmp_path: Path) -> None:
    text = '[consumer.listener]\nport = 1\n[[listeners]]\nport = 2\n[[listeners]]\nhost = "::1"\n'
    settings = from_text(tmp_path, text)
    assert settings.consumer.listener == Listener(port=1)
    assert settings.listeners == (Listener(port=2), Listener(host="::1"))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("NAMES", "a, b", ("a", "b")),
        ("NAMES", '["a", "b,c"]', ("a", "b,c")),
        ("IS_OPEN", "True", True),
        ("TIMEOUT_S", "3", 3),
        ("PIN_FILE", "/x y", Path("/x y")),
        ("COLOUR", "blue", Colour.BLUE),
        ("LISTENER__PORT", "7", None),
    ],
)
def test_environment_speaks_every_type(name: str, text: str, value: object) -> None:
    settings = load(Settings, None, {f"GATEWAY_CONSUMER__{name}": text}, "GATEWAY")
    if value is None:
        assert settings.consumer.listener.port == 7
    else:
        assert getattr(settings.consumer, name.lower()) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[consumer]\nhttp_prot = 1\n", ["gateway.toml", "unknown key consumer.http_prot", "did you mean http_port?"]),
        ("[consumer]\nzzz = 1\n", ["unknown key consumer.zzz", "known keys", "http_port"]),
        ('[consumer]\nhttp_port = "1"\n', ["consumer.http_port must be a whole number", "the text '1'"]),
        ("[consumer]\nhttp_port = true\n", ["consumer.http_port must be a whole number"]),
        ("[consumer]\nhttp_port = 1.5\n", ["must be a whole number", "1.5"]),
        ("[consumer]\nnames = [1]\n", ["consumer.names[0] must be a text"]),
        ('[consumer]\ncolour = "green"\n', ["one of red, blue", "green"]),
        ("[consumer]\npin_file = 1\n", ["a path or nothing"]),
        ("consumer = 1\n", ["consumer must be a table"]),
        ("[consumer]\nhttp_port = -1\n", ["consumer", "must not be negative"]),
        ("[[listeners]]\nprot = 1\n", ["unknown key prot", "port"]),
        ("not toml", ["is not TOML"]),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        from_text(tmp_path, text)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "word"),
    [
        ("GATEWAY_CONSUMER__HTTP_PROT", "did you mean http_port?"),
        ("GATEWAY_CONSUMR", "did you mean consumer?"),
        ("GATEWAY_CONSUMER", "is a table"),
        ("GATEWAY_LEVEL__X", "no keys below"),
        ("GATEWAY_CONSUMER__HTTP_PORT", "must be a whole number"),
    ],
)
def test_variable_that_cannot_be_used_is_named(variable: str, word: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(Settings, None, {variable: "x"}, "GATEWAY")
    assert variable in str(caught.value)
    assert word in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml: cannot be read"):
        load(Settings, tmp_path / "absent.toml")


def test_missing_value_is_named() -> None:
    with pytest.raises(SettingsError, match="name is missing and has no default"):
        load(Needy)
