from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.identifiers import encode_path
from gateway.xroad.rest.claims import Claims, claims_of
from tests.factories.messages import a_service, a_subsystem

TARGET = f"/r1/{encode_path(a_service('get/it'))}/persons?x=1"
CLIENT = ("X-Road-Client", encode_path(a_subsystem()))


def test_request_is_read_as_far_as_it_can_be() -> None:
    whole = Claims(a_subsystem(), a_service("get/it"), "q-1")
    assert claims_of(TARGET, (CLIENT, ("X-Road-Id", " q-1"))) == whole
    assert claims_of(TARGET, ()) == Claims(None, whole.service, None)
    assert claims_of("/r1/UA/..", (CLIENT,)) == Claims(whole.client, None, None)
    assert claims_of(TARGET, (("x-road-client", "UA-DEMO"),)) == Claims(None, whole.service, None)


def test_request_of_the_older_dialect_is_read_by_its_headers() -> None:
    headers = (
        ("Uxp-Client", encode_path(a_subsystem())),
        ("Uxp-Service", f"{encode_path(a_service('getIt'))}/v1"),
        ("Uxp-Id", "q-2"),
    )
    assert claims_of("/restapi/persons", headers) == Claims(a_subsystem(), a_service("getIt"), "q-2")


@pytest.mark.parametrize("service", ["", "UA-DEMO/GOV", "UA-DEMO/GOV/1/X", "%"])
def test_service_that_is_none_is_not_known(service: str) -> None:
    assert claims_of("/restapi", (("Uxp-Service", service),)) == Claims()


@given(st.text(max_size=60), st.lists(st.tuples(st.text(max_size=20), st.text(max_size=60)), max_size=4))
def test_anything_is_read_or_not_known(target: str, headers: list[tuple[str, str]]) -> None:
    names = ("X-Road-Client", "Uxp-Service", "Uxp-Client", "X-Road-Id")
    named = tuple((name, value) for name, (_, value) in zip(names, headers, strict=False))
    for path in (target, f"/r1/{target}", f"/restapi/{target}"):
        assert isinstance(claims_of(path, (*headers, *named)), Claims)
