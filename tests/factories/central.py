"""Central services for tests: settings on free ports, certificate requests, a client that knows its key."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from central_services.main import CentralServices
from central_services.settings import (
    AdminSettings,
    CentralSettings,
    ConfigurationSettings,
    ManagementSettings,
    TrustSettings,
)
from central_services.trust.services import TrustServices
from gateway.runtime.admin_api_settings import AdminApiSettings

FIVRK = "ee.ria.xroad.common.certificateprofile.impl.FiVRKCertificateProfileInfoProvider"
INSTANCE = "UA-DEMO"
PIN = "Secret-Pin-1"


def central_settings(**changed: Any) -> CentralSettings:
    """Settings with free ports, quick keys and no bound on the rate of requests."""
    values: dict[str, Any] = {
        "admin": AdminSettings("127.0.0.1", 0),
        "api": AdminApiSettings(requests_per_second=0, requests_per_minute=0),
        "configuration": ConfigurationSettings(
            "127.0.0.1", 0, internal_key_algorithm="EC", external_key_algorithm="EC"
        ),
        "management": ManagementSettings(),
    }
    return CentralSettings(**{**values, **changed})


def trust_settings(**changed: Any) -> TrustSettings:
    """Settings of the trust services with free ports and quick keys."""
    return TrustSettings(**{"ca_port": 0, "tsa_port": 0, "key_algorithm": "EC", **changed})


def a_request(
    *names: tuple[x509.ObjectIdentifier, str], key: Any = None, dns: str | None = None
) -> x509.CertificateSigningRequest:
    """A certificate request of a new P-256 key, for a FiVRK subject unless names are given."""
    names = names or (
        (NameOID.COUNTRY_NAME, "FI"),
        (NameOID.ORGANIZATION_NAME, "Migration service"),
        (NameOID.SERIAL_NUMBER, "UA-DEMO/SS1/GOV"),
        (NameOID.COMMON_NAME, "10000001"),
    )
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in names])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if dns is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(dns)]), critical=False)
    return builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())


def an_rsa_key() -> rsa.RSAPrivateKey:
    """An RSA key of the smallest size that is accepted."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class AdminClient:
    """Calls an admin API with the first API key; every call says what status it expects."""

    def __init__(self, port: int, key: str, certificate: Path) -> None:
        import ssl

        context = ssl.create_default_context(cafile=str(certificate))
        self.http = httpx.AsyncClient(
            base_url=f"https://127.0.0.1:{port}/api/v1",
            verify=context,
            headers={"Authorization": f"X-Road-ApiKey token={key}"},
        )

    async def __aenter__(self) -> AdminClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def call(self, method: str, path: str, status: int = 200, **request: Any) -> Any:
        """Return the JSON of the answer, its bytes if it is not JSON, None if it is empty."""
        response = await self.http.request(method, path, **request)
        assert response.status_code == status, f"{method} {path}: {response.status_code} {response.text}"
        if response.headers.get("content-type", "").startswith("application/json"):
            return response.json()
        return response.content or None

    async def error(self, method: str, path: str, status: int, **request: Any) -> str:
        """Return the code of the error that is expected."""
        body = await self.call(method, path, status, **request)
        assert body["status"] == status
        return str(body["error"]["code"])


def admin_client(running: CentralServices) -> AdminClient:
    """A client with the key that `init` wrote."""
    key = running.state.api_key_file.read_text().strip()
    return AdminClient(running.ports.admin, key, running.state.tls / "admin.crt")


async def initialise(api: AdminClient, configuration_port: int) -> None:
    """Bring a new central server so far that it publishes: keys, a member and the provider subsystem."""
    await api.call(
        "POST",
        "/initialization",
        json={
            "instance_identifier": INSTANCE,
            "central_server_address": f"127.0.0.1:{configuration_port}",
            "software_token_pin": PIN,
        },
    )
    for source in ("INTERNAL", "EXTERNAL"):
        path = f"/configuration-sources/{source}/signing-keys"
        await api.call("POST", path, json={"key_label": source.lower(), "token_id": "0"})
    await api.call("POST", "/member-classes", 201, json={"code": "GOV", "description": "Government"})
    await add_member(api, "10000000", "Administrator")
    await add_subsystem(api, "10000000", "MANAGEMENT")
    provider = {"service_provider_id": f"{INSTANCE}:GOV:10000000:MANAGEMENT"}
    await api.call("PATCH", "/management-services-configuration", json=provider)


async def add_member(api: AdminClient, code: str, name: str = "Member") -> None:
    """Add a member of class GOV."""
    member = {"member_name": name, "member_id": {"member_class": "GOV", "member_code": code}}
    await api.call("POST", "/members", 201, json=member)


async def add_subsystem(api: AdminClient, member: str, code: str) -> None:
    """Add a subsystem of a member of class GOV."""
    subsystem = {"member_class": "GOV", "member_code": member, "subsystem_code": code}
    await api.call("POST", "/subsystems", 201, json={"subsystem_id": subsystem})


async def approve_trust(api: AdminClient, trust: TrustServices) -> None:
    """Approve the test authorities."""
    root = trust.authorities.root.certificate.public_bytes(Encoding.DER)
    service = await api.call(
        "POST",
        "/certification-services",
        201,
        files={"certificate": ("ca.der", root)},
        data={"certificate_profile_info": FIVRK, "tls_auth": "false", "default_csr_format": "DER"},
    )
    await api.call(
        "POST",
        f"/certification-services/{service['id']}/ocsp-responders",
        201,
        data={"url": f"http://127.0.0.1:{trust.ca_port}", "cost_type": "FREE"},
        files={"certificate": ("ocsp.der", trust.authorities.ocsp.certificate.public_bytes(Encoding.DER))},
    )
    await api.call(
        "POST",
        "/timestamping-services",
        201,
        data={"url": f"http://127.0.0.1:{trust.tsa_port}", "cost_type": "FREE"},
        files={"certificate": ("tsa.der", trust.authorities.tsa.certificate.public_bytes(Encoding.DER))},
    )


async def issue(trust: TrustServices, usage: str, request: x509.CertificateSigningRequest) -> x509.Certificate:
    """Have a request signed over HTTP."""
    async with httpx.AsyncClient() as http:
        url = f"http://127.0.0.1:{trust.ca_port}/sign?usage={usage}"
        response = await http.post(url, content=request.public_bytes(Encoding.DER))
    assert response.status_code == 200, response.text
    return x509.load_pem_x509_certificate(response.content)


def auth_cert_registration(server: str, certificate: x509.Certificate, **changed: Any) -> dict[str, Any]:
    """The body that registers an authentication certificate."""
    body = {
        "type": "AUTH_CERT_REGISTRATION_REQUEST",
        "origin": "CENTER",
        "security_server_id": server,
        "server_address": "127.0.2.1",
        "authentication_certificate": base64.b64encode(certificate.public_bytes(Encoding.DER)).decode(),
    }
    return {**body, **changed}


def client_request(kind: str, server: str, client: str, **changed: Any) -> dict[str, Any]:
    """The body of a request about a client: `kind` is REGISTRATION, DELETION, …"""
    body = {
        "type": f"CLIENT_{kind}_REQUEST",
        "origin": "CENTER",
        "security_server_id": server,
        "client_id": client,
    }
    return {**body, **changed}
