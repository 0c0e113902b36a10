from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from sqlalchemy import MetaData

from gateway.runtime.clock import SystemClock
from gateway.runtime.database import open_database
from gateway.xroad.faults import XRoadFault
from gateway.xroad.identifiers import ServiceId
from gateway.xroad.soap.message import SoapMessage, parse_soap
from gateway.xroad.xml import NS_SOAP11
from registry_adapters.sdk.access_log import AccessLog, access_log_table
from registry_adapters.sdk.errors import RegistryError
from registry_adapters.sdk.operations import Call, Runner
from registry_adapters.sdk.soap_service import SoapService, answer_soap
from tests.factories.registry import PROVIDER, a_request


@dataclass(frozen=True, slots=True)
class Words:
    """Some words."""

    text: str


echoing = SoapService("Echo", "urn:echo", "v1", "Echo")
ECHO = ServiceId(PROVIDER, "Echo", "v1")
BODY = '<Echo xmlns="urn:echo"><text>так</text></Echo>'.encode()
REQUEST = a_request(BODY, service=ECHO, user_id="clerk")


@echoing.operation("Echo")
def echo(asked: Words, call: Call) -> Words:
    """Say the words again, and who asked."""
    return Words(f"{asked.text} {call.context.user_id}")


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    folder: Path = tmp_path_factory.mktemp("echo")
    database = open_database(f"sqlite:///{folder}/e.db")
    yield Runner(database, AccessLog(database, access_log_table(MetaData())), SystemClock())
    database.close()


def test_function_answers_with_request_and_context_as_plain_facts(runner: Runner) -> None:
    answer = etree.fromstring(answer_soap(echoing, REQUEST, "text/xml", runner))
    assert answer.findtext(f"{{{NS_SOAP11}}}Body/{{urn:echo}}EchoResponse/{{urn:echo}}text") == "так clerk"


def test_header_comes_back_in_the_order_and_prefixes_it_came_in(runner: Runner) -> None:
    shuffled = REQUEST.replace(b"<xrd:protocolVersion>4.0</xrd:protocolVersion>", b"").replace(
        b"<SOAP-ENV:Header>", b"<SOAP-ENV:Header>\n <xrd:protocolVersion>4.0</xrd:protocolVersion>\n "
    )
    answer = answer_soap(echoing, shuffled, "text/xml", runner)
    assert b"<SOAP-ENV:Header><xrd:protocolVersion>4.0</xrd:protocolVersion><xrd:client" in answer
    asked, answered = parse_soap(shuffled, "text/xml"), parse_soap(answer, "text/xml")
    assert isinstance(asked, SoapMessage)
    assert isinstance(answered, SoapMessage)
    assert asked.headers == answered.headers


def test_request_in_another_encoding_is_read(runner: Runner) -> None:
    text = REQUEST.decode().replace("UTF-8", "windows-1251")
    answer = answer_soap(echoing, text.encode("cp1251"), "text/xml", runner)
    assert "так clerk" in answer.decode()


def answered_or_refused(raw: bytes, runner: Runner) -> None:
    with contextlib.suppress(RegistryError, XRoadFault):
        answer_soap(echoing, raw, "text/xml", runner)


@given(st.binary(max_size=200))
def test_any_bytes_are_answered_or_refused(runner: Runner, raw: bytes) -> None:
    answered_or_refused(raw, runner)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=200, deadline=None)
@given(st.integers(0, len(REQUEST) - 1), st.binary(max_size=4), st.integers(0, 6))
def test_any_damage_to_a_request_is_answered_or_refused(runner: Runner, at: int, put: bytes, cut: int) -> None:
    answered_or_refused(REQUEST[:at] + put + REQUEST[at + cut :], runner)
