"""Registries with a few persons behind one security-server stand-in: what is needed to ask several of them for real.

with a_world(tmp_path, "demographic", "civil_status") as world:
    world.ask("civil_status", "/acts", "INHERITANCE-OF-LAND", rnokpp="3347300028").json()
"""

from __future__ import annotations

import dataclasses
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

from gateway.runtime.clock import Clock
from gateway.runtime.database import Database, open_database
from gateway.xroad.identifiers import ServiceId, SubsystemId, client_of
from registry_adapters.cli.serving import load_registry
from registry_adapters.sdk.access_log import ACCESS_LOG
from registry_adapters.sdk.client import Reason, RestAnswer, XRoadClient
from registry_adapters.sdk.registry import Registry, build, prepare
from registry_adapters.settings import RegistriesSettings, RegistrySettings
from tests.registry_adapters.shim import Shim

INSTANCE: Final = "UA-DEMO"
PERSONS: Final = 400
# Client subsystem and REST service code of each registry.
SERVICES: Final = {
    "demographic": ("GOV/10000002/DEMOGRAPHIC", "persons"),
    "cadastre": ("GOV/10000003/CADASTRE", "cadastre"),
    "tax": ("GOV/10000004/TAX", "tax"),
    "civil_status": ("GOV/10000005/CIVIL-STATUS", "civil-status"),
    "business": ("GOV/10000005/BUSINESS", "business"),
    "property_rights": ("GOV/10000005/PROPERTY-RIGHTS", "property-rights"),
    "displaced": ("GOV/10000006/DISPLACED", "displaced"),
    "crosscheck": ("GOV/10000007/CROSS-CHECK", "cross-check"),
}
_TLS: Final = ssl.create_default_context()  # made once: it takes its time, and plain HTTP needs none
SNAP: Final = "GOV/10000001/SNAP"
CROSS_CHECK: Final = "GOV/10000007/CROSS-CHECK"
INVESTIGATOR: Final = "GOV/10000002/DEMOGRAPHIC"
CITIZEN: Final = "GOV/10000007/CITIZEN"
ASKERS: Final = {"INVESTIGATION": INVESTIGATOR, "CROSS-CHECK": CROSS_CHECK, "REPRESENTATION": CITIZEN}


def a_client(code: str) -> SubsystemId:
    """The identifier of `GOV/10000001/SNAP` and the like."""
    client = client_of((INSTANCE, *code.split("/")))
    assert isinstance(client, SubsystemId)
    return client


def a_service(registry: str) -> ServiceId:
    """The REST service of a registry."""
    subsystem, code = SERVICES[registry]
    return ServiceId(a_client(subsystem), code)


@dataclass(frozen=True)
class World:
    """Served registries with what they stand on."""

    shim: Shim
    registries: Mapping[str, Registry]
    apps: Mapping[str, Any]
    databases: Mapping[str, Database]
    clients: dict[SubsystemId, XRoadClient] = field(default_factory=dict)

    def ask(
        self, registry: str, path: str, purpose: str = "INVESTIGATION", *, client: str = "", json: Any = None,
        message_id: str | None = None, **query: str,
    ) -> RestAnswer:  # fmt: skip
        """Ask as a clerk of who may name the purpose."""
        asker = a_client(client or ASKERS.get(purpose, SNAP))
        reason = Reason(user_id="clerk", issue="case-7", purposes=(purpose,) if purpose else ())
        opened = self.clients.get(asker)
        if opened is None:
            opened = self.clients[asker] = XRoadClient(self.shim.url, asker, tls=_TLS, timeout_s=30)
        method = "GET" if json is None else "POST"
        return opened.call_rest(
            method, a_service(registry), path, query=query, json=json, reason=reason, message_id=message_id
        )

    def close(self) -> None:
        """Close the connections."""
        for opened in self.clients.values():
            opened.close()

    def looks(self, registry: str) -> list[dict[str, Any]]:
        """The access log of a registry, oldest first."""
        with self.databases[registry].reading() as connection:
            return [dict(row._mapping) for row in connection.execute(select(ACCESS_LOG).order_by(ACCESS_LOG.c.id))]


@contextmanager
def a_world(
    folder: Path,
    *names: str,
    persons: int = PERSONS,
    clock: Clock | None = None,
    changes: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[World]:
    """Serve registries of the same population; `changes` are settings by registry."""
    with ExitStack() as stack:
        registries, apps, databases = {}, {}, {}
        shim = stack.enter_context(Shim())
        for name in names:
            default = getattr(RegistriesSettings(), name)
            settings: RegistrySettings = dataclasses.replace(
                default, persons=persons, **_for_shim(name, shim), **(changes or {}).get(name, {})
            )
            registry = load_registry(name, settings)
            database = open_database(f"sqlite:///{folder}/{name}.db")
            stack.callback(database.close)
            prepare(registry, database, settings)
            registries[name], databases[name] = registry, database
            apps[name] = shim.apps[SERVICES[name][0]] = build(registry, database, settings, clock)
        world = World(shim, registries, apps, databases)
        stack.callback(world.close)
        yield world


def _for_shim(name: str, shim: Shim) -> dict[str, Any]:
    return {"security_server_url": shim.url} if name == "crosscheck" else {}
