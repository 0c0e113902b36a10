"""Options that verbs share, in groups: where evidence is, what is looked for, how it is shown.

A verb takes a group as one argument; `expanded` makes an option of each of its fields.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final, get_type_hints

import typer

from gateway.runtime.texts import DEFAULT_LANGUAGE, LANGUAGES

_LOCALE_VARIABLES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")  # in the order in which they count


@dataclass(frozen=True, slots=True)
class Place:
    """A server, or a folder of archives."""

    server: Annotated[
        str | None, typer.Option("--server", envvar="SURMA_AUDIT_SERVER", help="Server, as https://host:4000.")
    ] = None
    key_file: Annotated[
        Path | None,
        typer.Option("--key-file", envvar="SURMA_AUDIT_KEY_FILE", help="File (mode 0600) with your API key."),
    ] = None
    ca: Annotated[
        Path | None,
        typer.Option("--ca", envvar="SURMA_AUDIT_CA", help="Certificate of the server, or of its CA (PEM)."),
    ] = None
    archives: Annotated[Path | None, typer.Option("--archives", help="Folder of archives, instead of a server.")] = None


@dataclass(frozen=True, slots=True)
class Trust:
    """What it takes to open archives and to verify what lies in them."""

    conf: Annotated[
        Path | None, typer.Option("--conf", help="Folder or zip from /verificationconf, to verify with.")
    ] = None
    history: Annotated[
        Path | None, typer.Option("--history", help="Configuration history of a server; the one in force is chosen.")
    ] = None
    anchor: Annotated[Path | None, typer.Option("--anchor", help="Anchor that proves the history.")] = None
    secret_key: Annotated[
        list[Path] | None, typer.Option("--secret-key", help="OpenPGP secret key that opens encrypted archives.")
    ] = None
    passphrase_file: Annotated[
        Path | None, typer.Option("--passphrase-file", help="File (mode 0600) with the passphrase of that key.")
    ] = None


@dataclass(frozen=True, slots=True)
class Asked:
    """The conditions of a search."""

    since: Annotated[
        str | None, typer.Option(help="From then on: 2026-11-21, or 2026-11-21T12:00+02:00; without offset UTC.")
    ] = None
    until: Annotated[str | None, typer.Option(help="Before then; a day alone is included.")] = None
    client: Annotated[
        str | None, typer.Option(help="Who asked: UA-DEMO/GOV/10000001 or with subsystem; * at the end: begins so.")
    ] = None
    service: Annotated[str | None, typer.Option(help="Provider, service and version, as far as known.")] = None
    query_id: Annotated[str | None, typer.Option(help="Query id.")] = None
    x_request_id: Annotated[str | None, typer.Option(help="Exchange id (x-road-request-id).")] = None
    issue: Annotated[str | None, typer.Option(help="Case number.")] = None
    purpose: Annotated[str | None, typer.Option(help="Purpose (Uxp-Purpose-Ids).")] = None
    user_id: Annotated[str | None, typer.Option(help="Who asked at the client.")] = None
    represented_party: Annotated[str | None, typer.Option(help="For whom: class/code, or the code alone.")] = None
    outcome: Annotated[str | None, typer.Option(help="answered, refused, failed or open.")] = None
    fault_code: Annotated[str | None, typer.Option(help="Fault code.")] = None
    side: Annotated[str | None, typer.Option(help="consumer or provider: where the server stood.")] = None

    def texts(self) -> dict[str, str]:
        """Return the conditions that were given."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True, slots=True)
class Shown:
    """For whom the answer is."""

    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False
    language: Annotated[str | None, typer.Option(help="Language of the texts: en or uk; else as LANG says.")] = None

    @property
    def words(self) -> str:
        """The language of the texts."""
        return language_of(self.language, os.environ)


Reason = Annotated[
    str | None, typer.Option("--reason", help="Why content is needed; it is recorded in the audit trail.")
]


def language_of(chosen: str | None, environ: Mapping[str, str]) -> str:
    """Return the language that was chosen, or that of the terminal. Raises BadParameter for another one."""
    if chosen is not None:
        if chosen not in LANGUAGES:
            raise typer.BadParameter(f"{chosen!r} is none of {', '.join(LANGUAGES)}")
        return chosen
    locale = next((environ[name] for name in _LOCALE_VARIABLES if environ.get(name)), "")
    primary = locale.partition("_")[0].partition(".")[0]
    return primary if primary in LANGUAGES else DEFAULT_LANGUAGE


def expanded(verb: Callable[..., None]) -> Callable[..., None]:
    """Return a verb whose groups became options of their own."""
    hints = get_type_hints(verb, include_extras=True)
    groups: dict[str, Any] = {}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(verb).parameters.values():
        kind = hints[parameter.name]
        if not is_dataclass(kind):
            parameters.append(_parameter(parameter.name, kind, parameter.default))
            continue
        groups[parameter.name] = kind
        inner = get_type_hints(kind, include_extras=True)
        parameters += [_parameter(field.name, inner[field.name], field.default) for field in fields(kind)]
    ordered = sorted(parameters, key=lambda one: one.default is not inspect.Parameter.empty)

    @wraps(verb)
    def with_groups(**given: Any) -> None:
        made = {name: kind(**{f.name: given.pop(f.name) for f in fields(kind)}) for name, kind in groups.items()}
        verb(**made, **given)

    with_groups.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
    with_groups.__annotations__ = {one.name: one.annotation for one in ordered}
    return with_groups


def _parameter(name: str, kind: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
