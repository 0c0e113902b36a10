"""A demographic registry with few persons, served for real; and the requests a security server sends it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any
from xml.sax.saxutils import escape

import uvloop
from sqlalchemy import Connection, Table, func, select

from gateway.runtime.control_server import ControlServer, Listener
from gateway.runtime.database import Database, open_database
from gateway.xroad.identifiers import ClientId, MemberId, ServiceId, SubsystemId
from gateway.xroad.soap.envelope import build_envelope
from gateway.xroad.soap.headers import SoapHeaders
from registry_adapters.demographic.model import Person
from registry_adapters.demographic.registry import registry
from registry_adapters.demographic.store import find_persons
from registry_adapters.population.wellknown import WELL_KNOWN
from registry_adapters.sdk.persons import PersonCriterion, question_of_person
from registry_adapters.sdk.registry import build, prepare
from registry_adapters.settings import RegistrySettings

SNAP = SubsystemId(MemberId("UA-DEMO", "GOV", "10000001"), "SNAP")
PROVIDER = SubsystemId(MemberId("UA-DEMO", "GOV", "10000002"), "DEMOGRAPHIC")
GET_PERSON = ServiceId(PROVIDER, "GetPerson", "v1")
NAMESPACE = "https://surma.example/registries/demographic/v1"
FEW = RegistrySettings(persons=400)
REST_HEADERS = {"X-Road-Client": str(SNAP), "X-Road-Id": "rest-1", "X-Road-UserId": "clerk", "X-Road-Issue": "case-7"}
SOAP_HEADERS = {"Content-Type": "text/xml; charset=UTF-8"}


def a_registry(database: Database, settings: RegistrySettings = FEW) -> Any:
    """The application over a database filled as the settings say."""
    prepare(registry, database, settings)
    return build(registry, database, settings)


def persons_told() -> list[Person]:
    """The well-known persons as the registry tells them."""
    questions = [
        PersonCriterion(unzr=known.unzr)
        if known.unzr
        else PersonCriterion(rnokpp=known.rnokpp, document=None if known.rnokpp else known.documents[0].number)
        for known in WELL_KNOWN
    ]
    with TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}/demographic.db")
        prepare(registry, database, RegistrySettings(persons=len(WELL_KNOWN)))
        with database.reading() as connection:
            found = [find_persons(connection, question_of_person(asked).criterion) for asked in questions]
        database.close()
    return [held.person for (held,) in found]


def rows_of(connection: Connection, table: Table) -> int:
    """How many rows a table has."""
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def a_question(**fields: str) -> bytes:
    """The body element of GetPerson, with the children as named."""
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
    return f'<GetPerson xmlns="{NAMESPACE}">{inner}</GetPerson>'.encode()


def a_request(body: bytes, *, service: ServiceId = GET_PERSON, client: ClientId = SNAP, **headers: str) -> bytes:
    """A SOAP request as a security server hands it over."""
    return build_envelope(SoapHeaders(client, service, headers.pop("id", "soap-1"), **headers), body)


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an application by uvicorn on a free loopback port, in a thread; gives its URL."""
    ready, box = threading.Event(), {}

    async def run() -> None:
        stop = asyncio.Event()
        async with ControlServer(Listener(app)) as server:
            box.update(url=server.url, stop=stop, loop=asyncio.get_running_loop())
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=uvloop.run, args=(run(),), daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield box["url"]
    finally:
        box["loop"].call_soon_threadsafe(box["stop"].set)
        thread.join(20)
