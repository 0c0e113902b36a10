"""Trembita's dialect through two servers: `/restapi` with `Uxp-*` headers, its evidence, and its habits in SOAP."""

from __future__ import annotations

import asyncio
import io
import json
import re
import zipfile
from urllib.parse import quote, unquote

import pytest

from gateway.main import Gateway
from gateway.xroad.asic.container import read_container
from gateway.xroad.asic.verify import verify_container
from gateway.xroad.faults import RemoteFault
from gateway.xroad.identifiers import ClientId
from registry_adapters.sdk.client import Protocol, Reason, RestAnswer, XRoadClient
from tests.factories.recordings import Recording
from tests.landscape import kinds_of
from tests.scenarios.asking import (
    CLOSED_THINGS,
    MUTUAL,
    SNAP,
    STANDIN,
    THINGS,
    envelope,
    new_id,
    slashes,
)
from tests.scenarios.raw import exchange, request_bytes, status_of
from tests.scenarios.scene import Scene
from tests.scenarios.wire import WireRequest, http_answer

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]

CLIENT = ("Uxp-Client", slashes(SNAP))
SERVICE = ("Uxp-Service", f"{slashes(STANDIN)}/things")
TRANSACTION = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def ask(
    scene: Scene,
    target: str = "/restapi",
    *headers: tuple[str, str],
    parties: tuple[tuple[str, str], ...] = (CLIENT, SERVICE),
    method: str = "GET",
    body: bytes | None = None,
) -> Recording:
    """Send a request of the dialect as bytes."""
    request = request_bytes(method, target, [*parties, *headers], body)
    return await exchange(scene.federation.consumer.settings.address, request)


def arrived(scene: Scene) -> WireRequest:
    """What the service received last."""
    return scene.stand_in.asked[-1]


# a request and what the service sees of it


async def test_example_of_the_guide_reaches_the_service_as_it_was_written(scene: Scene) -> None:
    sent = (
        ("Uxp-QueryID", new_id()),
        ("Uxp-Purpose-Ids", "9K9J65I75ILCLMPDUIRXS"),
        ("Uxp-Subject-Id", "1234567036"),
    )
    answer = await ask(scene, "/restapi?x=15&y=9", *sent)
    assert status_of(answer) == 200
    assert (arrived(scene).method, arrived(scene).target) == ("GET", "/things?x=15&y=9")
    assert [header for header in arrived(scene).headers if header[0].startswith("Uxp-")][:5] == [CLIENT, SERVICE, *sent]
    assert arrived(scene).header("x-road-client") == CLIENT[1]
    assert arrived(scene).header("x-road-id") == sent[0][1]
    assert answer.header("x-road-id") == sent[0][1]
    assert answer.header("x-road-service") == SERVICE[1]


@pytest.mark.parametrize("method", ["HEAD", "GET", "DELETE", "POST", "PUT", "PATCH"])
async def test_every_method_of_the_dialect_reaches_the_service(scene: Scene, method: str) -> None:
    body = b'{"unzr": "19910824-00026"}' if method in ("POST", "PUT", "PATCH") else None
    answer = await ask(scene, "/restapi/unzr/19910824-00026", method=method, body=body)
    assert status_of(answer) == 200
    assert (arrived(scene).method, arrived(scene).target) == (method, "/things/unzr/19910824-00026")
    assert arrived(scene).body == (body or b"")


@pytest.mark.parametrize(
    "rest", ["", "/", "//a//", "/%D1%96%D0%BC%27%D1%8F/%41%2fb", "/p?queryId=q&userId=u&name=%D1%96&name=+", "?"]
)
async def test_path_and_query_are_appended_byte_for_byte(scene: Scene, rest: str) -> None:
    assert status_of(await ask(scene, f"/restapi{rest}")) == 200
    assert arrived(scene).target == f"/things{rest}"


async def test_header_names_may_be_written_in_any_case(scene: Scene) -> None:
    query_id = new_id()
    parties = (("UXP-CLIENT", CLIENT[1]), ("uxp-service", SERVICE[1]))
    answer = await ask(scene, "/restapi", ("uxp-queryid", query_id), ("UXP-USERID", "clerk"), parties=parties)
    assert (status_of(answer), answer.header("x-road-id")) == (200, query_id)
    assert arrived(scene).header("x-road-userid") == "clerk"
    assert {"UXP-CLIENT", "uxp-service", "uxp-queryid", "UXP-USERID"} <= {name for name, _ in arrived(scene).headers}


async def test_ids_may_stand_in_the_query(scene: Scene) -> None:
    query_id = new_id()
    answer = await ask(scene, f"/restapi/name/x?queryId={query_id}&userId={quote('Олена')}")
    assert answer.header("x-road-id") == query_id
    user = arrived(scene).header("x-road-userid") or ""
    assert user.encode("latin-1").decode() == "Олена"
    assert kinds_of(scene.federation.provider, query_id) == ["request", "response"]


async def test_request_without_id_gets_one(scene: Scene) -> None:
    made = (await ask(scene, "/restapi", ("Uxp-QueryID", ""))).header("x-road-id") or ""
    assert made.startswith("UA-DEMO-")
    assert kinds_of(scene.federation.consumer, made) == ["request", "response"]


@pytest.mark.parametrize("value", ["A, B", '""', ""])
async def test_purposes_travel_as_they_were_written(scene: Scene, value: str) -> None:
    assert status_of(await ask(scene, "/restapi", ("Uxp-Purpose-Ids", value))) == 200
    assert arrived(scene).header("uxp-purpose-ids") == value


async def test_version_of_the_service_is_the_first_segment_of_its_path(scene: Scene) -> None:
    parties = (CLIENT, ("Uxp-Service", f"{SERVICE[1]}/v1"))
    answer = await ask(scene, "/restapi/x?y=1", parties=parties)
    assert status_of(answer) == 200
    assert arrived(scene).target == "/things/v1/x?y=1"
    assert arrived(scene).header("uxp-service") == f"{SERVICE[1]}/v1"


async def test_both_sides_get_to_know_the_same_transaction(scene: Scene) -> None:
    answer = await ask(scene, "/restapi", ("Uxp-Transaction-Id", "forged"))
    made = answer.header("uxp-transaction-id") or ""
    assert TRANSACTION.fullmatch(made)
    assert arrived(scene).header("uxp-transaction-id") == made
    assert answer.header("x-road-request-id") == made


async def test_service_cannot_speak_for_the_gateway(scene: Scene) -> None:
    forged = [("Uxp-Transaction-Id", "forged"), ("Uxp-FaultCode", "forged"), ("X-Own", "1")]
    with scene.stand_in.answering(http_answer(b"{}", "application/json", headers=forged)):
        answer = await ask(scene)
    assert TRANSACTION.fullmatch(answer.header("uxp-transaction-id") or "")
    assert (answer.header("uxp-faultcode"), answer.header("x-own")) == (None, "1")


@pytest.mark.parametrize("status", ["404 Not Found", "409 Conflict", "500 Internal Server Error", "302 Found"])
async def test_status_of_the_service_is_no_error_of_the_gateway(scene: Scene, status: str) -> None:
    with scene.stand_in.answering(http_answer(b"{}", "application/json", status=status)):
        answer = await ask(scene)
    assert (answer.start_line, answer.body) == (f"HTTP/1.1 {status}", b"{}")
    assert answer.header("uxp-faultcode") is None


# refusals, in the words of the dialect


async def refused(
    scene: Scene, *headers: tuple[str, str], parties: tuple[tuple[str, str], ...] = (CLIENT, SERVICE),
    target: str = "/restapi", method: str = "GET",
) -> Recording:  # fmt: skip
    """Hold that the service was not reached, and that the answer is an error as the dialect says one."""
    before = len(scene.stand_in.asked)
    answer = await ask(scene, target, *headers, parties=parties, method=method)
    assert len(scene.stand_in.asked) == before
    assert TRANSACTION.fullmatch(answer.header("uxp-transaction-id") or "")
    assert answer.header("x-road-error") is None
    return answer


async def test_refusal_says_code_and_sentence_in_headers_and_body(scene: Scene) -> None:
    answer = await refused(scene, parties=(CLIENT, ("Uxp-Service", str(CLOSED_THINGS))))
    assert status_of(answer) == 500
    assert answer.header("uxp-faultcode") == "server.serverproxy.access_denied"
    document = json.loads(answer.body)
    assert document["type"] == "server.serverproxy.access_denied"
    assert document["message"] == unquote(answer.header("uxp-faultstring") or "")


async def test_refusal_is_ukrainian_or_xml_for_who_asks(scene: Scene) -> None:
    answer = await refused(
        scene, ("Accept-Language", "uk"), ("Accept", "application/xml"), parties=(CLIENT, ("Uxp-Service", "x"))
    )
    assert (answer.header("uxp-faultstring") or "").isascii()
    sentence = unquote(answer.header("uxp-faultstring") or "")
    assert "не є ідентифікатором сервісу" in sentence
    assert f"<message>{sentence}</message>".encode() in answer.body


@pytest.mark.parametrize(
    ("parties", "code"),
    [
        ((SERVICE,), "server.clientproxy.invalid_client_identifier"),
        ((CLIENT,), "server.clientproxy.missing_header_field"),
        ((CLIENT, ("Uxp-Service", slashes(STANDIN))), "server.clientproxy.internal_error"),
        ((("Uxp-Client", "UA-DEMO/GOV/10000001/NOBODY"), SERVICE), "server.clientproxy.unknown_member"),
        ((("Uxp-Client", slashes(MUTUAL)), SERVICE), "server.clientproxy.ssl_authentication_failed"),
        ((CLIENT, ("Uxp-Service", "UA-DEMO/GOV/99999999/X/y")), "server.clientproxy.unknown_member"),
        ((CLIENT, ("Uxp-Service", f"{slashes(STANDIN)}/none")), "server.serverproxy.unknown_service"),
        ((CLIENT, ("Uxp-Service", "UA-DEMO/GOV/1/PD_X/y")), "server.clientproxy.missing_header_field"),
        ((CLIENT, SERVICE, ("X-Road-Client", slashes(MUTUAL))), "server.clientproxy.internal_error"),
    ],
)
async def test_rules_are_those_of_every_exchange(scene: Scene, parties: tuple[tuple[str, str], ...], code: str) -> None:
    assert (await refused(scene, parties=parties)).header("uxp-faultcode") == code


@pytest.mark.parametrize("target", ["/restapi/../closed", "/restapi/%2e%2e", "/restapi/a/..%2Fb"])
async def test_dot_segment_is_refused(scene: Scene, target: str) -> None:
    assert (await refused(scene, target=target)).header("uxp-faultcode") == "server.clientproxy.internal_error"


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE"])
async def test_method_outside_the_dialect_is_refused(scene: Scene, method: str) -> None:
    answer = await refused(scene, method=method)
    assert answer.header("uxp-faultcode") == "server.clientproxy.invalid_http_method"


async def test_service_that_is_down_is_told(scene: Scene) -> None:
    await scene.stand_in.server.stop()
    try:
        answer = await ask(scene)
    finally:
        await scene.stand_in.server.start()
    assert answer.header("uxp-faultcode") == "server.serverproxy.network_error"


# evidence


def evidence_target(client: ClientId, query_id: str) -> str:
    member = client.member
    return (
        f"/signature?queryId={quote(query_id)}&xRoadInstance={member.xroad_instance}"
        f"&memberClass={member.member_class}&memberCode={member.member_code}&subsystemCode={client.subsystem_code}"
    )


async def signatures(gateway: Gateway, client: ClientId, query_id: str) -> Recording:
    """Ask a server for the evidence of a query as a Trembita client does."""
    return await exchange(gateway.settings.address, request_bytes("GET", evidence_target(client, query_id), []))


@pytest.mark.parametrize("query_id", ["plain-7f", "запит № 7/2026"])
async def test_evidence_is_had_at_once_by_the_query_id(scene: Scene, query_id: str) -> None:
    await ask(scene, f"/restapi?queryId={quote(query_id)}", ("Uxp-Purpose-Ids", "P-1"))
    gateways = ((scene.federation.consumer, SNAP), (scene.federation.provider, STANDIN))
    for gateway, client in gateways:
        answer = await signatures(gateway, client, query_id)
        assert status_of(answer) == 200, answer.body
        disposition = answer.header("content-disposition") or ""
        assert re.fullmatch(r'attachment; filename="[!-~]+\.zip"', disposition)
        with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
            containers = [read_container(archive.read(name)) for name in archive.namelist()]
        verdicts = [verify_container(container, gateway.configuration.current()) for container in containers]
        assert [verdict.signer.member for verdict in verdicts] == [SNAP.member, STANDIN.member]
        assert b"Uxp-Purpose-Ids:P-1\r\n" in containers[0].message


async def test_evidence_of_somebody_else_is_not_given(scene: Scene) -> None:
    query_id = new_id()
    await ask(scene, f"/restapi?queryId={query_id}")
    assert status_of(await signatures(scene.federation.consumer, SNAP, "never-asked")) == 404
    assert status_of(await signatures(scene.federation.consumer, MUTUAL, query_id)) == 401
    assert status_of(await signatures(scene.federation.provider, SNAP, query_id)) == 404


# the client library


async def call(scene: Scene, service_code: str = "things") -> RestAnswer:
    """Call through the library in its Trembita form."""
    url = scene.federation.url_of(scene.federation.consumer)

    def work() -> RestAnswer:
        with XRoadClient(url, SNAP, protocol=Protocol.UXP) as client:
            service = THINGS if service_code == "things" else CLOSED_THINGS
            reason = Reason(user_id="clerk", issue="case 7", purposes=("P-1", "P-2"))
            return client.call_rest("POST", service, "/a", query={"x": "1"}, json={"a": 1}, reason=reason)

    return await asyncio.to_thread(work)


async def test_client_library_speaks_it(scene: Scene) -> None:
    answer = await call(scene)
    assert answer.status == 200
    assert arrived(scene).target == "/things/a?x=1"
    facts = ("x-road-userid", "x-road-issue", "uxp-purpose-ids")
    assert [arrived(scene).header(name) for name in facts] == ["clerk", "case 7", "P-1,P-2"]
    assert kinds_of(scene.federation.consumer, answer.message_id) == ["request", "response"]


async def test_client_library_reads_its_faults(scene: Scene) -> None:
    with pytest.raises(RemoteFault) as caught:
        await call(scene, "closed")
    assert caught.value.code == "server.serverproxy.access_denied"
    assert "ask the owner of the service" in caught.value.text


# SOAP


EDR = (
    b'<n:AuthorizationToken xmlns:n="http://nais.gov.ua/api/sevdeir/EDR">tok</n:AuthorizationToken>'
    b"<xrd:title>\xd0\x97\xd0\xb0\xd0\xbf\xd0\xb8\xd1\x82</xrd:title><xrd:notes/>"
)


async def test_header_blocks_of_registries_pass_untouched(scene: Scene) -> None:
    sent = envelope().replace(b"</SOAP-ENV:Header>", EDR + b"</SOAP-ENV:Header>")
    reply = await scene.caller.soap(sent)
    assert reply.code is None, reply.text
    assert arrived(scene).body == sent
    assert EDR in reply.content


async def test_empty_query_id_is_taken(scene: Scene) -> None:
    reply = await scene.caller.soap(re.sub(rb"<xrd:id>[^<]*</xrd:id>", b"<xrd:id></xrd:id>", envelope()))
    assert reply.code is None, reply.text


async def test_answer_without_header_is_completed_by_the_gateway(scene: Scene) -> None:
    bare = (
        b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        b'<n:askResponse xmlns:n="http://stand-in.test">ok</n:askResponse></s:Body></s:Envelope>'
    )
    query_id = new_id()
    with scene.stand_in.answering(http_answer(bare)):
        reply = await scene.caller.soap(envelope(query_id=query_id))
    assert reply.code is None, reply.text
    assert f">{query_id}<".encode() in reply.content
    assert b"requestHash" in reply.content
