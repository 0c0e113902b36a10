"""What `surma demo` shows: progress while starting, a table of what runs where, lines to paste; and `--check`."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from gateway.landscape.description import Auditor, Clerk, Holder, Landscape, moved, read_landscape
from gateway.landscape.federation import MESSAGE_PORT, OCSP_PORT, Federation, PortsTaken, Report
from gateway.landscape.portals import PROGRAM_OF, url_of
from gateway.landscape.ports import taken_ports
from gateway.landscape.processes import ProgramEnded
from gateway.landscape.tour import Tour, TourResult, as_json
from gateway.runtime.admin_client import AdminRequestFailed
from gateway.runtime.settings import SettingsError

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
NETWORK_TRIES: Final = 50


def default_state(network: str | None = None) -> Path:
    """Return where the demo keeps its state unless told otherwise; addresses are part of it."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "surma" / ("demo" if network is None else f"demo-{network}")


async def run(file: Path | None, state: Path | None, network: str | None) -> int:
    """Start everything, say how to use it, and stop on Ctrl-C."""
    console = Console()
    try:
        landscape = _read(file, network)
    except SettingsError as error:
        console.print(f"[red]{error}[/red]")
        return EXIT_USAGE
    stopping = _stop_event()
    federation = Federation(landscape, state or default_state(network), _reporter(console))
    started = time.monotonic()
    try:
        starting = asyncio.create_task(federation.start())
        interrupted = asyncio.create_task(stopping.wait())
        await asyncio.wait({starting, interrupted}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            return EXIT_OK
        starting.result()
        _show(console, federation, time.monotonic() - started)
        await _watch(federation, interrupted)
        console.print("stopping")
        return EXIT_OK
    except (PortsTaken, ProgramEnded, TimeoutError, AdminRequestFailed, RuntimeError) as failure:
        _explain(console, failure)
        return EXIT_FAILED
    finally:
        await asyncio.to_thread(federation.stop)


async def check(file: Path | None, network: str | None, *, as_json: bool) -> int:
    """Make the whole tour once, beside whatever else runs here; exit status 0 only if all held."""
    console = Console(stderr=as_json)
    try:
        landscape = _read(file, network or free_network(read_landscape(file)))
    except SettingsError as error:
        console.print(f"[red]{error}[/red]")
        return EXIT_USAGE
    with tempfile.TemporaryDirectory(prefix="surma-check-") as folder:
        federation = Federation(landscape, Path(folder) / "state", _reporter(console))
        started = time.monotonic()
        try:
            await federation.start()
            ready_s = time.monotonic() - started
            tour = Tour.of(landscape)
            consumer = landscape.server_of(tour.client).code
            result = await tour.run(Path(folder), federation.server_state(consumer) / "history", federation.anchor())
            first_answer_s = ready_s + (result.exchanges[0].ms / 1000 if result.exchanges else 0)
            rss_mb = federation.rss_mb()
        except (PortsTaken, ProgramEnded, TimeoutError, AdminRequestFailed, RuntimeError) as failure:
            _explain(console, failure)
            return EXIT_FAILED
        finally:
            await asyncio.to_thread(federation.stop)
    if as_json:
        print_json(result, ready_s, first_answer_s, rss_mb)
    else:
        _show_result(console, result, ready_s, first_answer_s, rss_mb)
    return EXIT_OK if result.ok else EXIT_FAILED


def print_json(result: TourResult, ready_s: float, first_answer_s: float, rss_mb: dict[str, float]) -> None:
    """Print the figures on standard output."""
    sys.stdout.write(as_json(result, ready_s, first_answer_s, rss_mb) + "\n")


def _read(file: Path | None, network: str | None) -> Landscape:
    landscape = read_landscape(file)
    return moved(landscape, network) if network else landscape


def free_network(landscape: Landscape) -> str:
    """Return two bytes of loopback addresses on which nothing listens yet."""
    choice = random.Random()  # noqa: S311  any free network will do
    for _ in range(NETWORK_TRIES):
        network = f"127.{choice.randint(32, 250)}"
        places = [(address, port) for address in moved(landscape, network).addresses for port in (4000, MESSAGE_PORT)]
        if not taken_ports(places):
            return network
    raise SettingsError("no free loopback addresses were found; name some with --network")


def _stop_event() -> asyncio.Event:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


def _reporter(console: Console) -> Report:
    started = time.monotonic()

    def report(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:5.1f} s[/dim]  {text}")

    return report


async def _watch(federation: Federation, interrupted: asyncio.Task[bool]) -> None:
    """Return when told to stop; raise ProgramEnded when a program ended by itself."""
    while not interrupted.done():
        for program in federation.programs:
            program.check_alive()
        await asyncio.wait({interrupted}, timeout=1)


def _show(console: Console, federation: Federation, took_s: float) -> None:
    landscape = federation.landscape
    table = Table(title=f"{landscape.instance}: ready in {took_s:.1f} s", title_justify="left")
    for column in ("program", "address", "ports", "pid", "MB"):
        table.add_column(column)
    memory = federation.rss_mb()
    central, trust = landscape.central, landscape.trust
    places = {
        "central": (central.address, f"{central.admin_port} admin · {central.configuration_port} configuration"),
        "trust": (trust.address, f"{trust.ca_port} CA, OCSP · {trust.tsa_port} TSA (for tests only)"),
    }
    for server in landscape.server:
        ports = f"{server.http_port}/{server.https_port} systems · {MESSAGE_PORT} servers · {OCSP_PORT} OCSP"
        places[server.code] = (server.address, f"{ports} · {server.admin_port} admin")
    for process, registries in landscape.processes.items():
        listed = ", ".join(f"{one.port} {one.name}" for one in registries)
        places[process] = (", ".join(dict.fromkeys(one.address for one in registries)), listed)
    for name in federation.portals:
        pages = [one for one in landscape.portal if PROGRAM_OF.get(one.name, one.name) == name]
        listed = ", ".join(f"{one.port} {one.name}" for one in pages)
        places[name] = (", ".join(one.address for one in pages), listed)
    for program in federation.programs:
        address, ports = places[program.name]
        table.add_row(program.name, address, ports, str(program.pid), f"{memory[program.name]:.0f}")
    console.print(table)
    logs = federation.state / "logs"
    console.print(f"memory {memory['total']:.0f} MB · state in {federation.state} · logs in {logs}", soft_wrap=True)
    console.print("\n[bold]Ask for a person by REST, by SOAP, and take the evidence:[/bold]\n")
    for line in Tour.of(landscape).curl_lines():
        console.print(line, soft_wrap=True, highlight=False, markup=False)
        console.print()
    console.print("[bold]Verify it offline:[/bold]\n")
    consumer = landscape.server_of(Tour.of(landscape).client)
    history = federation.server_state(consumer.code) / "history"
    console.print(
        f"python3 -m zipfile -e evidence.zip . && .venv/bin/surma verify demo-rest-*.asice"
        f" --history {history} --anchor {federation.anchor()}",
        soft_wrap=True, highlight=False, markup=False,
    )  # fmt: skip
    _show_pages(console, federation)
    console.print("\nCtrl-C stops everything.")


def _show_pages(console: Console, federation: Federation) -> None:
    """Say where people sign in, and as whom."""
    landscape = federation.landscape
    portals = {portal.name: url_of(portal) for portal in landscape.portal}
    pages = [("auditors", federation.sign_in_page(one), _account(federation, one)) for one in landscape.auditor]
    pages += [("SNAP counter", portals["snap"], _account(federation, one)) for one in landscape.clerk]
    if "citizen" in portals:
        pages.append(("citizens", portals["citizen"], "sign in as one of the persons that the test provider lists"))
    pages += [("holders of registries", portals["holders"], _account(federation, one)) for one in landscape.holder]
    console.print("\n[bold]Pages for people[/bold] (certificates of https are the programs' own):\n")
    for who, url, account in pages:
        console.print(f"{who}: {url}\n  {account}", soft_wrap=True, highlight=False, markup=False)


def _account(federation: Federation, person: Auditor | Clerk | Holder) -> str:
    return f"user {person.name}, password {federation.password_file(person).read_text().strip()}"


def _show_result(
    console: Console, result: TourResult, ready_s: float, first_answer_s: float, rss_mb: dict[str, float]
) -> None:
    table = Table(title=f"ready in {ready_s:.1f} s, first answer after {first_answer_s:.1f} s", title_justify="left")
    for column in ("exchange", "outcome", "ms"):
        table.add_column(column)
    for exchange in result.exchanges:
        table.add_row(f"{exchange.service} ({exchange.query_id})", exchange.outcome, f"{exchange.ms:.1f}")
    console.print(table)
    for one in result.evidence:
        console.print(f"evidence {one.file}: {one.verdict}", highlight=False)
    console.print(f"tampered copy refused: {'yes' if result.tampered_refused else 'NO'}")
    console.print(f"memory {rss_mb['total']:.0f} MB")
    console.print("[green]all held[/green]" if result.ok else "[red]not everything held[/red]")


def _explain(console: Console, failure: Exception) -> None:
    if isinstance(failure, PortsTaken):
        for taken in failure.taken:
            holder = f"by {taken.holder}" if taken.holder else "by a process that is not shown to us"
            console.print(f"[red]{taken.address}:{taken.port} is taken {holder}.[/red]", highlight=False)
        console.print("Stop it, or choose other loopback addresses: surma demo --network 127.45")
    else:
        console.print(f"[red]{failure}[/red]", highlight=False)
