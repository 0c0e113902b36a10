"""Rules of approved authorities."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection

from central_services.registry import authorities, store_authorities
from central_services.registry.errors import Invalid, NotFound
from central_services.registry.model import CaSettings, CostType, CsrFormat
from tests.factories.central import FIVRK
from tests.factories.registered import a_certificate_der

SETTINGS = CaSettings(FIVRK, authentication_only=True, default_csr_format=CsrFormat.DER)


def test_an_authority_is_named_by_its_certificate(empty: Connection) -> None:
    der = a_certificate_der("Test CA")
    added = authorities.add_certification_service(empty, der, SETTINGS)
    assert (added.name, added.certificate_der, added.settings) == ("Test CA", der, SETTINGS)


def test_a_certificate_is_taken_as_pem_too(empty: Connection) -> None:
    der = a_certificate_der("Test CA")
    pem = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
    assert authorities.add_certification_service(empty, pem, SETTINGS).certificate_der == der


@pytest.mark.parametrize("data", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_refused(empty: Connection, data: bytes) -> None:
    with pytest.raises(Invalid, match="invalid_certificate"):
        authorities.add_certification_service(empty, data, SETTINGS)


def test_an_unknown_profile_is_refused_loudly(empty: Connection) -> None:
    with pytest.raises(Invalid, match="certificate_profile_info_class_not_found"):
        authorities.add_certification_service(empty, a_certificate_der("x"), CaSettings("org.example.Profile"))


@pytest.mark.parametrize("url", ["", "ocsp.example", "ftp://ocsp.example", "http://", "http://x:99999", "http://x:0"])
def test_an_address_nobody_can_call_is_refused(empty: Connection, url: str) -> None:
    service = authorities.add_certification_service(empty, a_certificate_der("x"), SETTINGS)
    with pytest.raises(Invalid, match="invalid_url"):
        authorities.add_ocsp_responder(empty, url, None, CostType.FREE, certification_service_id=service.id)


def test_responders_stand_under_their_authority(empty: Connection) -> None:
    service = authorities.add_certification_service(empty, a_certificate_der("root"), SETTINGS)
    below = authorities.add_intermediate_ca(empty, service.id, a_certificate_der("below"))
    top = authorities.add_ocsp_responder(
        empty, "http://a", a_certificate_der("o"), CostType.PAID, certification_service_id=service.id
    )
    lower = authorities.add_ocsp_responder(empty, "http://b", None, CostType.FREE, intermediate_ca_id=below.id)
    found = authorities.require_certification_service(empty, service.id)
    assert found.ocsp_responders == (top,)
    assert found.intermediate_cas[0].ocsp_responders == (lower,)


def test_with_an_authority_goes_everything_below_it(empty: Connection) -> None:
    service = authorities.add_certification_service(empty, a_certificate_der("root"), SETTINGS)
    below = authorities.add_intermediate_ca(empty, service.id, a_certificate_der("below"))
    responder = authorities.add_ocsp_responder(empty, "http://b", None, CostType.FREE, intermediate_ca_id=below.id)
    authorities.delete_certification_service(empty, service.id)
    with pytest.raises(NotFound, match="intermediate_ca_not_found"):
        authorities.require_intermediate_ca(empty, below.id)
    with pytest.raises(NotFound, match="ocsp_responder_not_found"):
        authorities.require_ocsp_responder(empty, responder.id)


def test_an_update_changes_what_it_names(empty: Connection) -> None:
    tsa = authorities.add_timestamping_service(empty, "http://tsa", a_certificate_der("TSA"), CostType.FREE)
    changed = authorities.update_timestamping_service(empty, tsa.id, "http://new", None, None)
    assert (changed.name, changed.url, changed.cost_type) == ("TSA", "http://new", CostType.FREE)
    assert store_authorities.timestamping_services(empty) == (changed,)


def test_one_address_is_one_timestamping_service(empty: Connection) -> None:
    authorities.add_timestamping_service(empty, "http://tsa", a_certificate_der("TSA"), CostType.FREE)
    with pytest.raises(Invalid, match="duplicate_entry"):
        authorities.add_timestamping_service(empty, "http://tsa", a_certificate_der("TSA"), CostType.FREE)
