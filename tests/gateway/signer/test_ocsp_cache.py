"""Status of our own certificates: proven before it is kept, there after a restart, gone when revoked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.xroad.faults import SigningUnavailable
from gateway.xroad.pki.certificates import load_certificate
from tests.factories.pki import a_member, an_ocsp_response
from tests.gateway.signer.conftest import ISSUING_URL, ROOT_URL


def find(world, record, issuer=None):
    certificate = load_certificate(record.der)
    issuer = (issuer or world.pki.root).certificate
    found = world.cache.find(certificate, issuer, world.conf.current(), world.clock.now())
    return None if found is None else found[0]


async def test_status_is_fetched_from_the_responder_of_the_configuration(world):
    record = world.sign_certificate()
    assert find(world, record) is None
    await world.signer.refresh_status()
    assert world.responders.asked == [ROOT_URL]
    assert find(world, record) is not None


async def test_intermediates_are_asked_for_too_and_each_once(world):
    first = world.sign_certificate(ca=world.pki.issuing)
    world.auth_certificate(ca=world.pki.issuing)
    await world.signer.refresh_status()
    assert sorted(world.responders.asked) == [ISSUING_URL, ISSUING_URL, ROOT_URL]
    assert find(world, first, world.pki.issuing) is not None


async def test_only_active_and_registered_certificates_are_asked_for(world):
    world.sign_certificate(active=False)
    world.auth_certificate(registered=False)
    await world.signer.refresh_status()
    assert world.responders.asked == []


async def test_status_survives_a_restart_without_network(world):
    record = world.sign_certificate()
    await world.signer.refresh_status()
    world.stop()
    world.responders.down = {ROOT_URL}
    world.start()
    assert find(world, record) is not None


async def test_status_too_old_is_not_handed_out(world):
    record = world.sign_certificate()
    await world.signer.refresh_status()
    world.clock.advance(hours=1)
    assert find(world, record) is not None
    world.clock.advance(seconds=1)
    assert find(world, record) is None


async def test_second_responder_answers_when_the_first_is_down(world):
    record = world.sign_certificate(ocsp_url="http://ocsp.test/second")
    world.responders.down = {ROOT_URL}
    world.responders.answers["http://ocsp.test/second"] = world.pki.status_of(load_certificate(record.der))
    await world.signer.refresh_status()
    assert world.responders.asked == [ROOT_URL, "http://ocsp.test/second"]
    assert find(world, record) is not None


async def test_failure_is_said_at_the_end_and_old_status_stays(world):
    record = world.sign_certificate()
    await world.signer.refresh_status()
    world.responders.down = {ROOT_URL}
    world.clock.advance(minutes=20)
    with pytest.raises(SigningUnavailable) as fault:
        await world.signer.refresh_status()
    assert fault.value.code == "ocsp_failed"
    assert find(world, record) is not None


async def test_one_failure_does_not_keep_others_from_being_renewed(world):
    world.sign_certificate(ca=world.pki.issuing)
    other = world.sign_certificate()
    world.responders.down = {ISSUING_URL}
    with pytest.raises(SigningUnavailable):
        await world.signer.refresh_status()
    assert find(world, other) is not None


@pytest.mark.parametrize("answer", ["garbage", "other", "stranger", "stale"])
async def test_answer_that_proves_nothing_is_not_kept(world, answer):
    record = world.sign_certificate()
    certificate = load_certificate(record.der)
    stranger = world.pki.root.signer(a_member("6666"))
    world.responders.answers[ROOT_URL] = {
        "garbage": b"garbage",
        "other": world.pki.status_of(stranger.certificate),
        "stranger": an_ocsp_response(certificate, world.pki.root.certificate, stranger),
        "stale": world.pki.status_of(certificate, this_update=world.clock.now() - timedelta(hours=2)),
    }[answer]
    with pytest.raises(SigningUnavailable):
        await world.signer.refresh_status()
    assert find(world, record) is None
    assert list((world.directory / "ocsp").glob("*.ocsp")) == []
    assert world.cache.statuses()[0].error == "ocsp_response_verification_failure"


async def test_revoked_certificate_loses_its_former_status_at_once(world):
    record = world.sign_certificate()
    await world.signer.refresh_status()
    world.responders.revoked = {load_certificate(record.der).serial_number}
    with pytest.raises(SigningUnavailable):
        await world.signer.refresh_status()
    assert find(world, record) is None
    world.stop()
    world.start()
    assert find(world, record) is None


async def test_each_responder_is_reported(world):
    world.sign_certificate()
    await world.signer.refresh_status()
    (status,) = world.cache.statuses()
    assert (status.url, status.error) == (ROOT_URL, None)
    assert status.next_at == world.clock.now() + timedelta(seconds=world.conf.current().ocsp_fetch_interval_s)
    world.responders.down = {ROOT_URL}
    with pytest.raises(SigningUnavailable):
        await world.signer.refresh_status()
    (status,) = world.cache.statuses()
    assert status.error == "ocsp_connection_error"
    assert status.next_at == world.clock.now() + timedelta(seconds=60)


async def test_damaged_file_is_no_status(world):
    record = world.sign_certificate()
    await world.signer.refresh_status()
    (path,) = (world.directory / "ocsp").glob("*.ocsp")
    path.write_bytes(b"damaged")
    world.stop()
    world.start()
    assert find(world, record) is None
