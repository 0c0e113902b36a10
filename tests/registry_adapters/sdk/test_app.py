from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import httpx
import pytest

from gateway.runtime.clock import SystemClock
from gateway.runtime.database import Database, open_database
from gateway.xroad.soap.faults import parse_fault
from registry_adapters.demographic.registry import registry
from registry_adapters.sdk.access_log import AccessLog
from registry_adapters.sdk.app import Served, build_app
from registry_adapters.sdk.operations import Call, Runner
from registry_adapters.sdk.registry import build
from registry_adapters.sdk.rest_service import RestService
from registry_adapters.sdk.soap_service import SoapService
from tests.factories.registry import FEW, REST_HEADERS, SOAP_HEADERS, a_question, a_registry, a_request, served


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing."""


def an_app_that_breaks(database: Database) -> object:
    soap, rest = SoapService("X", "urn:x", "v1", "X"), RestService("x", "1", "X")

    @rest.get("/break")
    def break_down(asked: Nothing, call: Call) -> Nothing:
        raise ZeroDivisionError("the password is hunter2")

    runner = Runner(database, AccessLog(database), SystemClock())
    return build_app(Served(soap, rest, runner, language="uk"))


@pytest.fixture
def unreachable() -> Iterator[Database]:
    database = open_database("postgresql://nobody@127.0.0.1:1/none?connect_timeout=2")
    yield database
    database.close()


def test_health_is_good_while_the_database_answers(database: Database) -> None:
    with served(a_registry(database, replace(FEW, persons=10))) as url:
        response = httpx.get(f"{url}/health", trust_env=False)
    assert (response.status_code, response.json()) == (200, {"status": "ok", "registry": "demographic"})


def test_both_kinds_of_database_answer_alike(database: Database) -> None:
    with served(a_registry(database, replace(FEW, persons=10))) as url:
        soap = httpx.post(
            url, content=a_request(a_question(document="AA123456")), headers=SOAP_HEADERS, trust_env=False
        )
        rest = httpx.get(f"{url}/persons?document=AA123456", headers=REST_HEADERS, trust_env=False)
    assert (soap.status_code, rest.status_code) == (200, 200)
    assert "3288701236" in soap.text
    assert rest.json()["person"]["rnokpp"] == "3288701236"
    assert len(AccessLog(database).looks_at("2")) == 2


def test_unreachable_database_is_said_in_every_form(unreachable: Database) -> None:
    with served(build(registry, unreachable, FEW)) as url:
        health = httpx.get(f"{url}/health", trust_env=False)
        rest = httpx.get(f"{url}/persons?unzr=19910824-00026", headers=REST_HEADERS, trust_env=False)
        soap = httpx.post(
            url, content=a_request(a_question(unzr="19910824-00026")), headers=SOAP_HEADERS, trust_env=False
        )
    assert (health.status_code, rest.status_code, rest.json()["action"]) == (503, 503, "retry")
    assert parse_fault(soap.content).code == "Server.database_unavailable"


def test_unforeseen_error_tells_nothing_of_the_inside(sqlite_database: Database) -> None:
    with served(an_app_that_breaks(sqlite_database)) as url:
        response = httpx.get(f"{url}/break", headers=REST_HEADERS, trust_env=False)
    assert (response.status_code, response.json()["title"]) == (500, "internal error")
    assert "hunter2" not in response.text
    assert response.json()["detail"].startswith("У реєстрі")


def test_other_addresses_than_the_security_servers_are_refused(sqlite_database: Database) -> None:
    app = a_registry(sqlite_database, replace(FEW, persons=10, security_servers=("192.0.2.1",)))
    with served(app) as url:
        refused = httpx.get(f"{url}/persons?unzr=19910824-00026", headers=REST_HEADERS, trust_env=False)
        soap = httpx.post(url, content=a_request(a_question(unzr="1")), headers=SOAP_HEADERS, trust_env=False)
        health = httpx.get(f"{url}/health", trust_env=False)
    assert (refused.status_code, refused.json()["action"], health.status_code) == (403, "refused", 200)
    assert parse_fault(soap.content).code == "Client.not_a_security_server"


def test_listed_security_server_is_served(sqlite_database: Database) -> None:
    app = a_registry(sqlite_database, replace(FEW, persons=10, security_servers=("127.0.0.1",)))
    with served(app) as url:
        assert httpx.get(f"{url}/persons/19910824-00026", headers=REST_HEADERS, trust_env=False).status_code == 200


def test_descriptions_name_the_public_address(sqlite_database: Database) -> None:
    app = a_registry(sqlite_database, replace(FEW, persons=10, public_url="https://registry.example/demographic/"))
    with served(app) as url:
        wsdl = httpx.get(f"{url}/?wsdl", trust_env=False).text
        openapi = httpx.get(f"{url}/openapi.json", trust_env=False).json()
    assert 'location="https://registry.example/demographic/soap"' in wsdl
    assert openapi["servers"] == [{"url": "https://registry.example/demographic"}]
