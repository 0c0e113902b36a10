"""A registry, declared once: its data, its operations, who may have which fields; served as SOAP and REST.

    registry = Registry("cadastre", title="Land cadastre")

    @registry.operation("GetParcel", "GET /parcels/{cadastral_number}")
    def get_parcel(asked: ParcelQuestion, call: Call) -> ParcelAnswer:
        ...

One function is one SOAP operation of the registry's version and one or more REST routes; both run it
the same way, under the same rules, with the same name in the access log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeVar

from fastapi import FastAPI
from sqlalchemy import Connection

from gateway.runtime.clock import Clock, SystemClock
from gateway.runtime.database import Database, migrate
from registry_adapters.sdk.access_log import AccessLog
from registry_adapters.sdk.app import Served, build_app
from registry_adapters.sdk.operations import Function, Operation, Runner, operation_of
from registry_adapters.sdk.purposes import Purposes, check_purposes, load_purposes
from registry_adapters.sdk.rest_service import RestService
from registry_adapters.sdk.soap_service import SoapService
from registry_adapters.sdk.sources.base import Source
from registry_adapters.sdk.usage import usage_service
from registry_adapters.settings import RegistrySettings

F = TypeVar("F", bound=Function)

NAMESPACE: Final = "https://surma.example/registries"
ACCESS_LOG_MIGRATIONS: Final = "registry_adapters.migrations.access_log"

Progress = Callable[[int, int], None]  # records there, records wanted
Fill = Callable[[Database, Any, Progress | None], int]  # database, settings, progress -> how many were added
SubjectsOf = Callable[[Connection, str], Sequence[str]]


@dataclass
class Registry:
    """The declaration of one registry.

    `migrations` is the Alembic package of its own tables, `fill` makes its synthetic data, `purposes` is
    the file that says which fields leave for which purpose. `subjects_of` gives the texts under which the
    access log knows a person, for the person's RNOKPP or UNZR: with it citizens can be told of looks.
    """

    name: str
    title: str
    doc: str = ""
    version: str = "v1"
    service_name: str = ""  # of the WSDL; empty: from the name
    migrations: str | None = None
    fill: Fill | None = None
    subjects_of: SubjectsOf | None = None
    purposes: str | None = None
    soap: SoapService = field(init=False)
    rest: RestService = field(init=False)

    def __post_init__(self) -> None:
        wsdl_name = self.service_name or "".join(word.capitalize() for word in self.name.replace("-", "_").split("_"))
        namespace = f"{NAMESPACE}/{self.name}/{self.version}"
        self.soap = SoapService(wsdl_name, namespace, self.version, self.title, self.doc)
        self.rest = RestService(self.name, f"{self.version.removeprefix('v')}.0.0", self.title, self.doc)

    def operation(self, name: str, *routes: str) -> Callable[[F], F]:
        """Declare the decorated function as the SOAP operation `name` and for REST routes such as `GET /a/{b}`."""

        def declare(function: F) -> F:
            operation = operation_of(name, function)
            self.soap.operations[name] = operation
            self._add_routes(operation, routes)
            return function

        return declare

    def rest_form(self, name: str, *routes: str) -> Callable[[F], F]:
        """Declare the decorated function as another REST form of the operation `name`: same rules, other question."""

        def declare(function: F) -> F:
            self._add_routes(operation_of(name, function), routes)
            return function

        return declare

    def lookup(
        self, name: str, source: Source, *, by: str | Sequence[str], path: str, person: str | None = None, doc: str = ""
    ) -> None:
        """Declare an operation that shows the one record of a source with these values (`lookups.lookup`)."""
        from registry_adapters.sdk import lookups

        lookups.lookup(self, name, source, by=by, path=path, person=person, doc=doc)

    def search(
        self, name: str, source: Source, *, by: str | Sequence[str], path: str, person: str | None = None, doc: str = ""
    ) -> None:
        """Declare an operation that shows a source's records with these values page by page (`lookups.search`)."""
        from registry_adapters.sdk import lookups

        lookups.search(self, name, source, by=by, path=path, person=person, doc=doc)

    def _add_routes(self, operation: Operation, routes: Sequence[str]) -> None:
        for route in routes:
            method, _, path = route.partition(" ")
            self.rest.add(method, path, operation)

    @cached_property
    def rules(self) -> Purposes | None:
        """The declared purposes. Raises PurposesError for a file that does not fit the operations."""
        if self.purposes is None:
            return None
        purposes = load_purposes(self.purposes)
        check_purposes(purposes, {name: operation.response for name, operation in self.soap.operations.items()})
        return purposes


def prepare(
    registry: Registry, database: Database, settings: RegistrySettings, progress: Progress | None = None
) -> int:
    """Bring the schema up to date and make what is missing of the synthetic data; return how much was made."""
    if registry.migrations is not None:
        migrate(database, registry.migrations)
    migrate(database, ACCESS_LOG_MIGRATIONS)
    return registry.fill(database, settings, progress) if registry.fill else 0


def build(registry: Registry, database: Database, settings: RegistrySettings, clock: Clock | None = None) -> FastAPI:
    """Return the application over a prepared database."""
    runner = Runner(database, AccessLog(database), clock or SystemClock(), registry.rules)
    return build_app(
        Served(
            registry.soap,
            registry.rest,
            runner,
            language=settings.language,
            public_url=settings.public_url,
            security_servers=frozenset(settings.security_servers),
            max_body_bytes=settings.max_body_bytes,
            usage=usage_service(registry, settings.usage_clients, settings.language) if registry.subjects_of else None,
        )
    )
