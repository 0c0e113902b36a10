from __future__ import annotations

import logging
import uuid

import pytest

from gateway.exchange.faults import FaultStyle, Origin, render_fault
from gateway.runtime.http.problems import ConnectionLost
from gateway.xroad.faults import (
    AccessRefused,
    MalformedMessage,
    Party,
    RemoteFault,
    ServiceFailed,
    SignatureRefused,
    Spelling,
    XRoadFault,
    blame,
)


def blamed(fault: XRoadFault, *parties: Party) -> XRoadFault:
    """The fault as it comes out of the steps of an exchange, the innermost first."""
    for party in parties:
        with pytest.raises(XRoadFault), blame(party):
            raise fault
    return fault


def code_of(fault: Exception, origin: Origin, spelling: Spelling = Spelling.SNAKE_CASE) -> str:
    return render_fault(fault, origin, FaultStyle(spelling), "r-1").code


@pytest.mark.parametrize(
    ("parties", "origin", "code"),
    [
        ((Party.CLIENT,), Origin.CONSUMER, "client.invalid_soap"),
        ((Party.SERVICE,), Origin.CONSUMER, "server.clientproxy.service_failed.invalid_soap"),
        ((Party.SERVICE,), Origin.PROVIDER, "server.serverproxy.service_failed.invalid_soap"),
        ((), Origin.CONSUMER, "server.clientproxy.invalid_soap"),
        ((Party.CLIENT, Party.SERVICE), Origin.CONSUMER, "client.invalid_soap"),
    ],
)
def test_origin_says_whose_bytes_were_read(parties: tuple[Party, ...], origin: Origin, code: str) -> None:
    fault = blamed(MalformedMessage("invalid_soap", "soap.not_an_envelope", root="x"), *parties)
    assert code_of(fault, origin) == code


def test_what_is_looked_for_after_reading_is_not_put_under_service_failed() -> None:
    fault = blamed(MalformedMessage("missing_signature", "transport.no_signature"), Party.SERVICE)
    assert code_of(fault, Origin.CONSUMER) == "server.clientproxy.missing_signature"


def test_group_is_not_doubled() -> None:
    fault = blamed(
        ServiceFailed("service_failed.http_error", "exchange.http_status", status=1, reason=""), Party.SERVICE
    )
    assert code_of(fault, Origin.PROVIDER) == "server.serverproxy.service_failed.http_error"


@pytest.mark.parametrize(
    ("spelling", "code"),
    [
        (Spelling.SNAKE_CASE, "server.serverproxy.access_denied"),
        (Spelling.CAMEL_CASE, "Server.ServerProxy.AccessDenied"),
    ],
)
def test_code_is_spelled_as_set(spelling: Spelling, code: str) -> None:
    fault = AccessRefused("access_denied", "access.denied", client="c", service="s")
    assert code_of(fault, Origin.PROVIDER, spelling) == code


@pytest.mark.parametrize("language", ["en", "uk"])
def test_text_is_a_sentence_with_the_facts_in_the_language_asked_for(language: str) -> None:
    fault = AccessRefused("access_denied", "access.denied", client="TEST/GOV/1/A", service="TEST/GOV/2/B/c")
    rendered = render_fault(fault, Origin.PROVIDER, FaultStyle(language=language), "r-1")
    assert "TEST/GOV/1/A" in rendered.text
    assert rendered.text.isascii() is (language == "en")


def test_detail_is_a_uuid_that_stands_in_the_log_too(caplog: pytest.LogCaptureFixture) -> None:
    fault = SignatureRefused("invalid_signature_value", "peers.no_status", subject="CN=x")
    rendered = render_fault(fault, Origin.PROVIDER, FaultStyle(), "r-77")
    assert str(uuid.UUID(rendered.detail)) == rendered.detail
    assert rendered.detail in caplog.text
    assert "r-77" in caplog.text


def test_fault_of_a_peer_is_relayed_untouched(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    remote = RemoteFault("Server.ServerProxy.Odd", "text", "detail", b"<raw/>")
    rendered = render_fault(remote, Origin.CONSUMER, FaultStyle(Spelling.SNAKE_CASE), "r-1")
    assert (rendered.code, rendered.text, rendered.detail, rendered.remote) == (remote.code, "text", "detail", remote)


def test_failure_of_ours_tells_nothing_but_its_number() -> None:
    rendered = render_fault(KeyError("/etc/secret"), Origin.CONSUMER, FaultStyle(), "r-1")
    assert rendered.code == "server.clientproxy.internal_error"
    assert "secret" not in rendered.text
    assert rendered.detail in rendered.text


@pytest.mark.parametrize("language", ["en", "uk"])
def test_caller_who_hangs_up_is_no_failure_of_ours(caplog: pytest.LogCaptureFixture, language: str) -> None:
    problem = ConnectionLost("request_body", reason="closed")
    rendered = render_fault(problem, Origin.PROVIDER, FaultStyle(language=language), "r-1")
    assert rendered.code == "server.serverproxy.io_error"
    assert "closed" in rendered.text
    assert [record.levelname for record in caplog.records] == ["WARNING"]
