"""REST through two servers: what an information system writes reaches the service as it is, and the other way round."""

from __future__ import annotations

import json
import re

import pytest

from gateway.xroad.bodies import BytesBody
from gateway.xroad.identifiers import SecurityServerId
from gateway.xroad.rest.message import build_rest_request, parse_rest_request, rest_request_hash
from tests.factories.recordings import Recording
from tests.landscape import kinds_of, records_of
from tests.scenarios.asking import OWNER, PROVIDER_MEMBER, SNAP, VISITOR, new_id, slashes
from tests.scenarios.hand_made import VISITOR_SERVER
from tests.scenarios.raw import exchange, request_bytes, status_of
from tests.scenarios.scene import Scene
from tests.scenarios.wire import WireRequest, http_answer

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]

THINGS = "/r1/UA-DEMO/GOV/10000002/STANDIN/things"
CLOSED = "/r1/UA-DEMO/GOV/10000002/STANDIN/closed"
Headers = list[tuple[str, str]]


async def ask(
    scene: Scene,
    target: str = THINGS,
    headers: Headers | None = None,
    *,
    method: str = "GET",
    body: bytes | None = None,
    query_id: str | None = None,
) -> Recording:
    """Send a request as bytes."""
    said = [("X-Road-Client", slashes(SNAP)), ("X-Road-Id", query_id or new_id()), *(headers or [])]
    return await exchange(scene.federation.consumer.settings.address, request_bytes(method, target, said, body))


def arrived(scene: Scene) -> WireRequest:
    """What the service received last."""
    return scene.stand_in.asked[-1]


# what the information system wrote


@pytest.mark.parametrize("method", ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"])
async def test_every_method_reaches_the_service(scene: Scene, method: str) -> None:
    answer = await ask(scene, f"{THINGS}/7", method=method)
    assert status_of(answer) == 200
    assert (arrived(scene).method, arrived(scene).target) == (method, "/things/7")
    assert (answer.body == b"") is (method == "HEAD")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_body_reaches_the_service_as_it_was(scene: Scene, method: str) -> None:
    body = bytes(range(256)) * 300
    assert status_of(await ask(scene, headers=[("Content-Type", "x/y")], method=method, body=body)) == 200
    assert arrived(scene).body == body
    assert arrived(scene).header("content-length") == str(len(body))


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_body_of_a_method_that_has_none_is_evidence_only(scene: Scene, method: str) -> None:
    query_id = new_id()
    assert status_of(await ask(scene, method=method, body=b"{}", query_id=query_id)) == 200
    assert arrived(scene).body == b""
    (request, _) = records_of(scene.federation.provider, query_id)
    assert request.bodies


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "/",
        "//",
        "/a//b///",
        "/%D1%96%D0%BC%27%D1%8F",
        "/a%2Fb/c%2fd",
        "/%61%7e~/%2525",
        "/a;p=1,2/(x)/@:!$&'*+=",
        "/.../.a/a.",
        "?",
        "?q=a+b%20c&empty=&dup=1&dup=2&%D1%96=%d1%96&plus=%2B&x=/?:@",
        "/p?a[0]=1&next=/../x",
    ],
)
async def test_path_and_query_reach_the_service_as_they_were_written(scene: Scene, rest: str) -> None:
    answer = await ask(scene, THINGS + rest)
    assert status_of(answer) == 200
    assert arrived(scene).target == f"/things{rest}"
    assert json.loads(answer.body)["target"] == f"/things{rest}"


async def test_headers_reach_the_service_in_their_order_and_case_and_repeated(scene: Scene) -> None:
    sent = [
        ("X-own", "1"), ("x-OWN", "2"), ("Accept", "a/b;q=0.5, */*"), ("X-Empty", ""), ("Authorization", "Bearer x"),
        ("Cookie", "a=b; c=d"), ("Date", "Thu, 01 Jan 2026 00:00:00 GMT"), ("Cache-Control", "no-cache"),
        ("X-Utf8", "Олена".encode().decode("latin-1")), ("X-Road-UserId", "clerk"), ("X-Road-Issue", "case 7/2026"),
        ("X-Road-Represented-Party", "COM/7007"), ("X-Road-Security-Server", "UA-DEMO/GOV/10000002/SS-DMS"),
    ]  # fmt: skip
    assert status_of(await ask(scene, headers=sent)) == 200
    assert [header for header in arrived(scene).headers if header in sent] == sent


HOP_BY_HOP = [
    ("Keep-Alive", "timeout=5"), ("Proxy-Authenticate", "x"), ("Proxy-Authorization", "x"), ("TE", "trailers"),
    ("Trailer", "X"), ("Upgrade", "h2c"), ("User-Agent", "is/1"), ("Server", "is/1"),
]  # fmt: skip


@pytest.mark.parametrize("header", [*HOP_BY_HOP, ("X-Road-Request-Hash", "forged")], ids=lambda header: header[0])
async def test_header_of_one_connection_does_not_reach_the_service(scene: Scene, header: tuple[str, str]) -> None:
    assert status_of(await ask(scene, headers=[header])) == 200
    assert arrived(scene).header(header[0]) is None


async def test_request_id_is_ours(scene: Scene) -> None:
    query_id = new_id()
    answer = await ask(scene, headers=[("X-Road-Request-Id", "forged")], query_id=query_id)
    made = arrived(scene).header("x-road-request-id")
    assert made is not None
    assert re.fullmatch(r"[0-9a-f-]{36}", made)
    assert answer.header("x-road-request-id") == made
    assert b"forged" not in records_of(scene.federation.provider, query_id)[0].message


async def test_request_without_id_gets_one(scene: Scene) -> None:
    request = request_bytes("GET", THINGS, [("X-Road-Client", slashes(SNAP))])
    answer = await exchange(scene.federation.consumer.settings.address, request)
    made = answer.header("x-road-id") or ""
    assert re.fullmatch(r"UA-DEMO-[0-9a-f-]{36}", made)
    assert arrived(scene).header("x-road-id") == made
    assert kinds_of(scene.federation.consumer, made) == ["request", "response"]


# what the service answered


@pytest.mark.parametrize(
    "status", ["200 OK", "201 Created", "299 Own", "400 Bad Request", "401 Unauthorized", "404 Not Found", "409 ",
               "418 I'm a teapot", "500 Internal Server Error", "503 Service Unavailable", "599 x"],
)  # fmt: skip
async def test_status_of_the_service_passes_and_is_no_error_of_ours(scene: Scene, status: str) -> None:
    query_id = new_id()
    with scene.stand_in.answering(http_answer(b"said", "text/plain", status=status)):
        answer = await ask(scene, query_id=query_id)
    assert answer.start_line == f"HTTP/1.1 {status}"
    assert answer.body == b"said"
    assert answer.header("x-road-error") is None
    assert kinds_of(scene.federation.consumer, query_id) == ["request", "response"]


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 x"])
async def test_redirect_is_an_answer_and_is_not_followed(scene: Scene, status: str) -> None:
    before = len(scene.stand_in.asked)
    where = f"http://{scene.stand_in.server.host}:{scene.stand_in.server.port}/things/other"
    with scene.stand_in.answering(http_answer(b"", None, status=status, headers=[("Location", where)])):
        answer = await ask(scene)
    assert answer.start_line == f"HTTP/1.1 {status}"
    assert answer.header("location") == where
    assert len(scene.stand_in.asked) == before + 1


@pytest.mark.parametrize(
    ("method", "raw", "bodies"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Own: 1\r\n\r\n", 0),
        ("GET", b"HTTP/1.1 204 No Content\r\nX-Own: 1\r\n\r\n", 0),
        ("GET", b'HTTP/1.1 304 Not Modified\r\nX-Own: 1\r\nETag: "1"\r\n\r\n', 0),
        ("GET", b"HTTP/1.1 200 OK\r\nX-Own: 1\r\nContent-Length: 0\r\n\r\n", 1),
        ("POST", b"HTTP/1.1 200 OK\r\nX-Own: 1\r\nContent-Length: 0\r\n\r\n", 1),
        ("GET", b"HTTP/1.1 200 OK\r\nX-Own: 1\r\nConnection: close\r\n\r\n", 1),
    ],
)
async def test_answer_without_body_has_a_body_part_only_where_http_has_an_empty_one(
    scene: Scene, method: str, raw: bytes, bodies: int
) -> None:
    query_id = new_id()
    with scene.stand_in.answering(raw):
        answer = await ask(scene, method=method, query_id=query_id)
    assert answer.start_line == raw.partition(b"\r\n")[0].decode()
    assert (answer.header("x-own"), answer.body) == ("1", b"")
    assert answer.header("content-length") in (None, "0")
    (_, response) = records_of(scene.federation.consumer, query_id)
    assert len(response.bodies) == bodies


async def test_headers_of_the_service_come_back_in_their_order_and_ours_follow(scene: Scene) -> None:
    own = [
        ("Content-Type", "a/b; charset=utf-8"), ("Set-Cookie", "a=1"), ("SET-cookie", "b=2"), ("ETag", '"1"'),
        ("Date", "Thu, 01 Jan 2026 00:00:00 GMT"), ("X-Road-Error", "its own"), ("Cache-Control", "max-age=5"),
    ]  # fmt: skip
    forged = [
        ("X-Road-Id", "forged"), ("X-Road-Client", "forged/x/y"), ("X-Road-Request-Hash", "forged"),
        ("X-Road-Request-Id", "forged"), ("Server", "own/1"), ("Keep-Alive", "timeout=5"),
    ]  # fmt: skip
    query_id = new_id()
    with scene.stand_in.answering(http_answer(b"{}", None, headers=[*own, *forged])):
        answer = await ask(scene, query_id=query_id)
    assert list(answer.headers[: len(own)]) == own
    ours = [(name, value) for name, value in answer.headers[len(own) :] if name.startswith("x-road-")]
    assert [name for name, _ in ours] == [
        "x-road-id", "x-road-client", "x-road-service", "x-road-request-id", "x-road-request-hash"
    ]  # fmt: skip
    assert dict(ours)["x-road-service"] == "UA-DEMO/GOV/10000002/STANDIN/things"
    assert not any("forged" in value or "own/1" in value for _, value in answer.headers)


async def test_cookie_of_a_service_is_not_sent_to_it_again(scene: Scene) -> None:
    with scene.stand_in.answering(http_answer(b"{}", None, headers=[("Set-Cookie", "a=1")])):
        await ask(scene)
        await ask(scene)
    assert arrived(scene).header("cookie") is None


@pytest.mark.parametrize("body", [None, b"", b'{"a": 1}'])
async def test_answer_names_the_hash_of_the_request(scene: Scene, body: bytes | None) -> None:
    query_id = new_id()
    answer = await ask(scene, method="POST", body=body, query_id=query_id)
    kept = records_of(scene.federation.consumer, query_id)[0]
    message = parse_rest_request(kept.message, BytesBody(body) if body else None)
    assert answer.header("x-road-request-hash") == rest_request_hash(message).base64


# what is refused


async def refused(scene: Scene, target: str = THINGS, headers: Headers | None = None) -> Recording:
    """Hold that the service was not reached."""
    before = len(scene.stand_in.asked)
    answer = await ask(scene, target, headers)
    assert len(scene.stand_in.asked) == before
    return answer


@pytest.mark.parametrize(
    "path", ["/.", "/..", "/../closed", "/a/%2e%2e/b", "/%2E", "/..%2fclosed", "/a/..;x", "/a%5c..%5cb", "/.%2e/"]
)
async def test_dot_segment_in_any_spelling_is_refused(scene: Scene, path: str) -> None:
    answer = await refused(scene, THINGS + path)
    assert (status_of(answer), answer.header("x-road-error")) == (500, "server.clientproxy.internal_error")


@pytest.mark.parametrize("accept", [["text/xml"], ["application/json", "application/xml;q=0.1"], ["a/b, text/*"]])
async def test_error_is_xml_for_who_asks_in_any_of_the_headers(scene: Scene, accept: list[str]) -> None:
    answer = await refused(scene, CLOSED, [("Accept", value) for value in accept])
    assert (answer.header("content-type") or "").endswith("/xml;charset=utf-8")
    assert b"<type>server.serverproxy.access_denied</type>" in answer.body


async def test_error_says_its_code_and_is_json(scene: Scene) -> None:
    answer = await refused(scene, CLOSED)
    assert (status_of(answer), answer.header("content-type")) == (500, "application/json")
    assert answer.header("x-road-error") == "server.serverproxy.access_denied"
    assert json.loads(answer.body)["type"] == "server.serverproxy.access_denied"


@pytest.mark.parametrize("value", ["a/b/c", "/b", "%zz"])
async def test_represented_party_that_is_none_is_refused(scene: Scene, value: str) -> None:
    assert status_of(await refused(scene, headers=[("X-Road-Represented-Party", value)])) == 500


@pytest.mark.parametrize("value", ["COM/%D0%84", "7007"])
async def test_represented_party_travels_as_it_was_written(scene: Scene, value: str) -> None:
    assert status_of(await ask(scene, headers=[("X-Road-Represented-Party", value)])) == 200
    assert arrived(scene).header("x-road-represented-party") == value


async def test_header_of_the_older_dialect_may_not_name_another_client(scene: Scene) -> None:
    answer = await refused(scene, headers=[("Uxp-Client", "UA-DEMO/GOV/10000001/MUTUAL")])
    assert status_of(answer) == 500
    assert "Uxp-Client" in json.loads(answer.body)["message"]


# which server, which path


async def test_named_server_is_asked(scene: Scene) -> None:
    right = SecurityServerId(PROVIDER_MEMBER, "SS-DMS")
    assert status_of(await ask(scene, headers=[("X-Road-Security-Server", str(right))])) == 200


async def test_server_that_does_not_serve_the_provider_is_refused_by_the_consumers(scene: Scene) -> None:
    wrong = SecurityServerId(OWNER, "SS-SNAP")
    answer = await refused(scene, headers=[("X-Road-Security-Server", str(wrong))])
    assert answer.header("x-road-error") == "server.clientproxy.invalid_security_server"


@pytest.mark.parametrize(("named", "code"), [
    (VISITOR_SERVER, "server.serverproxy.service_failed.invalid_security_server"),
    (SecurityServerId(PROVIDER_MEMBER, "SS-DMS"), None),
])  # fmt: skip
async def test_provider_refuses_a_request_that_names_another_server(
    scene: Scene, named: SecurityServerId, code: str | None
) -> None:
    query_id, before = new_id(), len(scene.stand_in.asked)
    headers = (("X-Road-Client", slashes(VISITOR)), ("X-Road-Id", query_id), ("X-Road-Security-Server", str(named)))
    message = build_rest_request("GET", THINGS, headers, request_id=query_id, new_id=query_id)
    reply = await scene.visitor.send(*scene.visitor.request(scene.visitor.sign(message)))
    assert reply.code == code
    assert len(scene.stand_in.asked) == before + (code is None)


async def test_right_to_a_path_covers_its_spellings_and_no_other_path(scene: Scene) -> None:
    service = "UA-DEMO:GOV:10000002:STANDIN:closed"
    rights = {"items": [{"id": "UA-DEMO:GOV:10000001:SNAP", "service_client_type": "SUBSYSTEM"}]}
    async with scene.federation.api_of(scene.federation.provider) as api:
        endpoint = await api.post(f"/services/{service}/endpoints", {
            "service_code": "closed", "method": "GET", "path": "/open/~a/*", "generated": False,
        })  # fmt: skip
        try:
            await api.post(f"/endpoints/{endpoint['id']}/service-clients", rights)
            for path in ("/open/~a/1", "/open/%7Ea/1", "/%6fpen/%7ea/%31", "/open/~a/1%2F2", "/open/~a/"):
                assert status_of(await ask(scene, CLOSED + path)) == 200, path
                assert arrived(scene).target == f"/closed{path}"
            for path in ("/open%2F~a/1", "/open/~a/1/2", "//open/~a/1", "/open/~A/1", "/open/%257Ea/1"):
                answer = await refused(scene, CLOSED + path)
                assert answer.header("x-road-error") == "server.serverproxy.access_denied", path
            assert status_of(await ask(scene, f"{CLOSED}/open/~a/1", method="POST")) == 500
        finally:
            await api.post(f"/endpoints/{endpoint['id']}/service-clients/delete", rights)
