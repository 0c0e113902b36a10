"""What the archiver's process is told to do: where the log is, where archives go, by which settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.messagelog.archive.model import ArchiveSettings, EncryptionSettings, Grouping


@dataclass(frozen=True, slots=True)
class ArchiveOrder:
    """Everything that the process needs; it goes over a pipe, as the database's URL may hold a password."""

    database_url: str
    bodies: Path
    encryption_key_file: Path | None
    globalconf: Path
    history: Path
    staging: Path
    place: str
    settings: ArchiveSettings


def show_order(order: ArchiveOrder) -> dict[str, Any]:
    """Return an order as JSON can say it."""
    shown: dict[str, Any] = _plain(dataclasses.asdict(order))
    return shown


def read_order(facts: Mapping[str, Any]) -> ArchiveOrder:
    """Return the order that `show_order` was given."""
    settings = dict(facts["settings"])
    encryption = dict(settings.pop("encryption"))
    return ArchiveOrder(
        database_url=facts["database_url"],
        bodies=Path(facts["bodies"]),
        encryption_key_file=_path(facts["encryption_key_file"]),
        globalconf=Path(facts["globalconf"]),
        history=Path(facts["history"]),
        staging=Path(facts["staging"]),
        place=facts["place"],
        settings=ArchiveSettings(
            **{
                **settings,
                "grouping": Grouping(settings["grouping"]),
                "transfer_command": tuple(settings["transfer_command"]),
                "encryption": EncryptionSettings(
                    recipients=tuple(Path(path) for path in encryption["recipients"]),
                    member_keys=_path(encryption["member_keys"]),
                    signer_key=_path(encryption["signer_key"]),
                    signer_passphrase_file=_path(encryption["signer_passphrase_file"]),
                ),
            }
        ),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
