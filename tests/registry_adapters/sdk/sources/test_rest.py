from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from registry_adapters.sdk.errors import RequestError, UnavailableError
from registry_adapters.sdk.sources.rest import RestApi


@pytest.fixture
def api(service: Any) -> Iterator[RestApi]:
    made = RestApi(f"{service.url}/v2/", headers={"Authorization": "Bearer x"}, timeout_s=0.5, max_bytes=1000)
    yield made
    made.close()


def test_answer_is_its_json(service: Any, api: RestApi) -> None:
    service.content = '{"city": "Київ"}'.encode()
    assert api.get("/kennels", {"city": "Київ"}) == {"city": "Київ"}
    method, path, headers, _ = service.asked[0]
    assert (method, path) == ("GET", "/v2/kennels?city=%D0%9A%D0%B8%D1%97%D0%B2")
    assert (headers["authorization"], headers["accept"]) == ("Bearer x", "application/json")


def test_body_is_posted_as_json(service: Any, api: RestApi) -> None:
    api.post("/kennels/{number}/search", {"city": "Київ"}, number=7)
    method, path, headers, body = service.asked[0]
    assert (method, path, headers["content-type"]) == ("POST", "/v2/kennels/7/search", "application/json")
    assert "Київ" in body.decode()


def test_value_cannot_leave_its_place_in_the_path(service: Any, api: RestApi) -> None:
    api.get("/kennels/{number}", number="../owners?all=1#")
    assert service.asked[0][1] == "/v2/kennels/..%2Fowners%3Fall%3D1%23"
    for wrong in ("", ".", ".."):
        with pytest.raises(RequestError):
            api.get("/kennels/{number}", number=wrong)
    assert len(service.asked) == 1


@pytest.mark.parametrize("status", [404, 410, 204])
def test_nothing_there_is_none(service: Any, api: RestApi, status: int) -> None:
    service.status, service.content = status, b""
    assert api.get("/kennels/1") is None


@pytest.mark.parametrize("status", [400, 422])
def test_question_that_is_refused_is_the_askers(service: Any, api: RestApi, status: int) -> None:
    service.status = status
    with pytest.raises(RequestError, match=f"source_refused status={status}"):
        api.get("/kennels/1")


@pytest.mark.parametrize("status", [301, 401, 403, 429, 500, 503])
def test_any_other_status_is_unavailability(service: Any, api: RestApi, status: int) -> None:
    service.status, service.location = status, f"{service.url}/elsewhere"
    with pytest.raises(UnavailableError, match="source_unavailable"):
        api.get("/kennels/1")
    assert len(service.asked) == 1


@pytest.mark.parametrize("content", [b"<html>", b"", b"\xff", b"[" * 900])
def test_answer_that_is_no_json_is_unusable(service: Any, api: RestApi, content: bytes) -> None:
    service.content = content
    with pytest.raises(UnavailableError, match="source_unusable"):
        api.get("/kennels/1")


def test_answer_larger_than_the_bound_is_unusable(service: Any, api: RestApi) -> None:
    service.content = b'"' + b"x" * 1000 + b'"'
    with pytest.raises(UnavailableError, match="source_unusable"):
        api.get("/kennels/1")


@pytest.mark.parametrize("delay_s", [0.8, 0.3])
def test_answer_that_comes_too_late_or_drop_by_drop_is_not_waited_for(
    service: Any, api: RestApi, delay_s: float
) -> None:
    service.content, service.delay_s = b'"' + b"x" * 30 + b'"', delay_s
    with pytest.raises(UnavailableError, match="source_unavailable"):
        api.get("/kennels/1")


def test_service_that_does_not_listen_is_unavailable() -> None:
    api = RestApi("http://127.0.0.1:1")
    with pytest.raises(UnavailableError, match="source_unavailable"):
        api.get("/kennels/1")
    api.close()
