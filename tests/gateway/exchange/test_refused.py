from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.exchange.faults import FaultStyle, Origin, render_fault
from gateway.exchange.refused import (
    MAX_CLAIM,
    MAX_FACTS_CHARACTERS,
    RefusedCall,
    address_of,
    record_refusal,
    refusal_of,
)
from gateway.exchange.requests import Timeline
from gateway.messagelog.chain import refusal_hash
from gateway.messagelog.model import RefusalContent, Side
from gateway.messagelog.reasons import explain
from gateway.runtime.http.problems import ConnectionLost
from gateway.xroad.faults import (
    AccessRefused,
    ConfigurationUnusable,
    LoggingUnavailable,
    MalformedMessage,
    Party,
    RemoteFault,
    ServiceFailed,
    SignatureRefused,
    SigningUnavailable,
    Spelling,
)
from gateway.xroad.identifiers import ServiceId, encode_path
from gateway.xroad.rest.claims import Claims
from tests.factories.messages import a_provider, a_service, a_soap_message, a_subsystem

AT_MS = 1_700_000_000_000


def described(
    error: Exception,
    side: Side = Side.PROVIDER,
    timeline: Timeline | None = None,
    style: FaultStyle | None = None,
    **call: object,
) -> RefusalContent:
    """What is kept of a call that ended so."""
    origin = Origin.CONSUMER if side is Side.CONSUMER else Origin.PROVIDER
    fault = render_fault(error, origin, style or FaultStyle(), "r-1")
    return refusal_of(fault, RefusedCall(side, "r-1", timeline or Timeline(AT_MS), AT_MS, **call))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "is_failure"),
    [
        (MalformedMessage("invalid_soap", "soap.must_post"), False),
        (AccessRefused("access_denied", "access.denied"), False),
        (SignatureRefused("invalid_signature_value", "signature.value"), False),
        (ServiceFailed("network_error", "exchange.network"), True),
        (LoggingUnavailable("logging_failed", "messagelog.cannot_write"), True),
        (SigningUnavailable("token_not_active", "signer.locked"), True),
        (ConfigurationUnusable("global_conf_outdated", "globalconf.expired"), True),
        (RuntimeError("a mistake of ours"), True),
        (ConnectionLost("body"), True),
        (RemoteFault("server.serverproxy.access_denied", "no", "d", b"<f/>"), False),
        (RemoteFault("Server.ServerProxy.AccessDenied", "no", "d", b"<f/>"), False),
        (RemoteFault("Server.ServerProxy.ServiceFailed.SslAuthenticationFailed", "no", "d", b"<f/>"), False),
        (RemoteFault("server.serverproxy.service_failed.network_error", "down", "d", b"<f/>"), True),
        (RemoteFault("server.serverproxy.logging_failed", "full", "d", b"<f/>"), True),
        (RemoteFault("soap:Server.access_denied", "no", "d", b"<f/>"), True),
    ],
)
def test_what_was_broken_is_told_from_what_a_rule_refused(error: Exception, is_failure: bool) -> None:
    assert described(error).is_failure is is_failure


def test_message_that_was_read_says_whose_call_it_was() -> None:
    message = a_soap_message()
    said = described(AccessRefused("access_denied", "access.denied"), timeline=Timeline(AT_MS, message=message))
    assert (said.client, said.provider) == (encode_path(a_subsystem()), encode_path(a_provider()))
    assert (said.service_code, said.query_id) == (message.headers.service.service_code, message.headers.id)
    assert said.message_digest == message.digest.value
    assert (said.side, said.x_request_id, said.times) == (Side.PROVIDER, "r-1", 1)
    assert said.time_ms == said.until_ms == AT_MS


def test_claims_stand_in_for_a_message_that_never_was_one() -> None:
    claims = Claims(a_subsystem(), a_service("get/it"), "q-9")
    said = described(MalformedMessage("internal_error", "rest.bad_header"), claims=claims, address="10.0.0.1")
    assert (said.client, said.service_code, said.query_id) == (encode_path(a_subsystem()), "get/it", "q-9")
    assert (said.address, said.message_digest) == ("10.0.0.1", None)


def test_code_is_kept_in_one_spelling_with_its_origin() -> None:
    fault = MalformedMessage("invalid_soap", "soap.must_post")
    fault.party = Party.CLIENT
    old = FaultStyle(Spelling.CAMEL_CASE)
    assert described(fault, Side.CONSUMER, style=old).fault_code == "client.invalid_soap"
    remote = RemoteFault("Server.ServerProxy.AccessDenied", "no", "d", b"<f/>")
    assert described(remote, Side.CONSUMER).fault_code == "server.serverproxy.access_denied"


def test_fault_of_a_service_is_kept_by_code_text_and_digest() -> None:
    said = described(RemoteFault("Server.NoSuchPerson", "nobody", "<row>a b</row>", b"<Fault/>"))
    facts = json.loads(said.facts)
    assert facts == {
        "code": "Server.NoSuchPerson",
        "text": "nobody",
        "sha512": hashlib.sha512(b"<Fault/>").hexdigest(),
    }
    assert (
        explain(said)
        == "The service answered with the fault Server.NoSuchPerson: nobody. Whoever runs the service must say why."
    )


@pytest.mark.parametrize("language", ["en", "uk"])
def test_sentence_of_the_caller_can_be_said_again(language: str) -> None:
    cause = ServiceFailed("network_error", "exchange.network", where="10.0.0.2:5500", reason=ConnectionLost("body"))
    fault = ServiceFailed("internal_error", "metaservices.openapi_unusable", url="http://x/", reason=cause)
    rendered = render_fault(fault, Origin.PROVIDER, FaultStyle(language=language), "r-1")
    said = refusal_of(rendered, RefusedCall(Side.PROVIDER, "r-1", Timeline(AT_MS), AT_MS))
    assert explain(said, language) == rendered.text


def test_entry_can_be_found_by_the_detail_that_the_caller_was_given() -> None:
    rendered = render_fault(AccessRefused("access_denied", "access.denied"), Origin.PROVIDER, FaultStyle(), "r-1")
    said = refusal_of(rendered, RefusedCall(Side.PROVIDER, "r-1", Timeline(AT_MS), AT_MS))
    assert json.loads(said.facts)["detail"] == rendered.detail


def test_caller_is_known_by_address_and_certificate() -> None:
    assert address_of("10.0.0.1", None) == "10.0.0.1"
    assert address_of("10.0.0.1", b"der") == f"10.0.0.1 certificate {hashlib.sha256(b'der').hexdigest()}"
    assert address_of(None, None) is None


TEXTS = st.text(st.characters(codec=None, categories=None), max_size=3000)


@given(code=TEXTS, text=TEXTS, detail=TEXTS, claim=TEXTS, value=TEXTS)
def test_whatever_callers_and_services_say_fits_into_an_entry(
    code: str, text: str, detail: str, claim: str, value: str
) -> None:
    claims = Claims(a_subsystem(), ServiceId(a_provider(), f"s{claim}"), claim)
    cause = ServiceFailed("io_error", "exchange.network", where=text)
    measured = {f"fact{value[:20]}": value, "of": cause}
    for error in (
        RemoteFault(code, text, detail, b"<f/>"),
        AccessRefused("access_denied", "access.denied", **measured),
    ):
        said = described(error, claims=claims, address=claim)
        assert len(refusal_hash(said)) == 64
        assert len(said.facts) <= 2 * MAX_FACTS_CHARACTERS
        assert isinstance(json.loads(said.facts), dict)
        for written in said:
            if isinstance(written, str):
                assert "\0" not in written
                assert written.encode().decode() == written
        assert max(len(said.fault_code), len(said.query_id or ""), len(said.address or "")) <= MAX_CLAIM


class NoLog:
    """A message log that was never built."""


async def test_refusal_is_answered_although_it_could_not_be_kept(caplog: pytest.LogCaptureFixture) -> None:
    fault = render_fault(AccessRefused("access_denied", "access.denied"), Origin.PROVIDER, FaultStyle(), "r-1")
    call = RefusedCall(Side.PROVIDER, "r-1", Timeline(AT_MS), AT_MS)
    await record_refusal(NoLog(), fault, call)  # type: ignore[arg-type]
    assert "a refusal left no entry" in [record.getMessage() for record in caplog.records]
