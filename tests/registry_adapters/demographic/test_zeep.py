"""zeep, an independent SOAP client, works from the WSDL alone."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.factories.registry import GET_PERSON, PROVIDER, SNAP

zeep = pytest.importorskip("zeep", reason="zeep is not installed")

SNAP_PARTS = dict(zip(("xRoadInstance", "memberClass", "memberCode", "subsystemCode"), SNAP.parts, strict=True))
SERVICE_PARTS = dict(
    zip(
        ("xRoadInstance", "memberClass", "memberCode", "subsystemCode", "serviceCode", "serviceVersion"),
        GET_PERSON.parts,
        strict=True,
    )
)
HEADERS = {
    "client": {"objectType": "SUBSYSTEM", **SNAP_PARTS},
    "service": {"objectType": "SERVICE", **SERVICE_PARTS},
    "id": "zeep-1",
    "userId": "clerk",
    "issue": "case-7",
    "protocolVersion": "4.0",
}


@pytest.fixture(scope="module")
def client(url: str) -> Any:
    logging.getLogger("zeep").setLevel(logging.WARNING)
    loaded = zeep.Client(f"{url}/soap?wsdl", settings=zeep.Settings(strict=True, xml_huge_tree=False))
    yield loaded
    loaded.transport.session.close()


def test_zeep_reads_a_person(client: Any) -> None:
    answer = client.service.GetPerson(unzr="19910824-00026", _soapheaders=HEADERS)
    assert (answer.body.found, answer.body.matchedBy, answer.body.person.surname) == (True, "unzr", "Ткаченко")
    assert answer.body.person.documents[0].number == "000000001"
    assert answer.header.client.subsystemCode == SNAP.subsystem_code
    assert answer.header.id == "zeep-1"


def test_zeep_reads_that_nobody_was_found(client: Any) -> None:
    answer = client.service.GetPerson(unzr="19000101-00010", _soapheaders=HEADERS)
    assert (answer.body.found, answer.body.person) == (False, None)


def test_zeep_needs_neither_user_nor_issue(client: Any) -> None:
    needed = {name: value for name, value in HEADERS.items() if name not in ("userId", "issue")}
    answer = client.service.GetPerson(rnokpp="3288701236", _soapheaders=needed)
    assert answer.body.person.givenName == "Андрій"


def test_zeep_reads_who_lives_at_an_address(client: Any) -> None:
    headers = {**HEADERS, "service": {**HEADERS["service"], "serviceCode": "GetResidents"}}  # type: ignore[dict-item]
    home = {"katottg": "UA46060250010015970", "street": "вул. Івана Франка", "building": "7", "apartment": "2"}
    answer = client.service.GetResidents(**home, _soapheaders=headers)
    assert (answer.body.count, answer.body.truncated) == (2, False)
    assert [one.givenName for one in answer.body.residents] == ["Андрій", "Софія"]


def test_zeep_gets_a_fault_for_no_criterion(client: Any) -> None:
    with pytest.raises(zeep.exceptions.Fault) as caught:
        client.service.GetPerson(_soapheaders=HEADERS)
    assert caught.value.code == "Client.no_criterion"


def test_description_names_the_operations_and_the_address(client: Any, url: str) -> None:
    binding = next(iter(client.wsdl.bindings.values()))
    assert list(binding._operations) == ["GetPerson", "GetResidents"]
    port = client.wsdl.services["DemographicRegistry"].ports["Port"]
    assert port.binding_options["address"] == f"{url}/soap"
    assert PROVIDER.subsystem_code == "DEMOGRAPHIC"
