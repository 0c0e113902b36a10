from __future__ import annotations

import pytest

from gateway.xroad.faults import MalformedMessage
from gateway.xroad.soap.action import check_soap_action


@pytest.mark.parametrize("value", [None, "", '""', '"urn:checkunzr"', '"http://x.example/a?b=%20#c"'])
def test_empty_or_quoted_action_passes(value: str | None) -> None:
    check_soap_action(value)


@pytest.mark.parametrize("value", ["urn:x", '"urn:x', '"a b"', '"дія"', '"%zz"', '"a"b"', "''"])
def test_any_other_action_is_refused(value: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        check_soap_action(value)
    assert caught.value.code == "invalid_soap_action"
