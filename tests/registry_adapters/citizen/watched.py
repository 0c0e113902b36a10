"""Small registries whose looks are made at will: no tables of their own, a subject is the person's code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fastapi import FastAPI

from gateway.runtime.clock import Clock
from gateway.runtime.database import Database, open_database
from gateway.xroad.identifiers import MemberId, SubsystemId
from registry_adapters.sdk.access_log import AccessLog, Entry, Look, Outcome
from registry_adapters.sdk.context import Dialect, RequestContext
from registry_adapters.sdk.operations import Call
from registry_adapters.sdk.registry import Registry, build, prepare
from registry_adapters.settings import RegistrySettings

SNAP = SubsystemId(MemberId("UA-DEMO", "GOV", "10000001"), "SNAP")
POLICE = SubsystemId(MemberId("UA-DEMO", "GOV", "10000002"), "DEMOGRAPHIC")
MARIANA, SOFIIA, ANDRII = "3347300028", "4541200105", "3288701236"
PURPOSES = """
[[purpose]]
id = "HOUSING-SUBSIDY"
title_en = "Housing subsidy"
title_uk = "Житлова субсидія"
ground = "Постанова КМУ № 848 від 21.10.1995"
clients = ["GOV/10000001/SNAP"]
[purpose.operations]
GetPerson = ["*"]

[[purpose]]
id = "INVESTIGATION"
title_en = "Investigation"
title_uk = "Розслідування"
ground = "Закон"
sealed = true
[purpose.operations]
GetPerson = ["*"]
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom."""

    code: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Found or not."""

    found: bool


def a_registry(name: str, folder: Path) -> Registry:
    """A registry that knows everybody, and of whom everybody may ask."""
    purposes = folder / f"{name}-purposes.toml"
    purposes.write_text(PURPOSES, encoding="utf-8")
    registry = Registry(
        name, f"Registry {name}", subjects_of=lambda _connection, code: [code], purposes=str(purposes)
    )  # fmt: skip

    @registry.operation("GetPerson", "GET /persons")
    def get_person(asked: Asked, call: Call) -> Answer:
        """Find a person."""
        call.note(Look(Outcome.FOUND, "rnokpp", asked.code))
        return Answer(True)

    return registry


@dataclass
class Watched:
    """A registry with its database and its application."""

    registry: Registry
    database: Database
    app: FastAPI

    def look(
        self,
        at: datetime,
        subject: str = MARIANA,
        *,
        client: SubsystemId = SNAP,
        purposes: tuple[str, ...] = ("HOUSING-SUBSIDY",),
        issue: str | None = "SN12000007-1",
        ground: str | None = None,
        message_id: str = "m-1",
        sealed: bool = False,
    ) -> None:
        """Put one look into the log."""
        self.looks([an_entry(at, subject, client, purposes, issue, ground, message_id, sealed=sealed)])

    def looks(self, entries: Sequence[Entry]) -> None:
        """Put looks into the log."""
        AccessLog(self.database).note(entries)


def an_entry(
    at: datetime,
    subject: str = MARIANA,
    client: SubsystemId = SNAP,
    purposes: tuple[str, ...] = ("HOUSING-SUBSIDY",),
    issue: str | None = "SN12000007-1",
    ground: str | None = None,
    message_id: str = "m-1",
    *,
    sealed: bool = False,
) -> Entry:
    """A row of the log."""
    context = RequestContext(
        Dialect.REST, client, message_id, user_id="clerk", issue=issue, purposes=purposes, legal_ground=ground
    )
    return Entry(at, "GetPerson", context, Look(Outcome.FOUND, "rnokpp", subject), sealed=sealed)


def open_watched(name: str, folder: Path, clock: Clock | None = None) -> Watched:
    """Make a registry; its database is the caller's to close."""
    registry = a_registry(name, folder)
    database = open_database(f"sqlite:///{folder}/{name}.db")
    settings = RegistrySettings(persons=0)
    prepare(registry, database, settings)
    return Watched(registry, database, build(registry, database, settings, clock))
