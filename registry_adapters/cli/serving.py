"""What the verbs do: settings, database, synthetic data, listeners; ended by SIGTERM or SIGINT.

A registry is named, as those of this package are, or is a Python file of one's own with `registry` in it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import importlib.util
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer
import uvloop

from gateway.runtime import logs, settings
from gateway.runtime.control_server import ControlServer, Listener
from gateway.runtime.database import Database, open_database
from registry_adapters.population.seeding import SeedMismatchError
from registry_adapters.sdk.app import WORKERS
from registry_adapters.sdk.purposes import PurposesError
from registry_adapters.sdk.registry import Registry, build, prepare
from registry_adapters.sdk.sources.base import SourceError
from registry_adapters.settings import ENVIRONMENT_PREFIX, STATE_MODE, RegistriesSettings, RegistrySettings

# Where each registry is declared: a Registry, or a function of its settings that returns one.
REGISTRIES: Final = {
    "demographic": "registry_adapters.demographic.registry:registry",
    "cadastre": "registry_adapters.cadastre.registry:registry",
    "tax": "registry_adapters.tax.registry:declare",
    "civil_status": "registry_adapters.simulators.civil_status:registry",
    "business": "registry_adapters.simulators.business:registry",
    "property_rights": "registry_adapters.simulators.property_rights:registry",
    "displaced": "registry_adapters.simulators.displaced:registry",
    "crosscheck": "registry_adapters.crosscheck.registry:declare",
}


@dataclass(frozen=True, slots=True)
class Opened:
    """A registry with its settings and its database."""

    registry: Registry
    settings: RegistrySettings
    database: Database


def settings_of(
    name: str, config: Path | None, environ: Mapping[str, str], changes: Mapping[str, object]
) -> RegistrySettings:
    """Return a registry's settings: defaults, file, environment, then what the command line says."""
    if name not in REGISTRIES and not is_file(name):
        raise typer.BadParameter(
            f"there is no registry {name}; known: {', '.join(REGISTRIES)}, or name a Python file of your own"
        )
    try:
        loaded = settings.load(RegistriesSettings, config, environ, prefix=ENVIRONMENT_PREFIX)
        given = {key: value for key, value in changes.items() if value is not None}
        chosen: RegistrySettings = dataclasses.replace(getattr(loaded, "own" if is_file(name) else name), **given)
        return chosen
    except ValueError as cause:
        raise typer.BadParameter(str(cause)) from cause


def is_file(name: str) -> bool:
    """Tell whether a name means a Python file."""
    return name.endswith(".py")


def load_registry(name: str, chosen: RegistrySettings) -> Registry:
    """Return the declaration of a registry of this package, or of a Python file."""
    declared = _declared_in_file(Path(name)) if is_file(name) else _declared_here(name)
    registry = declared if isinstance(declared, Registry) else declared(chosen)
    if not isinstance(registry, Registry):
        raise typer.BadParameter(f"{name} declares no registry: it needs registry = Registry(...)")
    try:
        _ = registry.rules
    except PurposesError as cause:
        raise typer.BadParameter(str(cause)) from cause
    return registry


def _declared_here(name: str) -> Any:
    module, _, attribute = REGISTRIES[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def _declared_in_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise typer.BadParameter(f"{path} is no Python file that can be read")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look their module up there
    try:
        spec.loader.exec_module(module)
    except SourceError as cause:
        raise typer.BadParameter(str(cause)) from cause
    return getattr(module, "registry", None) or (lambda _settings: None)


def serve(chosen: Mapping[str, RegistrySettings], state: Path) -> None:
    """Serve registries in one process until told to stop."""
    logs.configure()
    opened = [_open(name, one, state) for name, one in chosen.items()]
    try:
        for one in opened:
            _prepare(one)
        uvloop.run(_serve(opened))
    except OSError as cause:
        typer.echo(cause.strerror or str(cause), err=True)
        raise typer.Exit(1) from cause
    finally:
        for one in opened:
            one.database.close()


def fill(name: str, chosen: RegistrySettings, state: Path) -> None:
    """Make what is missing of the synthetic data and say how much that was."""
    opened = _open(name, chosen, state)
    try:
        typer.echo(f"registry {name}: {_prepare(opened)} persons added, {chosen.persons} wanted")
    finally:
        opened.database.close()


def _open(name: str, chosen: RegistrySettings, state: Path) -> Opened:
    registry = load_registry(name, chosen)
    state.mkdir(parents=True, exist_ok=True, mode=STATE_MODE)
    try:
        url = chosen.database_url or f"sqlite:///{(state / f'{registry.name}.db').absolute()}"
        return Opened(registry, chosen, open_database(url, pool_size=WORKERS))
    except ValueError as cause:
        raise typer.BadParameter(str(cause)) from cause


def _prepare(opened: Opened) -> int:
    try:
        progress = _show_progress if sys.stderr.isatty() else None
        return prepare(opened.registry, opened.database, opened.settings, progress)
    except SeedMismatchError as cause:
        typer.echo(f"registry {opened.registry.name}: {cause}", err=True)
        raise typer.Exit(1) from cause


def _show_progress(there: int, wanted: int) -> None:
    typer.echo(f"\r{there} of {wanted} persons", err=True, nl=there >= wanted)


async def _serve(opened: Sequence[Opened]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as servers:
        for one in opened:
            app = build(one.registry, one.database, one.settings)
            listener = Listener(app, one.settings.host, one.settings.port, name=f"registry {one.registry.name}")
            server = await servers.enter_async_context(ControlServer(listener))
            sys.stdout.write(f"ready registry {one.registry.name} {server.url}\n")
        sys.stdout.flush()
        await stop.wait()
