"""Our own paths go up to the root where they can."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.signer.paths import full_path
from gateway.xroad.faults import SignatureRefused
from gateway.xroad.globalconf.shared_parameters import ApprovedCa, CaInfo
from tests.factories.globalconf import a_globalconf, a_shared_parameters
from tests.factories.pki import FIVRK, NOON, a_hierarchy, a_member, a_root
from tests.gateway.signer.conftest import a_configuration

PKI = a_hierarchy()
LEAF = PKI.issuing.signer(a_member()).certificate


def test_path_goes_on_to_the_root_although_the_intermediate_is_trusted():
    path = full_path(LEAF, a_configuration(PKI), NOON)
    assert path == (LEAF, PKI.issuing.certificate, PKI.root.certificate)


def test_path_ends_at_the_intermediate_when_its_root_is_not_approved():
    approved = ApprovedCa("CA", CaInfo(a_root("Unrelated").der), FIVRK, (CaInfo(PKI.issuing.der),))
    globalconf = a_globalconf(a_shared_parameters(approved_cas=(approved,)))
    assert full_path(LEAF, globalconf, NOON) == (LEAF, PKI.issuing.certificate)


def test_remembered_path_is_not_used_past_its_validity():
    globalconf = a_configuration(PKI)
    leaf = PKI.root.signer(a_member(), not_after=NOON).certificate
    assert full_path(leaf, globalconf, NOON)
    with pytest.raises(SignatureRefused):
        full_path(leaf, globalconf, NOON + timedelta(seconds=1))


def test_responders_are_those_listed_for_this_very_ca():
    globalconf = a_configuration(PKI)
    assert globalconf.responders_of(PKI.root.certificate) == (PKI.responder.certificate,)
    assert globalconf.responders_of(PKI.issuing.certificate) == ()
