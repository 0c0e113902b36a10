from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admin import roles
from gateway.auditing.model import AUDITOR
from gateway.runtime.accounts.model import Grant


def test_auditor_is_granted_for_everything_a_member_or_a_subsystem() -> None:
    for scope in ("*", "UA-DEMO/GOV/1", "UA-DEMO/GOV/1/SNAP"):
        assert roles.checked_grant(AUDITOR, scope) == Grant(AUDITOR, scope)


def test_scope_is_kept_in_its_url_form_however_it_was_typed() -> None:
    kept = Grant(AUDITOR, "UA-DEMO/GOV/%D0%84")
    assert roles.checked_grant(AUDITOR, "UA-DEMO/GOV/Є") == roles.checked_grant(AUDITOR, "UA-DEMO/GOV/%d0%84") == kept


@pytest.mark.parametrize(
    "scope", ["", "UA-DEMO", "UA-DEMO/GOV", "UA-DEMO/GOV/", "A/B/C/D/E", "A/B/%zz", "A/B/" + "x" * 300]
)
def test_scope_that_names_nobody_is_refused(scope: str) -> None:
    with pytest.raises(ValueError, match="scope"):
        roles.checked_grant(AUDITOR, scope)


@pytest.mark.parametrize("role", roles.ALL)
def test_roles_of_administrators_are_for_the_whole_server(role: str) -> None:
    assert roles.checked_grant(role, "*") == Grant(role)
    with pytest.raises(ValueError, match="whole server"):
        roles.checked_grant(role, "UA-DEMO/GOV/1")


def test_role_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="no role ROOT"):
        roles.checked_grant("ROOT", "*")


def test_auditors_are_no_administrators() -> None:
    assert AUDITOR not in roles.ALL


@given(st.text(max_size=300))
def test_any_scope_is_kept_in_one_form_or_refused(text: str) -> None:
    try:
        grant = roles.checked_grant(AUDITOR, text)
    except ValueError:
        return
    assert roles.checked_grant(AUDITOR, grant.scope) == grant
    assert grant.scope.isascii()
