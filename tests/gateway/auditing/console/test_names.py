from __future__ import annotations

from gateway.auditing.console.names import Names
from tests.factories.globalconf import a_globalconf

NAMES = Names(a_globalconf())


def test_an_identifier_is_shown_decoded_and_may_break_behind_a_slash() -> None:
    assert str(NAMES.shown("%D0%A3%D0%90/GOV/1")) == "УА/<wbr>GOV/<wbr>1"


def test_what_somebody_claims_cannot_become_markup() -> None:
    assert "<script>" not in str(NAMES.shown("<script>/GOV/1"))
    assert "<script>" not in str(NAMES.shown("%3Cscript%3E/GOV/1"))


def test_a_member_is_named_for_its_subsystems_and_services_too() -> None:
    client = next(iter(NAMES.globalconf.clients())) if NAMES.globalconf else None
    assert client is not None
    name = NAMES.member(str(client))
    assert name
    assert NAMES.member(f"{client.member}/SUB/service/v1") == name


def test_nobody_knows_a_name_for_what_is_no_identifier() -> None:
    assert [NAMES.member(text) for text in ("", None, "x", "%zz/a/b", "a/b/c")] == [""] * 5
    assert Names(None).member("UA-DEMO/GOV/1") == ""


def test_a_service_is_shown_without_its_provider() -> None:
    assert NAMES.short("a/b/c/d/Get/v1", "a/b/c/d") == "Get/v1"
    assert NAMES.short(None, None) == ""


def test_a_code_may_break_and_is_copied_as_it_is() -> None:
    assert str(NAMES.code("server.a_b.<x>")) == "server.<wbr>a_b.<wbr>&lt;x&gt;"
