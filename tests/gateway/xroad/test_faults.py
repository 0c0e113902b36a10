from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.faults import (
    CATALOGUE,
    AccessRefused,
    MalformedMessage,
    Party,
    RemoteFault,
    Spelling,
    XRoadFault,
    blame,
    is_server_code,
    spell,
)


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ("server.serverproxy.access_denied", "Server.ServerProxy.AccessDenied"),
        ("server.clientproxy.ssl_authentication_failed", "Server.ClientProxy.SslAuthenticationFailed"),
        (
            "server.clientproxy.service_failed.inconsistent_response",
            "Server.ClientProxy.ServiceFailed.InconsistentResponse",
        ),
        (
            "server.serverproxy.signature_verification.malformed_signature.invalid_hash_chain",
            "Server.ServerProxy.SignatureVerification.MalformedSignature.InvalidHashChain",
        ),
        ("server.clientproxy.global_conf_outdated", "Server.ClientProxy.OutdatedGlobalConf"),
        ("client.invalid_soap", "Client.InvalidSoap"),
        ("server.clientproxy.io_error", "Server.ClientProxy.IOError"),
    ],
)
def test_codes_are_written_in_either_spelling(new: str, old: str) -> None:
    assert spell(new, Spelling.CAMEL_CASE) == spell(old, Spelling.CAMEL_CASE) == old
    assert spell(old, Spelling.SNAKE_CASE) == spell(new, Spelling.SNAKE_CASE) == new


@pytest.mark.parametrize("code", ["s:Server.Registry", "soap:Server", "", "a..b", "Їжак"])
def test_code_nobody_knows_stays_as_it_is(code: str) -> None:
    assert spell(code, Spelling.SNAKE_CASE).split(".")[0] == code.split(".")[0]
    assert spell(code, Spelling.CAMEL_CASE) == code


@given(st.lists(st.sampled_from(sorted(CATALOGUE)), min_size=1).map(".".join))
def test_spelling_there_and_back_changes_nothing(code: str) -> None:
    assert spell(spell(code, Spelling.CAMEL_CASE), Spelling.SNAKE_CASE) == code


def test_every_code_has_an_old_spelling_of_its_own() -> None:
    assert len(set(CATALOGUE.values())) == len(CATALOGUE)


@pytest.mark.parametrize(
    ("code", "server"),
    [
        ("server.x", True),
        ("Server.X", True),
        ("server", True),
        ("client.x", False),
        ("serverproxy.x", False),
        ("", False),
    ],
)
def test_code_of_a_server_is_known_in_either_spelling(code: str, server: bool) -> None:
    assert is_server_code(code) is server


def test_code_outside_the_catalogue_is_our_own_mistake() -> None:
    with pytest.raises(RuntimeError):
        MalformedMessage("no_such_code", "soap.doctype")


def test_group_is_put_in_front_once() -> None:
    fault = MalformedMessage("invalid_soap", "soap.doctype").within("service_failed").within("service_failed")
    assert fault.code == "service_failed.invalid_soap"


def test_fault_prints_its_code_text_and_facts() -> None:
    fault = AccessRefused("access_denied", "access.denied", client="UA/GOV/1", service="s")
    assert str(fault) == "access_denied (access.denied) client=UA/GOV/1 service=s"
    assert fault.facts == {"client": "UA/GOV/1", "service": "s"}


def test_innermost_blame_counts() -> None:
    def read() -> None:
        with blame(Party.SERVICE):
            raise MalformedMessage("invalid_soap", "soap.doctype")

    with pytest.raises(XRoadFault) as caught, blame(Party.CLIENT):
        read()
    assert caught.value.party is Party.SERVICE


def test_other_failures_are_blamed_on_nobody() -> None:
    with pytest.raises(ZeroDivisionError), blame(Party.CLIENT):
        _ = 1 / 0


def test_remote_fault_is_no_fault_of_ours() -> None:
    assert not issubclass(RemoteFault, XRoadFault)
    assert RemoteFault("c", "t", "d", b"raw").raw == b"raw"
