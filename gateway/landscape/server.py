"""Onboard one security server: anchor, owner, token, certificates, clients, services, rights; what is missing only."""

from __future__ import annotations

import base64
import ssl
from typing import Any

import httpx

from gateway.landscape.central import colons, register_client, register_server
from gateway.landscape.description import Landscape, Server, Service
from gateway.runtime.admin_client import AdminApi, AdminRequestFailed


class ServerOnboarding:
    """Brings one security server from an empty state directory to its first exchange."""

    def __init__(self, api: AdminApi, central: AdminApi, landscape: Landscape, server: Server, pin: str) -> None:
        self._api = api
        self._central = central
        self._landscape = landscape
        self._server = server
        self._pin = pin

    @property
    def server_id(self) -> str:
        """The server's identifier as the admin APIs write it."""
        return colons(self._landscape.instance, f"{self._server.owner}/{self._server.code}")

    async def identify(self) -> None:
        """Anchor, owner, server code and PIN, then the authentication certificate, registered with the centre."""
        await self._initialise()
        await self._authenticate()

    async def furnish(self) -> None:
        """Signing certificates, clients, time-stamping, services and rights."""
        await self._sign()
        await self._add_clients()
        await self._choose_timestamping()

    async def publish(self) -> None:
        """Services of the clients of this server, and who may call them."""
        published: dict[str, set[str]] = {}
        for service in self._landscape.service:
            if self._landscape.server_of(service.client) is self._server:
                if service.client not in published:
                    published[service.client] = await self._published(service.client)
                await self._publish(service, published[service.client])

    async def _published(self, client: str) -> set[str]:
        client_id = colons(self._landscape.instance, client)
        return {known["url"] for known in await self._api.get(f"/clients/{client_id}/service-descriptions")}

    async def refresh(self) -> None:
        """Fetch the configuration now instead of at the next minute."""
        await self._api.put("/system/configuration/refresh")

    async def _initialise(self) -> None:
        status = await self._api.get("/initialization/status")
        if not status["is_anchor_imported"]:
            anchor = await self._central.get_bytes("/configuration-sources/INTERNAL/anchor/download")
            await self._api.post("/system/anchor", content=anchor, headers={"Content-Type": "application/octet-stream"})
        if not status["is_server_code_initialized"]:
            owner_class, owner_code = self._server.owner.split("/")
            await self._api.post(
                "/initialization",
                {
                    "owner_member_class": owner_class,
                    "owner_member_code": owner_code,
                    "security_server_code": self._server.code,
                    "software_token_pin": self._pin,
                    "ignore_warnings": True,
                },
            )
        if not (await self._token())["logged_in"]:
            await self._api.put("/tokens/0/login", {"password": self._pin})

    async def _token(self) -> dict[str, Any]:
        token: dict[str, Any] = await self._api.get("/tokens/0")
        return token

    async def _certificates(self, usage: str) -> list[dict[str, Any]]:
        keys = (await self._token())["keys"]
        return [record for key in keys if key.get("usage") == usage for record in key["certificates"]]

    async def _authenticate(self) -> None:
        if not await self._certificates("AUTHENTICATION"):
            certificate = await self._certify("AUTHENTICATION", None)
            record = await self._import(certificate)
            fingerprint = record["certificate_details"]["hash"]
            await self._api.put(f"/token-certificates/{fingerprint}/register", {"address": self._server.address})
            der = base64.b64encode(ssl.PEM_cert_to_DER_cert(certificate.decode())).decode()
            await register_server(self._central, self._landscape, self.server_id, self._server.address, der)
            await self._api.put(f"/token-certificates/{fingerprint}/activate")

    async def _sign(self) -> None:
        there = {record["owner_id"] for record in await self._certificates("SIGNING")}
        members = {self._server.owner, *("/".join(client.id.split("/")[:2]) for client in self._server.client)}
        for member in sorted(members):
            if colons(self._landscape.instance, member) not in there:
                await self._import(await self._certify("SIGNING", colons(self._landscape.instance, member)))

    async def _certify(self, usage: str, member_id: str | None) -> bytes:
        authority = (await self._api.get("/certificate-authorities"))[0]
        request: dict[str, Any] = {"key_usage_type": usage, "ca_name": authority["name"], "csr_format": "PEM"}
        if member_id is not None:
            request["member_id"] = member_id
        else:
            request["subject_field_values"] = {"CN": self._server.address}
        made = await self._api.post(
            "/tokens/0/keys-with-csrs", {"key_label": usage.lower(), "csr_generate_request": request}
        )
        csr = await self._api.get_bytes(f"/keys/{made['key']['id']}/csrs/{made['csr_id']}", csr_format="PEM")
        trust = self._landscape.trust
        kind = "sign" if usage == "SIGNING" else "auth"
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.post(f"http://{trust.address}:{trust.ca_port}/sign?usage={kind}", content=csr)
        if not answer.is_success:
            raise AdminRequestFailed(f"the test CA did not sign: {answer.status_code} {answer.text[:300]}")
        return answer.content

    async def _import(self, certificate: bytes) -> dict[str, Any]:
        record: dict[str, Any] = await self._api.post(
            "/token-certificates", content=certificate, headers={"Content-Type": "application/octet-stream"}
        )
        return record

    async def _add_clients(self) -> None:
        there = {client["id"] for client in await self._api.get("/clients", internal_search="true")}
        for client in self._server.client:
            client_id = colons(self._landscape.instance, client.id)
            if client_id not in there:
                member_class, member_code, *subsystem = client.id.split("/")
                described = {
                    "member_class": member_class,
                    "member_code": member_code,
                    "connection_type": client.connection_type,
                    **({"subsystem_code": subsystem[0]} if subsystem else {}),
                }
                await self._api.post("/clients", {"client": described, "ignore_warnings": True})
            await register_client(self._central, self.server_id, client_id)

    async def _choose_timestamping(self) -> None:
        if not await self._api.get("/system/timestamping-services"):
            for service in await self._api.get("/timestamping-services"):
                await self._api.post("/system/timestamping-services", service)

    async def _publish(self, service: Service, published: set[str]) -> None:
        client_id = colons(self._landscape.instance, service.client)
        registry = self._landscape.registry_named(service.registry)
        origin = f"http://{registry.address}:{registry.port}"
        described = origin + service.description if service.type != "REST" else origin + service.url
        if described in published:
            return
        body: dict[str, Any] = {"url": described, "type": service.type}
        if service.code is not None:
            body["rest_service_code"] = service.code
        added = await self._api.post(f"/clients/{client_id}/service-descriptions", body)
        for one in added["services"]:
            if one["url"] != origin + service.url:
                await self._api.patch(
                    f"/services/{one['id']}",
                    {"url": origin + service.url, "timeout": one["timeout"], "ssl_auth": one["ssl_auth"]},
                )
            subjects = [
                {"id": colons(self._landscape.instance, client), "service_client_type": "SUBSYSTEM"}
                for client in service.allow
            ]
            await self._api.post(f"/services/{one['id']}/service-clients", {"items": subjects})
        await self._api.put(f"/service-descriptions/{added['id']}/enable")
