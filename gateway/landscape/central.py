"""Onboard the central services: instance, keys, members, trust services; only what is missing is done."""

from __future__ import annotations

from typing import Any, Final

import httpx

from gateway.landscape.description import Landscape
from gateway.runtime.admin_client import AdminApi, AdminRequestFailed

SOURCES: Final = ("INTERNAL", "EXTERNAL")


async def onboard_central(api: AdminApi, landscape: Landscape, pin: str) -> None:
    """Bring a new central server to the point where it publishes a configuration."""
    await _initialise(api, landscape, pin)
    await _register_members(api, landscape)
    await api.patch(
        "/management-services-configuration",
        {"service_provider_id": colons(landscape.instance, landscape.management_provider)},
    )
    await _approve_trust(api, landscape)
    for source in SOURCES:
        if not (await _token(api))["configuration_signing_keys"] or not await _has_key(api, source):
            await api.post(
                f"/configuration-sources/{source}/signing-keys", {"key_label": source.lower(), "token_id": "0"}
            )


async def _initialise(api: AdminApi, landscape: Landscape, pin: str) -> None:
    status = await api.get("/initialization/status")
    if status["software_token_init_status"] != "INITIALIZED":  # noqa: S105  a status
        await api.post(
            "/initialization",
            {
                "instance_identifier": landscape.instance,
                "central_server_address": f"{landscape.central.address}:{landscape.central.configuration_port}",
                "software_token_pin": pin,
            },
        )
    if not (await _token(api))["logged_in"]:
        await api.put("/tokens/0/login", {"password": pin})


async def _token(api: AdminApi) -> dict[str, Any]:
    tokens: list[dict[str, Any]] = await api.get("/tokens")
    return tokens[0]


async def _has_key(api: AdminApi, source: str) -> bool:
    keys = (await _token(api))["configuration_signing_keys"]
    return any(key.get("source_type") == source for key in keys)


async def _register_members(api: AdminApi, landscape: Landscape) -> None:
    classes = {one["code"] for one in await api.get("/member-classes")}
    for member_class in landscape.member_class:
        if member_class.code not in classes:
            await api.post("/member-classes", {"code": member_class.code, "description": member_class.description})
    known = {one["client_id"]["encoded_id"] for one in (await api.get("/clients", limit="1000"))["clients"]}
    for member in landscape.member:
        class_code, member_code = member.id.split("/")
        identifier = {"member_class": class_code, "member_code": member_code}
        if colons(landscape.instance, member.id) not in known:
            await api.post("/members", {"member_id": identifier, "member_name": member.name})
        for code in member.subsystems:
            if colons(landscape.instance, f"{member.id}/{code}") not in known:
                await api.post("/subsystems", {"subsystem_id": {**identifier, "subsystem_code": code}})


async def _approve_trust(api: AdminApi, landscape: Landscape) -> None:
    trust = landscape.trust
    ca_url, tsa_url = f"http://{trust.address}:{trust.ca_port}", f"http://{trust.address}:{trust.tsa_port}/"
    async with httpx.AsyncClient(trust_env=False) as http:
        if not await api.get("/certification-services"):
            service = await api.post(
                "/certification-services",
                files={"certificate": ("ca.pem", await _download(http, f"{ca_url}/ca.pem"))},
                data={"certificate_profile_info": landscape.certificate_profile, "tls_auth": "false"},
            )
            await api.post(
                f"/certification-services/{service['id']}/ocsp-responders",
                files={"certificate": ("ocsp.pem", await _download(http, f"{ca_url}/ocsp.pem"))},
                data={"url": f"{ca_url}/"},
            )
        if not await api.get("/timestamping-services"):
            await api.post(
                "/timestamping-services",
                files={"certificate": ("tsa.pem", await _download(http, f"{ca_url}/tsa.pem"))},
                data={"url": tsa_url},
            )


async def _download(http: httpx.AsyncClient, url: str) -> bytes:
    answer = await http.get(url)
    if not answer.is_success:
        raise AdminRequestFailed(f"GET {url}: {answer.status_code}")
    return answer.content


async def register_server(api: AdminApi, landscape: Landscape, server_id: str, address: str, certificate: str) -> None:
    """Register a server with its authentication certificate (base64), as an approving officer does."""
    registered = {one["server_id"]["encoded_id"] for one in (await api.get("/security-servers", limit="1000"))["items"]}
    if server_id not in registered:
        await api.post(
            "/management-requests",
            {
                "type": "AUTH_CERT_REGISTRATION_REQUEST",
                "origin": "SECURITY_SERVER",
                "security_server_id": server_id,
                "server_address": address,
                "authentication_certificate": certificate,
            },
        )


async def register_client(api: AdminApi, server_id: str, client_id: str) -> None:
    """Register a client of a server, as an approving officer does."""
    clients = {one["client_id"]["encoded_id"] for one in await api.get(f"/security-servers/{server_id}/clients")}
    if client_id not in clients:
        await api.post(
            "/management-requests",
            {
                "type": "CLIENT_REGISTRATION_REQUEST",
                "origin": "SECURITY_SERVER",
                "security_server_id": server_id,
                "client_id": client_id,
            },
        )


def colons(instance: str, identifier: str) -> str:
    """Return `CLASS/CODE[/…]` as the admin APIs write it, `INST:CLASS:CODE[:…]`."""
    return ":".join((instance, *identifier.split("/")))
