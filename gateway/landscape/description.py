"""What a landscape consists of: members, servers, services and rights, read from `config/landscape.toml`."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from gateway.runtime.settings import SettingsError, load

DEFAULT_FILE: Final = Path(__file__).resolve().parent.parent.parent / "config" / "landscape.toml"
PACKAGED_FILE: Final = Path(__file__).resolve().parent / "landscape.toml"
SERVICE_TYPES: Final = ("WSDL", "REST", "OPENAPI3")
PORTALS: Final = ("snap", "identity", "citizen", "holders")
EVERY_HOLDER: Final = "*"


@dataclass(frozen=True, slots=True)
class Central:
    """Where the central services listen."""

    address: str
    admin_port: int = 4000
    configuration_port: int = 8880


@dataclass(frozen=True, slots=True)
class Trust:
    """Where the test CA with its OCSP responder, and the test TSA listen."""

    address: str
    ca_port: int = 8888
    tsa_port: int = 8899


@dataclass(frozen=True, slots=True)
class MemberClass:
    """A member class of the instance."""

    code: str
    description: str


@dataclass(frozen=True, slots=True)
class Member:
    """A member, `CLASS/CODE`, and its subsystems."""

    id: str
    name: str
    subsystems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerClient:
    """A client of a security server, `CLASS/CODE[/SUBSYSTEM]`, and how its information systems connect."""

    id: str
    connection_type: str = "HTTP"


@dataclass(frozen=True, slots=True)
class Server:
    """A security server and its clients."""

    code: str
    owner: str
    address: str
    client: tuple[ServerClient, ...] = ()
    http_port: int = 8080
    https_port: int = 8443
    admin_port: int = 4000


@dataclass(frozen=True, slots=True)
class Auditor:
    """Somebody who may look into the message log of a server, as far as `scope` (`CLASS/CODE[/SUBSYSTEM]`) goes."""

    name: str
    server: str
    scope: str


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry adapter and where it listens; those of one `process` run together."""

    name: str
    address: str
    port: int
    process: str = "registries"


@dataclass(frozen=True, slots=True)
class Portal:
    """Pages for people, one of PORTALS, and where they are served."""

    name: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Clerk:
    """Somebody who works at the counter of a centre."""

    name: str
    centre: str


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody who answers for the registries within `scope`, `CLASS/CODE[/SUBSYSTEM]`, or `*` for all."""

    name: str
    scope: str


@dataclass(frozen=True, slots=True)
class Service:
    """A service description of a client, where its registry answers, and who may call it."""

    client: str
    type: str
    registry: str
    description: str
    url: str
    code: str | None = None
    allow: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Landscape:
    """The whole description."""

    instance: str
    certificate_profile: str
    management_provider: str
    central: Central
    trust: Trust
    member_class: tuple[MemberClass, ...] = ()
    member: tuple[Member, ...] = ()
    server: tuple[Server, ...] = ()
    registry: tuple[Registry, ...] = ()
    persons: int = 1_000  # synthetic persons in each registry
    portal: tuple[Portal, ...] = ()
    clerk: tuple[Clerk, ...] = ()
    holder: tuple[Holder, ...] = ()
    service: tuple[Service, ...] = field(default=())
    auditor: tuple[Auditor, ...] = ()

    def server_of(self, client: str) -> Server:
        """Return the server that has this client. Raises LookupError."""
        for server in self.server:
            if client == server.owner or any(client == one.id for one in server.client):
                return server
        raise LookupError(f"no server has the client {client}")

    def server_named(self, code: str) -> Server:
        """Return the server with this code. Raises LookupError."""
        for server in self.server:
            if server.code == code:
                return server
        raise LookupError(f"there is no server {code}")

    def registry_named(self, name: str) -> Registry:
        """Return the registry of this name. Raises LookupError."""
        for registry in self.registry:
            if registry.name == name:
                return registry
        raise LookupError(f"there is no registry {name}")

    def portal_named(self, name: str) -> Portal | None:
        """Return the portal of this name, if there is one."""
        return next((portal for portal in self.portal if portal.name == name), None)

    @property
    def processes(self) -> dict[str, list[Registry]]:
        """The registries by the process that serves them."""
        found: dict[str, list[Registry]] = {}
        for registry in self.registry:
            found.setdefault(registry.process, []).append(registry)
        return found

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address that a program of this landscape listens on."""
        places: tuple[Central | Trust | Server | Registry | Portal, ...]
        places = (self.central, self.trust, *self.server, *self.registry, *self.portal)
        return tuple(dict.fromkeys(place.address for place in places))


def read_landscape(path: Path | None = None) -> Landscape:
    """Read a description. Raises SettingsError naming the file and the key."""
    file = path or (DEFAULT_FILE if DEFAULT_FILE.exists() else PACKAGED_FILE)
    landscape = load(Landscape, file)
    for place, check in _checks(landscape):
        try:
            check()
        except (LookupError, ValueError) as cause:
            raise SettingsError(f"{file}: {place}: {cause}") from cause
    return landscape


def _checks(landscape: Landscape) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield the key and the question for everything that the types do not say."""
    yield "central.address", partial(ipaddress.IPv4Address, landscape.central.address)
    yield "trust.address", partial(ipaddress.IPv4Address, landscape.trust.address)
    for number, member in enumerate(landscape.member):
        yield f"member[{number}].id", partial(_parts, member.id, 2)
    for number, server in enumerate(landscape.server):
        yield f"server[{number}].address", partial(ipaddress.IPv4Address, server.address)
        yield f"server[{number}].owner", partial(_parts, server.owner, 2)
        for place, client in enumerate(server.client):
            yield f"server[{number}].client[{place}].id", partial(_parts, client.id, 2, 3)
    for number, auditor in enumerate(landscape.auditor):
        yield f"auditor[{number}].server", partial(landscape.server_named, auditor.server)
        yield f"auditor[{number}].scope", partial(_parts, auditor.scope, 2, 3)
    for number, registry in enumerate(landscape.registry):
        yield f"registry[{number}].address", partial(ipaddress.IPv4Address, registry.address)
    for number, portal in enumerate(landscape.portal):
        yield f"portal[{number}].address", partial(ipaddress.IPv4Address, portal.address)
        yield f"portal[{number}].name", partial(_portal_name, portal)
    for number, _ in enumerate(landscape.clerk):
        yield f"clerk[{number}]", partial(_needs_portal, landscape, "snap")
    for number, holder in enumerate(landscape.holder):
        yield f"holder[{number}]", partial(_needs_portal, landscape, "holders")
        if holder.scope != EVERY_HOLDER:
            yield f"holder[{number}].scope", partial(_parts, holder.scope, 2, 3)
    for number, service in enumerate(landscape.service):
        yield f"service[{number}].type", partial(_service_type, service)
        yield f"service[{number}].client", partial(landscape.server_of, service.client)
        yield f"service[{number}].registry", partial(landscape.registry_named, service.registry)
        for place, allowed in enumerate(service.allow):
            yield f"service[{number}].allow[{place}]", partial(landscape.server_of, allowed)


def _parts(identifier: str, *counts: int) -> None:
    parts = identifier.split("/")
    if len(parts) not in counts or not all(parts):
        form = "CLASS/CODE/SUBSYSTEM" if 3 in counts else "CLASS/CODE"
        raise ValueError(f"{identifier!r} is not of the form {form}")


def _needs_portal(landscape: Landscape, name: str) -> None:
    if landscape.portal_named(name) is None:
        raise ValueError(f"there is no portal {name} to sign in at")


def _portal_name(portal: Portal) -> None:
    if portal.name not in PORTALS:
        raise ValueError(f"{portal.name!r} is not one of {', '.join(PORTALS)}")


def _service_type(service: Service) -> None:
    if service.type not in SERVICE_TYPES:
        raise ValueError(f"{service.type!r} is not one of {', '.join(SERVICE_TYPES)}")
    if service.type != "WSDL" and not service.code:
        raise ValueError(f"a service of type {service.type} needs a code")


def moved(landscape: Landscape, network: str) -> Landscape:
    """Return the landscape on other loopback addresses: the first two bytes become `network`, as in `127.45`.

    Raises SettingsError for anything but two bytes of a loopback network.
    """
    try:
        loopback = ipaddress.IPv4Address(f"{network}.0.0").is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise SettingsError(f"--network is the first two bytes of loopback addresses, such as 127.45, not {network!r}")

    def move(address: str) -> str:
        last_two = str(ipaddress.IPv4Address(address)).split(".")[2:]
        return ".".join((network, *last_two))

    return dataclasses.replace(
        landscape,
        central=dataclasses.replace(landscape.central, address=move(landscape.central.address)),
        trust=dataclasses.replace(landscape.trust, address=move(landscape.trust.address)),
        server=tuple(dataclasses.replace(one, address=move(one.address)) for one in landscape.server),
        registry=tuple(dataclasses.replace(one, address=move(one.address)) for one in landscape.registry),
        portal=tuple(dataclasses.replace(one, address=move(one.address)) for one in landscape.portal),
    )
