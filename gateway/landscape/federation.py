"""A landscape running: its programs, their state, their onboarding, one after the other.

State lies below one directory, so a second start resumes it. Every step of the onboarding goes
through the admin APIs.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from gateway.landscape.central import onboard_central
from gateway.landscape.description import EVERY_HOLDER, Auditor, Clerk, Holder, Landscape, Registry, Server
from gateway.landscape.portals import (
    COMMANDS,
    PROGRAM_OF,
    citizen_settings,
    environment_of,
    environment_of_registry,
)
from gateway.landscape.ports import TakenPort, taken_ports
from gateway.landscape.processes import Program, stop_all, wait_until
from gateway.landscape.server import ServerOnboarding
from gateway.runtime.accounts.passwords import generate_password
from gateway.runtime.admin_client import AdminApi

START_WITHIN_S: Final = 60
MESSAGE_PORT: Final = 5500
OCSP_PORT: Final = 5577
# The onboarding makes many small requests at once; the limit is for everybody else.
NO_RATE_LIMIT: Final = "0"

# What `surma gateway user add` ends with when there is such a user already.
USER_EXISTS: Final = 3

Report = Callable[[str], None]


class PortsTaken(RuntimeError):  # noqa: N818
    """Addresses or ports that the landscape needs are in use."""

    def __init__(self, taken: list[TakenPort]) -> None:
        super().__init__("ports taken")
        self.taken = taken


class Federation:
    """Every program of a landscape on this machine."""

    def __init__(
        self, landscape: Landscape, state: Path, report: Report, environment: dict[str, str] | None = None
    ) -> None:
        self.landscape = landscape
        self.state = state.absolute()
        self._report = report
        self._extra = environment or {}
        self.central = self._central_program()
        self.trust = self._trust_program()
        self.servers = {server.code: self._server_program(server) for server in landscape.server}
        self.registries = {name: self._registries_program(name, those) for name, those in landscape.processes.items()}

        self.portals = {one.name: self._portal_program(one.name) for one in landscape.portal if one.name in COMMANDS}

    @property
    def programs(self) -> list[Program]:
        """Every program, in the order of starting."""
        first = [self.trust, self.central, *self.servers.values()]
        return [*first, *self.registries.values(), *self.portals.values()]

    async def start(self) -> None:
        """Start and onboard everything. Raises PortsTaken, ProgramEnded, TimeoutError, AdminRequestFailed."""
        taken = taken_ports(self._places())
        if taken:
            raise PortsTaken(taken)
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._make_pins()
        self._citizen_file().write_text(citizen_settings(self.landscape), encoding="utf-8")
        self._report("starting the programs")
        inner, outer = self._inner_ports(), self._outer_ports()
        await self._start(inner)
        serving = asyncio.ensure_future(self._start(outer))  # while the others are onboarded, which is mostly waiting
        try:
            await self._onboard(serving)
        finally:
            serving.cancel()

    def stop(self) -> None:
        """Stop every program."""
        stop_all(self.programs)

    def rss_mb(self) -> dict[str, float]:
        """Return the memory of each program and of all, in MB."""
        sizes = {program.name: round(program.rss_bytes() / 1e6, 1) for program in self.programs}
        return {**sizes, "total": round(sum(sizes.values()), 1)}

    def server_state(self, code: str) -> Path:
        """The state directory of a security server."""
        return self.state / f"server-{code}"

    def portal_state(self, name: str) -> Path:
        """The state directory of a program with pages."""
        return self.state / f"portal-{name}"

    def sign_in_page(self, auditor: Auditor) -> str:
        """Where an auditor signs in."""
        server = self.landscape.server_named(auditor.server)
        return f"https://{server.address}:{server.admin_port}/audit"

    def password_file(self, person: Auditor | Clerk | Holder) -> Path:
        """The password of somebody who signs in, made at the first start and the same ever after."""
        place = {Auditor: getattr(person, "server", ""), Clerk: "snap", Holder: "holders"}[type(person)]
        return self.state / f"password-{place}-{person.name}"

    def anchor(self) -> Path:
        """The configuration anchor, written while onboarding, for offline verification."""
        return self.state / "configuration-anchor.xml"

    # programs

    def _central_program(self) -> Program:
        central = self.landscape.central
        environment = {
            "CENTRAL_ADMIN__HOST": central.address,
            "CENTRAL_ADMIN__PORT": str(central.admin_port),
            "CENTRAL_ADMIN__NAMES": central.address,
            "CENTRAL_API__REQUESTS_PER_SECOND": NO_RATE_LIMIT,
            "CENTRAL_API__REQUESTS_PER_MINUTE": NO_RATE_LIMIT,
            "CENTRAL_CONFIGURATION__HOST": central.address,
            "CENTRAL_CONFIGURATION__PORT": str(central.configuration_port),
            "CENTRAL_TOKEN_PIN_FILE": str(self._pin_file("central")),
        }
        return self._program("central", ["central_services", "serve"], environment, self.state / "central")

    def _trust_program(self) -> Program:
        trust = self.landscape.trust
        environment = {
            "CENTRAL_TRUST__HOST": trust.address,
            "CENTRAL_TRUST__CA_PORT": str(trust.ca_port),
            "CENTRAL_TRUST__TSA_PORT": str(trust.tsa_port),
        }
        return self._program("trust", ["central_services", "trust"], environment, self.state / "trust")

    def _server_program(self, server: Server) -> Program:
        environment = {
            "GATEWAY_ADDRESS": server.address,
            "GATEWAY_CONSUMER__HTTP_PORT": str(server.http_port),
            "GATEWAY_CONSUMER__HTTPS_PORT": str(server.https_port),
            "GATEWAY_ADMIN__PORT": str(server.admin_port),
            "GATEWAY_ADMIN_LIMITS__REQUESTS_PER_SECOND": NO_RATE_LIMIT,
            "GATEWAY_ADMIN_LIMITS__REQUESTS_PER_MINUTE": NO_RATE_LIMIT,
            "GATEWAY_SIGNER__PIN_FILE": str(self._pin_file(server.code)),
        }
        return self._program(server.code, ["gateway", "serve"], environment, self.server_state(server.code))

    def _registries_program(self, process: str, registries: Sequence[Registry]) -> Program:
        environment: dict[str, str] = {}
        for registry in registries:
            environment |= environment_of_registry(self.landscape, registry)
        command = ["registry_adapters", "serve", *(registry.name for registry in registries)]
        return self._program(process, command, environment, self.state / process)

    def _portal_program(self, name: str) -> Program:
        command = [*COMMANDS[name]]
        if name == "citizen":
            command += ["--config", str(self._citizen_file())]
        return self._program(name, command, environment_of(self.landscape, name), self.portal_state(name))

    def _citizen_file(self) -> Path:
        return self.state / "citizen.toml"

    def _program(self, name: str, command: Sequence[str], environment: dict[str, str], state: Path) -> Program:
        log = self.state / "logs" / f"{name}.log"
        return Program(name, [*command, "--state", str(state)], log, {**environment, **self._extra})

    def _make_pins(self) -> None:
        """Give each program with a token its PIN, in a file that only its owner can read."""
        for name in ("central", *self.servers):
            pin_file = self._pin_file(name)
            if not pin_file.exists():
                pin_file.touch(mode=0o600)
                pin_file.write_text(secrets.token_urlsafe(18) + "\n")

    def _pin_file(self, name: str) -> Path:
        return self.state / f"pin-{name}"

    # ports

    def _inner_ports(self) -> list[tuple[Program, tuple[str, int]]]:
        central, trust = self.landscape.central, self.landscape.trust
        return [
            (self.central, (central.address, central.admin_port)),
            (self.trust, (trust.address, trust.tsa_port)),
            *((self.servers[one.code], (one.address, one.admin_port)) for one in self.landscape.server),
        ]

    def _outer_ports(self) -> list[tuple[Program, tuple[str, int]]]:
        """The information systems: what a security server stands before."""
        registries, portals = self.landscape.registry, self.landscape.portal
        return [
            *((self.registries[one.process], (one.address, one.port)) for one in registries),
            *((self.portals[PROGRAM_OF.get(one.name, one.name)], (one.address, one.port)) for one in portals),
        ]

    def _places(self) -> list[tuple[str, int]]:
        central, trust = self.landscape.central, self.landscape.trust
        places = [place for _, place in (*self._inner_ports(), *self._outer_ports())]
        places += [(central.address, central.configuration_port), (trust.address, trust.ca_port)]
        for server in self.landscape.server:
            ports = (server.http_port, server.https_port, MESSAGE_PORT, OCSP_PORT)
            places += [(server.address, port) for port in ports]
        return places

    async def _start(self, places: Sequence[tuple[Program, tuple[str, int]]]) -> None:
        for program in {program.name: program for program, _ in places}.values():
            program.start()
        await asyncio.gather(*(self._wait(program, place) for program, place in places))

    async def _wait(self, program: Program, place: tuple[str, int]) -> None:
        await wait_until(lambda: _answers(place), program, within_s=START_WITHIN_S)
        self._report(f"{program.name} listens on {place[0]}:{place[1]}")

    # onboarding

    async def _onboard(self, serving: Awaitable[object]) -> None:
        central = self._api(self.landscape.central.address, self.landscape.central.admin_port, self.state / "central")
        servers = {
            server.code: self._api(server.address, server.admin_port, self.server_state(server.code))
            for server in self.landscape.server
        }
        try:
            self._report("onboarding the central services")
            await onboard_central(central, self.landscape, self._pin("central"))
            self.anchor().write_bytes(await central.get_bytes("/configuration-sources/INTERNAL/anchor/download"))
            onboardings = [
                ServerOnboarding(servers[one.code], central, self.landscape, one, self._pin(one.code))
                for one in self.landscape.server
            ]
            self._report("onboarding the security servers")
            await asyncio.gather(*(one.identify() for one in onboardings))
            await asyncio.gather(*(one.furnish() for one in onboardings))
            await serving  # their descriptions are read now
            await asyncio.gather(*(one.publish() for one in onboardings))
            await asyncio.gather(*(one.refresh() for one in onboardings), self._make_people())
        finally:
            for api in (central, *servers.values()):
                await api.close()
        for server in self.landscape.server:
            await wait_until(
                lambda place=(server.address, MESSAGE_PORT): _answers(place),  # type: ignore[misc]
                self.servers[server.code],
                within_s=START_WITHIN_S,
            )

    async def _make_people(self) -> None:
        """Make everybody who signs in, as an administrator does: on the machine of the program, with its command."""
        made: list[tuple[Auditor | Clerk | Holder, Program, list[str], Path]] = []
        for auditor in self.landscape.auditor:
            scope = f"{self.landscape.instance}/{auditor.scope}"
            command = ["gateway", "user", "add", auditor.name, "--role", "AUDITOR", "--scope", scope]
            made.append((auditor, self.servers[auditor.server], command, self.server_state(auditor.server)))
        for clerk in self.landscape.clerk:
            command = ["registry_adapters.snap", "clerk", "add", clerk.name, clerk.centre]
            made.append((clerk, self.portals["snap"], command, self.portal_state("snap")))
        for holder in self.landscape.holder:
            scope = holder.scope if holder.scope == EVERY_HOLDER else f"{self.landscape.instance}/{holder.scope}"
            config = ["--config", str(self._citizen_file())]
            command = ["registry_adapters.citizen", "holder", holder.name, scope, *config]
            made.append((holder, self.portals["citizen"], command, self.portal_state("citizen")))
        await asyncio.gather(*(self._make_person(*one) for one in made))

    async def _make_person(
        self, person: Auditor | Clerk | Holder, program: Program, command: Sequence[str], state: Path
    ) -> None:
        file = self.password_file(person)
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(generate_password() + "\n")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *command, "--password-file", str(file), "--state", str(state),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **program.environment},
        )  # fmt: skip
        _, errors = await process.communicate()
        if process.returncode not in (0, USER_EXISTS):
            raise RuntimeError(f"{person.name} was not made: {errors.decode(errors='replace')[-300:]}")

    def _api(self, address: str, port: int, state: Path) -> AdminApi:
        key = (state / "api-key").read_text().strip()
        return AdminApi(f"https://{address}:{port}", state / "tls" / "admin.crt", key)

    def _pin(self, name: str) -> str:
        return self._pin_file(name).read_text().strip()


def _answers(place: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(place) == 0
