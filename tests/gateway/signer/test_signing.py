"""Who may sign now, with what, and that what comes out is a signature."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gateway.runtime.database import open_database
from gateway.signer import tables
from gateway.signer.model import KeyAlgorithm
from gateway.signer.signing import Signer
from gateway.xroad.digests import SignatureAlgorithm, digest_of
from gateway.xroad.faults import SigningUnavailable
from gateway.xroad.pki.certificates import key_of, load_certificate, sha1_of
from gateway.xroad.pki.keys import verify_signature
from tests.factories.pki import NOON, RSA, a_hierarchy, a_member
from tests.gateway.signer.conftest import ISSUING_URL, MEMBER, ROOT_URL, a_configuration, make_world

DIGEST = digest_of(b"signed info").value


def fault_of(act, *args):
    with pytest.raises(SigningUnavailable) as fault:
        act(*args)
    return fault.value


async def ready(world, **options):
    record = world.sign_certificate(**options)
    await world.signer.refresh_status()
    return record


async def test_identity_holds_everything_of_one_key_together(world):
    record = await ready(world)
    identity = world.signer.identity_of(MEMBER)
    assert (identity.member, identity.certificate_der, identity.key) == (MEMBER, record.der, record.key)
    assert identity.algorithm is SignatureAlgorithm.ECDSA_SHA512
    assert (len(identity.extra_certificates), len(identity.ocsp_responses)) == (0, 1)


async def test_signature_verifies_with_the_certificate_of_the_identity(world):
    await ready(world)
    identity = world.signer.identity_of(MEMBER)
    signature = await world.signer.sign(identity.key, DIGEST, identity.algorithm)
    verify_signature(key_of(load_certificate(identity.certificate_der)), identity.algorithm, signature, digest=DIGEST)


async def test_rsa_keys_sign_in_their_threads(tmp_path):
    database = open_database(f"sqlite:///{tmp_path}/rsa.db")
    tables.metadata.create_all(database.engine)
    world = make_world(tmp_path, database, KeyAlgorithm.RSA)
    world.start()
    await ready(world)
    identity = world.signer.identity_of(MEMBER)
    assert identity.algorithm is SignatureAlgorithm.RSA_SHA512
    signatures = await asyncio.gather(*(world.signer.sign(identity.key, DIGEST, identity.algorithm) for _ in range(4)))
    for signature in signatures:
        public_key = key_of(load_certificate(identity.certificate_der))
        verify_signature(public_key, identity.algorithm, signature, digest=DIGEST)
    world.stop()
    database.close()


async def test_certificate_below_an_intermediate_takes_it_along(world):
    await ready(world, ca=world.pki.issuing)
    identity = world.signer.identity_of(MEMBER)
    assert identity.extra_certificates == (world.pki.issuing.der,)
    assert len(identity.ocsp_responses) == 2


async def test_intermediate_without_a_status_is_left_out(world):
    world.responders.down = {ROOT_URL}
    world.sign_certificate(ca=world.pki.issuing)
    with pytest.raises(SigningUnavailable):
        await world.signer.refresh_status()
    identity = world.signer.identity_of(MEMBER)
    assert (identity.extra_certificates, len(identity.ocsp_responses)) == ((), 1)


async def test_identity_is_computed_once_until_something_changes(world):
    record = await ready(world)
    identity = world.signer.identity_of(MEMBER)
    assert world.signer.identity_of(MEMBER) is identity
    world.keyring.set_active(record.hash, False)
    assert fault_of(world.signer.identity_of, MEMBER).code == "cannot_create_signature"
    world.keyring.set_active(record.hash, True)
    assert world.signer.identity_of(MEMBER) == identity


async def test_member_without_certificate_has_no_key(world):
    fault = fault_of(world.signer.identity_of, a_member("6666"))
    assert (fault.code, fault.text_id) == ("key_not_found", "signer.no_certificate")


async def test_nobody_signs_before_login(world):
    await ready(world)
    identity = world.signer.identity_of(MEMBER)
    world.keyring.logout()
    assert fault_of(world.signer.identity_of, MEMBER).code == "token_not_active"
    with pytest.raises(SigningUnavailable) as fault:
        await world.signer.sign(identity.key, DIGEST, identity.algorithm)
    assert fault.value.code == "token_not_active"


async def test_unknown_key_signs_nothing(world):
    with pytest.raises(SigningUnavailable) as fault:
        await world.signer.sign("0" * 40, DIGEST, SignatureAlgorithm.ECDSA_SHA512)
    assert fault.value.code == "key_not_found"


async def test_certificate_without_a_status_cannot_be_used_and_the_reason_is_said(world):
    world.sign_certificate()
    fault = fault_of(world.signer.identity_of, MEMBER)
    assert (fault.code, fault.facts["reason"].text_id) == ("cannot_create_signature", "signer.status_missing")


async def test_signing_ends_when_the_status_gets_too_old(world):
    await ready(world)
    assert world.signer.identity_of(MEMBER)
    world.clock.advance(minutes=59)
    assert world.signer.identity_of(MEMBER)
    world.clock.advance(minutes=2)
    assert fault_of(world.signer.identity_of, MEMBER).facts["reason"].text_id == "pki.ocsp_too_old"
    await world.signer.refresh_status()
    assert world.signer.identity_of(MEMBER)


async def test_newer_status_is_used_as_soon_as_it_is_there(world):
    await ready(world)
    before = world.signer.identity_of(MEMBER)
    world.clock.advance(minutes=20)
    await world.signer.refresh_status()
    assert world.signer.identity_of(MEMBER).ocsp_responses != before.ocsp_responses


async def test_expired_certificate_cannot_be_used(world):
    await ready(world, not_after=NOON + timedelta(minutes=10))
    assert world.signer.identity_of(MEMBER)
    world.clock.advance(minutes=11)
    assert "valid until" in fault_of(world.signer.identity_of, MEMBER).facts["reason"]


async def test_ca_that_is_no_longer_approved_ends_signing(world):
    await ready(world)
    assert world.signer.identity_of(MEMBER)
    world.conf.globalconf = a_configuration(a_hierarchy(RSA))
    assert fault_of(world.signer.identity_of, MEMBER).facts["reason"].text_id == "pki.path_not_found"


async def test_rotation_goes_over_to_the_newer_certificate_when_it_can_be_used(world):
    old = await ready(world, not_before=NOON - timedelta(days=300))
    new = world.sign_certificate(active=False, not_before=NOON - timedelta(hours=1))
    assert world.signer.identity_of(MEMBER).certificate_der == old.der
    world.keyring.set_active(new.hash, True)
    # Active, but nobody has vouched for it yet: the old one goes on.
    assert world.signer.identity_of(MEMBER).certificate_der == old.der
    await world.signer.refresh_status()
    identity = world.signer.identity_of(MEMBER)
    assert (identity.certificate_der, identity.key) == (new.der, new.key)
    world.keyring.delete_certificate(new.hash)
    assert world.signer.identity_of(MEMBER).certificate_der == old.der


async def test_signature_begun_with_the_old_key_is_finished_after_a_rotation(world):
    await ready(world)
    identity = world.signer.identity_of(MEMBER)
    world.sign_certificate(not_before=NOON - timedelta(hours=1))
    await world.signer.refresh_status()
    assert world.signer.identity_of(MEMBER).key != identity.key
    signature = await world.signer.sign(identity.key, DIGEST, identity.algorithm)
    verify_signature(key_of(load_certificate(identity.certificate_der)), identity.algorithm, signature, digest=DIGEST)


async def test_everything_works_after_a_restart_without_network(world):
    await ready(world)
    before = world.signer.identity_of(MEMBER)
    world.stop()
    world.responders.down = {ROOT_URL, ISSUING_URL}
    world.start()
    assert world.signer.identity_of(MEMBER) == before
    assert await world.signer.sign(before.key, DIGEST, before.algorithm)


async def test_changes_by_another_process_are_noticed(world):
    record = await ready(world)
    other = Signer(world.database, world.keystore, world.cache, world.conf, world.clock)
    assert other.identity_of(MEMBER)
    assert not other.reload_if_changed()
    world.keyring.set_active(record.hash, False)
    assert other.reload_if_changed()
    assert fault_of(other.identity_of, MEMBER).code == "cannot_create_signature"
    other.close()


async def test_authentication_lends_key_and_chain_without_the_root(world):
    record = world.auth_certificate(ca=world.pki.issuing)
    await world.signer.refresh_status()
    identity = world.signer.authentication()
    assert identity.certificate_der == record.der
    assert identity.chain == (world.pki.issuing.der,)
    assert len(identity.ocsp_responses) == 2
    assert identity.private_key.public_key() == load_certificate(record.der).public_key()


async def test_authentication_needs_a_registered_and_active_certificate(world):
    record = world.auth_certificate(registered=False)
    assert fault_of(world.signer.authentication).code == "key_not_found"
    world.keyring.set_active(record.hash, True)
    assert fault_of(world.signer.authentication).code == "key_not_found"


async def test_listener_can_start_before_the_first_status_and_peers_are_told(world):
    world.auth_certificate()
    assert world.signer.authentication().ocsp_responses == ()
    assert fault_of(world.signer.authentication_ocsp).code == "ssl_authentication_failed"
    await world.signer.refresh_status()
    assert len(world.signer.authentication_ocsp()) == 1


async def test_authentication_needs_login(world):
    world.auth_certificate()
    world.keyring.logout()
    assert fault_of(world.signer.authentication).code == "token_not_active"


async def test_own_status_is_handed_out_by_hash_in_the_order_asked(world):
    records = [world.sign_certificate(ca=world.pki.issuing), world.auth_certificate()]
    await world.signer.refresh_status()
    hashes = [sha1_of(load_certificate(record.der)) for record in records]
    intermediate = sha1_of(world.pki.issuing.certificate)
    answers = world.signer.ocsp_responses_for([hashes[1], hashes[0].upper(), intermediate])
    assert len(answers) == 3
    assert answers[:2] == [world.signer.ocsp_responses_for([h])[0] for h in (hashes[1], hashes[0])]


async def test_one_unknown_hash_spoils_the_whole_answer(world):
    record = await ready(world)
    known = sha1_of(load_certificate(record.der))
    assert world.signer.ocsp_responses_for([known])
    assert world.signer.ocsp_responses_for([known, "00" * 20]) is None
    assert world.signer.ocsp_responses_for([sha1_of(world.pki.root.certificate)]) is None
    assert world.signer.ocsp_responses_for([]) is None
    assert world.signer.ocsp_responses_for([known] * 65) is None


async def test_configuration_swap_is_noticed_at_once(world):
    await ready(world)
    before = world.signer.identity_of(MEMBER)
    world.conf.globalconf = a_configuration(world.pki)
    after = world.signer.identity_of(MEMBER)
    assert after == before
    assert after is not before
