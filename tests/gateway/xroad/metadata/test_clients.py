from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.xroad.faults import AccessRefused
from gateway.xroad.identifiers import ClientId
from gateway.xroad.metadata.clients import (
    ListedClient,
    accepts_json,
    build_client_list_json,
    build_client_list_xml,
    clients_of,
)
from gateway.xroad.xml import NS_IDENTIFIERS, NS_XROAD
from tests.factories.globalconf import CLIENT, INSTANCE, a_globalconf
from tests.factories.messages import a_member, a_subsystem
from tests.properties import identifiers

MEMBER = ListedClient(a_member(), "Міністерство")
SUBSYSTEM = ListedClient(a_subsystem(), "Міністерство", "Вікно")


def test_xml_list_names_members_and_subsystems() -> None:
    root = etree.fromstring(build_client_list_xml([MEMBER, SUBSYSTEM, ListedClient(a_member("9"), None)]))
    assert root.tag == f"{{{NS_XROAD}}}clientList"
    told = [
        (entry[0].get(f"{{{NS_IDENTIFIERS}}}objectType"), [part.text for part in entry[0]], [e.text for e in entry[1:]])
        for entry in root
    ]
    assert told == [
        ("MEMBER", list(a_member().parts), ["Міністерство"]),
        ("SUBSYSTEM", list(a_subsystem().parts), ["Міністерство", "Вікно"]),
        ("MEMBER", list(a_member("9").parts), []),
    ]
    assert [etree.QName(part).localname for part in root[1]] == ["id", "name", "subsystemName"]


def test_json_list_leaves_out_what_is_not_known() -> None:
    assert json.loads(build_client_list_json([MEMBER, SUBSYSTEM, ListedClient(a_member("9"), None)])) == {
        "member": [
            {
                "id": {
                    "object_type": "MEMBER",
                    "xroad_instance": "UA-DEMO",
                    "member_class": "GOV",
                    "member_code": "10000001",
                },
                "name": "Міністерство",
            },
            {
                "id": {
                    "object_type": "SUBSYSTEM",
                    "xroad_instance": "UA-DEMO",
                    "member_class": "GOV",
                    "member_code": "10000001",
                    "subsystem_code": "SNAP",
                },
                "name": "Міністерство",
                "subsystem_name": "Вікно",
            },
            {
                "id": {
                    "object_type": "MEMBER",
                    "xroad_instance": "UA-DEMO",
                    "member_class": "GOV",
                    "member_code": "9",
                }
            },
        ]
    }


def test_clients_of_an_instance_are_members_followed_by_their_subsystems() -> None:
    listed = clients_of(a_globalconf(), INSTANCE)
    ids = [client.id for client in listed]
    assert ids.index(CLIENT) > ids.index(CLIENT.member)
    assert next(client.name for client in listed if client.id == CLIENT) is not None


def test_unknown_instance_is_refused() -> None:
    with pytest.raises(AccessRefused) as caught:
        clients_of(a_globalconf(), "NOWHERE")
    assert caught.value.text_id == "metadata.unknown_instance"


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        ([], False),
        (["text/xml"], False),
        (["application/json"], True),
        (["text/xml;q=1.0, application/json;q=0.1"], True),
        (["text/xml", "Application/JSON;charset=utf-8"], True),
        (["application/json+x", "*/*"], False),
    ],
)
def test_json_is_given_to_those_who_accept_it(accept: list[str], is_json: bool) -> None:
    assert accepts_json(accept) is is_json


@given(st.lists(st.tuples(identifiers.clients, st.none() | st.text(), st.none() | st.text())))
def test_any_clients_are_listed_in_both_forms(clients: list[tuple[ClientId, str | None, str | None]]) -> None:
    listed = [ListedClient(*client) for client in clients]
    assert len(etree.fromstring(build_client_list_xml(listed))) == len(clients)
    assert len(json.loads(build_client_list_json(listed))["member"]) == len(clients)
