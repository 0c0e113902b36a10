"""What both admin APIs share, tried on a small application of their kind."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st

from gateway.runtime.accounts.model import Principal
from gateway.runtime.admin_api import (
    CORRELATION_HEADER,
    AdminApiSettings,
    ApiError,
    ApiWarning,
    RateLimit,
    add_header,
    check_identifier,
    decode_id,
    encode_id,
    install_error_handlers,
    principal_of,
    protect,
    requires,
    warnings_detected,
)

KEY = "5f7d8e30-0000-4000-8000-000000000001"


async def authenticate(token: str) -> Principal | None:
    """Know one key, whose role is OFFICER."""
    return Principal("tester", frozenset({"OFFICER"})) if token == KEY else None


def an_application() -> FastAPI:
    """An application with a route of every kind."""
    app = FastAPI()
    install_error_handlers(app)

    @app.get("/")
    async def index() -> str:
        return "public"

    @app.get("/api/v1/user")
    async def user(request: Request) -> str:
        return principal_of(request).name

    @app.post("/api/v1/echo")
    async def echo(body: dict[str, int], request: Request) -> dict[str, int]:
        add_header(request, "X-Note", "good\r\nbad: 1 é")
        return body

    @app.get("/api/v1/admin", dependencies=[requires("ADMINISTRATOR")])
    async def admin() -> str:
        return "secret"

    @app.get("/api/v1/broken")
    async def broken() -> str:
        raise RuntimeError("password=1234")

    @app.get("/api/v1/ignorable")
    async def ignorable() -> str:
        raise warnings_detected([ApiWarning("internal_server_not_found", ("ss1",))])

    return app


def a_client(**settings: int) -> httpx.AsyncClient:
    """A client of that application with the key in its headers."""
    unbound = {"requests_per_second": 0, "requests_per_minute": 0}
    app = protect(an_application(), authenticate, AdminApiSettings(**{**unbound, **settings}))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    headers = {"Authorization": f"X-Road-ApiKey token={KEY}"}
    return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A client without bounds."""
    async with a_client() as client:
        yield client


@pytest.mark.parametrize(
    "header", ["", "X-Road-ApiKey", "X-Road-ApiKey token=", "X-Road-ApiKey token=wrong", f"Bearer {KEY}", KEY]
)
async def test_without_a_known_key_there_is_nothing(http: httpx.AsyncClient, header: str) -> None:
    response = await http.get("/api/v1/user", headers={"Authorization": header})
    assert (response.status_code, response.json()) == (401, {"status": 401, "error": {"code": "unauthorized"}})


async def test_not_even_an_unknown_path_is_told_without_a_key(http: httpx.AsyncClient) -> None:
    assert (await http.get("/api/v1/nothing", headers={"Authorization": ""})).status_code == 401


async def test_the_scheme_is_read_in_any_case(http: httpx.AsyncClient) -> None:
    response = await http.get("/api/v1/user", headers={"Authorization": f"x-road-apikey TOKEN={KEY}"})
    assert response.json() == "tester"


async def test_the_root_page_needs_no_key(http: httpx.AsyncClient) -> None:
    assert (await http.get("/", headers={"Authorization": ""})).status_code == 200


async def test_every_answer_has_its_own_number(http: httpx.AsyncClient) -> None:
    answers = [await http.get("/api/v1/user"), await http.get("/api/v1/user", headers={"Authorization": ""})]
    numbers = {answer.headers[CORRELATION_HEADER] for answer in answers}
    assert len(numbers) == 2


async def test_answers_are_not_cached(http: httpx.AsyncClient) -> None:
    assert (await http.get("/api/v1/user")).headers["cache-control"] == "no-store"


async def test_a_missing_role_is_forbidden(http: httpx.AsyncClient) -> None:
    response = await http.get("/api/v1/admin")
    assert (response.status_code, response.json()["error"]["code"]) == (403, "forbidden")


async def test_an_unknown_path_is_an_error_object(http: httpx.AsyncClient) -> None:
    response = await http.get("/api/v1/nothing")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


async def test_another_verb_is_an_error_object(http: httpx.AsyncClient) -> None:
    response = await http.delete("/api/v1/user")
    assert (response.status_code, response.json()["error"]["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"a": "x"}', b""])
async def test_a_body_of_another_shape_is_a_validation_failure(http: httpx.AsyncClient, body: bytes) -> None:
    response = await http.post("/api/v1/echo", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "validation_failure"
    assert response.json()["error"]["validation_errors"]


async def test_a_body_that_is_no_text_is_a_bad_request(http: httpx.AsyncClient) -> None:
    response = await http.post("/api/v1/echo", content=b"\xff", headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_request")


async def test_a_failure_of_ours_tells_nothing_but_its_number(http: httpx.AsyncClient) -> None:
    response = await http.get("/api/v1/broken")
    assert response.status_code == 500
    assert response.json()["error"] == {
        "code": "internal_error",
        "metadata": [response.headers[CORRELATION_HEADER]],
    }


async def test_ignorable_problems_are_warnings(http: httpx.AsyncClient) -> None:
    response = await http.get("/api/v1/ignorable")
    assert response.json() == {
        "status": 400,
        "error": {"code": "warnings_detected"},
        "warnings": [{"code": "internal_server_not_found", "metadata": ["ss1"]}],
    }


async def test_an_added_header_cannot_break_the_answer(http: httpx.AsyncClient) -> None:
    response = await http.post("/api/v1/echo", json={"a": 1})
    assert response.headers["x-note"] == "good  bad: 1 ?"


async def test_a_large_request_is_refused_by_its_length() -> None:
    async with a_client(max_request_bytes=10) as http:
        response = await http.post("/api/v1/echo", json={"a": 12345678})
    assert (response.status_code, response.json()["error"]["code"]) == (413, "request_too_large")


async def test_a_large_request_without_length_is_refused_while_it_is_read() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"         "

    async with a_client(max_request_bytes=10) as http:
        response = await http.post("/api/v1/echo", content=pieces(), headers={"Content-Type": "application/json"})
    assert response.status_code == 413


async def test_uploads_may_be_larger_than_other_requests() -> None:
    async with a_client(max_request_bytes=10, max_upload_bytes=1000) as http:
        response = await http.post("/api/v1/echo", files={"file": b"x" * 100})
    assert response.status_code == 400  # refused for its shape, no longer for its size


async def test_too_many_requests_in_a_second_are_refused() -> None:
    async with a_client(requests_per_minute=3) as http:
        statuses = [(await http.get("/api/v1/user")).status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]


def test_a_new_second_and_a_new_minute_begin_anew() -> None:
    at = [0.0]
    limit = RateLimit(2, 3, clock=lambda: at[0])
    first = [limit.admits("a") for _ in range(3)]
    at[0] = 1.0
    second = [limit.admits("a"), limit.admits("b")]
    at[0] = 60.0
    assert (first, second, limit.admits("a")) == ([True, True, False], [False, True], True)


@given(st.lists(st.text(min_size=1).filter(lambda text: text.strip()), min_size=1, max_size=5))
def test_an_encoded_id_decodes_to_its_parts(parts: list[str]) -> None:
    assert decode_id(encode_id(parts), len(parts)) == tuple(parts)


@given(st.text(max_size=60))
def test_any_text_is_an_id_or_refused(text: str) -> None:
    try:
        length = len(decode_id(text, 3, 4))
    except ApiError:
        return
    assert length in (3, 4)


def test_part_separators_inside_a_part_are_encoded() -> None:
    assert encode_id(["UA", "a:b", "x/y z"]) == "UA:a%3Ab:x%2Fy%20z"


@pytest.mark.parametrize("value", ["", "  ", "a:b", "a;b", "a/b", "a\\b", "a%b", "a\tb", "x" * 256, "Київ", "a b"])
def test_new_identifiers_keep_to_the_alphabet(value: str) -> None:
    with pytest.raises(ApiError) as refusal:
        check_identifier("field", value)
    assert list(refusal.value.validation_errors or ()) == ["field"]


def test_a_lenient_server_takes_letters_of_any_language() -> None:
    assert check_identifier("field", " Київ ", strict=False) == "Київ"
