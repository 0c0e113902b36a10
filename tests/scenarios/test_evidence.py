"""What both servers hold after a call, who is given it, and who else agrees that it is genuine."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from gateway.main import Gateway
from gateway.xroad.asic.container import read_container
from gateway.xroad.asic.verdict import Direction, Verdict
from gateway.xroad.asic.verify import verify_container
from gateway.xroad.digests import digest_of
from gateway.xroad.identifiers import ClientId, MemberId
from tests.factories.openssl import openssl
from tests.landscape import kinds_of
from tests.scenarios.asking import (
    DEMOGRAPHIC,
    GET_PERSON,
    MUTUAL,
    OWNER,
    PERSON,
    PROVIDER_MEMBER,
    SNAP,
    STANDIN,
    envelope,
    new_id,
)
from tests.scenarios.scene import Scene

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]

DS = "{http://www.w3.org/2000/09/xmldsig#}"
XADES = "{http://uri.etsi.org/01903/v1.3.2#}"
SIGNATURES = "META-INF/signatures.xml"


async def an_answered_call(scene: Scene) -> str:
    """Make a SOAP call; return its id."""
    query_id = new_id()
    reply = await scene.caller.soap(envelope(query_id=query_id))
    assert reply.code is None, reply.text
    return query_id


async def a_posted_body(scene: Scene, body: bytes = b'{"a": "body"}') -> str:
    """Make a REST call with a body; return its id."""
    query_id = new_id()
    reply = await scene.caller.rest("/7", query_id=query_id, method="POST", content=body)
    assert reply.status == 200, reply.text
    return query_id


async def documents(scene: Scene, gateway: Gateway, client: ClientId, query_id: str) -> list[bytes]:
    """Return the containers of both messages of a call, the request first."""
    system = scene.caller if gateway is scene.federation.consumer else scene.owner
    reply = await system.evidence("/signature", client, query_id)
    assert reply.status == 200, reply.content
    assert reply.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        return [archive.read(name) for name in archive.namelist()]


async def all_documents(scene: Scene, query_id: str, provider: ClientId = STANDIN) -> list[bytes]:
    """Return the containers of a call from both sides."""
    consumer = await documents(scene, scene.federation.consumer, SNAP, query_id)
    return consumer + await documents(scene, scene.federation.provider, provider, query_id)


def proven(container: bytes, gateway: Gateway) -> Verdict:
    """Verify a container with the configuration that a gateway uses."""
    return verify_container(read_container(container), gateway.configuration.current())


def entries_of(container: bytes) -> dict[str, bytes]:
    """Return what a container holds."""
    with zipfile.ZipFile(io.BytesIO(container)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


# both sides hold both


@pytest.mark.parametrize("call", [an_answered_call, a_posted_body])
async def test_answered_call_leaves_request_and_response_on_both_sides(scene: Scene, call: object) -> None:
    query_id = await call(scene)  # type: ignore[operator]
    for gateway in scene.federation.gateways.values():
        assert kinds_of(gateway, query_id) == ["request", "response"]


@pytest.mark.parametrize("call", [an_answered_call, a_posted_body])
async def test_both_sides_hold_proof_of_both_members(scene: Scene, call: object) -> None:
    query_id = await call(scene)  # type: ignore[operator]
    for container, direction, signer in zip(
        await all_documents(scene, query_id),
        (Direction.REQUEST, Direction.RESPONSE) * 2,
        (OWNER, PROVIDER_MEMBER) * 2,
        strict=True,
    ):
        verdict = proven(container, scene.federation.consumer)
        assert (verdict.direction, verdict.signer.member, verdict.id) == (direction, signer, query_id)
        assert (verdict.client, verdict.service.provider) == (SNAP, STANDIN)
        assert verdict.time == scene.federation.clock.now().replace(microsecond=verdict.time.microsecond)


async def test_both_sides_hold_the_same_bytes(scene: Scene) -> None:
    query_id = await an_answered_call(scene)
    asked, answered, heard, said = [entries_of(one)["message.xml"] for one in await all_documents(scene, query_id)]
    assert (asked, answered) == (heard, said)


async def test_body_of_a_rest_request_is_part_of_the_evidence(scene: Scene) -> None:
    query_id = await a_posted_body(scene, b"exactly this")
    request, *_ = await all_documents(scene, query_id)
    assert entries_of(request)["attachment1"] == b"exactly this"


async def test_records_of_one_batch_share_a_time_stamp_and_verify(scene: Scene) -> None:
    query_ids = [await an_answered_call(scene), await a_posted_body(scene)]
    for gateway in scene.federation.gateways.values():
        assert await gateway.timestamper.stamp_waiting() >= 4
    for query_id in query_ids:
        for container in await all_documents(scene, query_id):
            assert proven(container, scene.federation.consumer).is_batch_timestamp


# when it is given


async def test_asic_of_an_unstamped_record_says_so_until_forced(scene: Scene) -> None:
    for _ in range(3):  # once a minute the batch may come first
        query_id = await an_answered_call(scene)
        early = await scene.caller.evidence("/asic", SNAP, query_id)
        if early.status == 500:
            break
    assert early.status == 500
    assert early.headers["content-type"].startswith("text/plain")
    assert "not been timestamped yet" in early.content.decode()
    forced = await scene.caller.evidence("/asic", SNAP, query_id, "force")
    assert forced.status == 200
    later = await scene.caller.evidence("/asic", SNAP, query_id)
    assert later.content == forced.content
    with zipfile.ZipFile(io.BytesIO(forced.content)) as archive:
        for name in archive.namelist():
            assert name.startswith(f"{query_id}-re")
            proven(archive.read(name), scene.federation.consumer)


async def test_signature_is_stamped_on_the_spot(scene: Scene) -> None:
    query_id = await an_answered_call(scene)
    reply = await scene.caller.evidence("/signature", SNAP, query_id, "responseOnly")
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/vnd.etsi.asic-e+zip"
    assert proven(reply.content, scene.federation.consumer).direction is Direction.RESPONSE


async def test_one_half_can_be_asked_for(scene: Scene) -> None:
    query_id = await an_answered_call(scene)
    for flag, direction in (("requestOnly", Direction.REQUEST), ("responseOnly", Direction.RESPONSE)):
        reply = await scene.caller.evidence("/asic", SNAP, query_id, "force", "unique", flag)
        assert reply.status == 200, reply.content
        assert proven(reply.content, scene.federation.consumer).direction is direction


async def test_contradicting_question_is_refused(scene: Scene) -> None:
    reply = await scene.caller.evidence("/asic", SNAP, "any", "requestOnly", "responseOnly")
    assert reply.status == 400
    assert b"exclude each other" in reply.content


# to whom


async def test_record_of_another_client_is_never_given(scene: Scene) -> None:
    query_id = await an_answered_call(scene)
    for system, client in (
        (scene.caller, DEMOGRAPHIC),
        (scene.caller, OWNER),
        (scene.owner, DEMOGRAPHIC),
        (scene.owner, SNAP),
        (scene.owner, PROVIDER_MEMBER),
    ):
        for path in ("/asic", "/signature"):
            reply = await system.evidence(path, client, query_id, "force")
            assert reply.status == (401 if isinstance(client, MemberId) else 404), (client, reply.content)


async def test_unknown_query_id_is_not_found(scene: Scene) -> None:
    reply = await scene.caller.evidence("/asic", SNAP, "never asked")
    assert reply.status == 404
    assert b"No signed documents found" in reply.content


async def test_client_of_another_connection_type_hears_nothing_in_plaintext(scene: Scene) -> None:
    reply = await scene.caller.evidence("/asic", MUTUAL, "any")
    assert reply.status == 401


# who else agrees


async def run(*words: object) -> subprocess.CompletedProcess[str]:
    """Run a program beside the landscape."""
    return await asyncio.to_thread(
        subprocess.run, [str(word) for word in words], capture_output=True, text=True, timeout=60
    )


async def test_surma_verify_agrees_offline(scene: Scene, tmp_path: Path) -> None:
    containers = await all_documents(scene, await an_answered_call(scene))
    containers += await all_documents(scene, await a_posted_body(scene))
    files = []
    for number, container in enumerate(containers):
        files.append(tmp_path / f"{number}.asice")
        files[-1].write_bytes(container)
    spoilt = tmp_path / "spoilt.asice"
    spoilt.write_bytes(_spoilt(containers[0]))
    history, anchor = scene.federation.consumer.paths.history, scene.federation.anchor
    command = (sys.executable, "-m", "gateway.cli", "verify", "--history", history, "--anchor", anchor, "--json")
    good, bad = await asyncio.gather(run(*command, *files), run(*command, spoilt))
    assert good.returncode == 0, good.stdout + good.stderr
    results = json.loads(good.stdout)["results"]
    assert [one["result"] for one in results] == ["valid"] * len(containers)
    assert bad.returncode == 1
    assert json.loads(bad.stdout)["results"][0]["code"].endswith("invalid_signature_value")


def _spoilt(container: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(container)) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as copy:
        copy.comment = source.comment
        for name in source.namelist():
            data = source.read(name)
            copy.writestr(name, data.replace(b">who<", b">you<") if name == "message.xml" else data)
    return target.getvalue()


async def test_verification_configuration_is_given_to_anybody(scene: Scene, tmp_path: Path) -> None:
    (request, *_) = await all_documents(scene, await an_answered_call(scene))
    reply = await scene.caller.evidence("/verificationconf", SNAP, "any")
    assert reply.status == 200
    (tmp_path / "conf.zip").write_bytes(reply.content)
    (tmp_path / "request.asice").write_bytes(request)
    words = ("verify", tmp_path / "request.asice", "--conf", tmp_path / "conf.zip")
    told = await run(sys.executable, "-m", "gateway.cli", *words)
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize("call", [an_answered_call, a_posted_body])
async def test_xmlsec_agrees_with_the_signature(scene: Scene, tmp_path: Path, call: object) -> None:
    if shutil.which("xmlsec1") is None:
        pytest.skip("xmlsec1 is not installed")
    for container in await all_documents(scene, await call(scene)):  # type: ignore[operator]
        entries = entries_of(container)
        words: list[object] = ["--insecure", "--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties"]
        for name in ("message.xml", "sig-hashchainresult.xml"):
            if name in entries:
                (tmp_path / name).write_bytes(entries[name])
                words += [f"--url-map:/{name}", tmp_path / name]
        signature = tmp_path / "signatures.xml"
        signature.write_bytes(entries[SIGNATURES])
        told = await run("xmlsec1", "--verify", *words, signature)
        assert told.returncode == 0, told.stderr
        assert "OK" in told.stderr + told.stdout
        signature.write_bytes(_altered_value(entries[SIGNATURES]))
        assert (await run("xmlsec1", "--verify", *words, signature)).returncode != 0


def _altered_value(signature: bytes) -> bytes:
    root = etree.fromstring(signature)
    value = root.find(f".//{DS}SignatureValue")
    text = value.text.strip()
    return signature.replace(text.encode(), (("B" if text[0] == "A" else "A") + text[1:]).encode())


async def test_openssl_agrees_with_the_time_stamp(scene: Scene, tmp_path: Path) -> None:
    (root_file, tsa_file) = _authorities(scene, tmp_path)
    for container in await documents(scene, scene.federation.consumer, SNAP, await an_answered_call(scene)):
        signature = etree.fromstring(entries_of(container)[SIGNATURES])
        token = tmp_path / "token.der"
        token.write_bytes(base64.b64decode(signature.findtext(f".//{XADES}EncapsulatedTimeStamp")))
        value = base64.b64decode(signature.findtext(f".//{DS}SignatureValue"))
        said = openssl(
            "ts", "-verify", "-digest", digest_of(value).value.hex(), "-in", token, "-token_in",
            "-CAfile", root_file, "-untrusted", tsa_file,
        )  # fmt: skip
        assert "Verification: OK" in said


async def test_openssl_agrees_with_the_certificate_status(scene: Scene, tmp_path: Path) -> None:
    (root_file, _) = _authorities(scene, tmp_path)
    for container in await all_documents(scene, await an_answered_call(scene)):
        signature = etree.fromstring(entries_of(container)[SIGNATURES])
        response, signer = tmp_path / "ocsp.der", tmp_path / "signer.pem"
        response.write_bytes(base64.b64decode(signature.findtext(f".//{XADES}EncapsulatedOCSPValue")))
        der = base64.b64decode(signature.findtext(f".//{DS}X509Certificate"))
        signer.write_bytes(_pem(x509.load_der_x509_certificate(der)))
        said = openssl(
            "ocsp", "-respin", response, "-issuer", root_file, "-cert", signer, "-CAfile", root_file, "-no_nonce"
        )
        assert "Response verify OK" in said
        assert f"{signer}: good" in said


def _authorities(scene: Scene, directory: Path) -> tuple[Path, Path]:
    authorities = scene.federation.trust.authorities
    root, tsa = directory / "root.pem", directory / "tsa.pem"
    root.write_bytes(_pem(authorities.root.certificate))
    tsa.write_bytes(_pem(authorities.tsa.certificate))
    return root, tsa


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


async def test_zeep_gets_a_person_with_nothing_but_the_wsdl(scene: Scene) -> None:
    zeep = pytest.importorskip("zeep", reason="zeep is not installed")
    registry = scene.federation.landscape.registry_named("demographic")
    query_id = new_id()

    def ask() -> object:
        client = zeep.Client(f"http://{registry.address}:{registry.port}/wsdl")
        client.transport.session.trust_env = False
        binding = next(iter(client.wsdl.bindings))
        service = client.create_service(str(binding), scene.federation.url_of(scene.federation.consumer) + "/")
        header = etree.fromstring(envelope(GET_PERSON, SNAP, query_id))[0]
        return service.GetPerson(unzr=PERSON, _soapheaders=list(header))

    answer = await asyncio.to_thread(ask)
    assert PERSON in str(answer)
    assert kinds_of(scene.federation.consumer, query_id) == ["request", "response"]
