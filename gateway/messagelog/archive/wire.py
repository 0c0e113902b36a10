"""What the archiver's process and the server say to each other: one JSON object in a line, over its pipes.

server    the order, once; then {"done": true} or {"refused": why} to each command, in order
archiver  {"command": name, ...}, {"progress": {...}} now and then, at last {"tally": {...}} or {"fault": {...}}
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from gateway.messagelog.archive import journal
from gateway.messagelog.archive.archiver import Tally
from gateway.messagelog.archive.journal import Command, NewEntry
from gateway.messagelog.archive.model import StoredFile
from gateway.xroad.faults import LoggingUnavailable, XRoadFault

MAX_LINE_BYTES: Final = 16 * 1024 * 1024
_COMMANDS: Final = {
    kind.__name__: kind
    for kind in (
        journal.Begin,
        journal.Stage,
        journal.RecordEntries,
        journal.Deliver,
        journal.Withdraw,
        journal.LeaveOut,
        journal.Finish,
        journal.Release,
    )
}


def show_command(command: Command) -> dict[str, Any]:
    """Return a command as JSON can say it."""
    facts = dataclasses.asdict(command)
    if isinstance(command, journal.RecordEntries):
        facts["entries"] = [
            [e.sequence, e.name, e.content_hash.hex(), e.unverified, _hex(e.container_digest)] for e in command.entries
        ]
    return {"command": type(command).__name__, **facts}


def read_command(facts: Mapping[str, Any]) -> Command:
    """Return the command that `show_command` was given."""
    arguments = dict(facts)
    kind: Any = _COMMANDS[arguments.pop("command")]
    if kind is journal.Stage:
        arguments["file"] = StoredFile(**arguments["file"])
    if kind is journal.RecordEntries:
        arguments["entries"] = tuple(
            NewEntry(sequence, name, bytes.fromhex(content_hash), unverified, _unhex(digest))
            for sequence, name, content_hash, unverified, digest in arguments["entries"]
        )
    command: Command = kind(**arguments)
    return command


def show_tally(tally: Tally) -> dict[str, int]:
    """Return what was done as JSON can say it."""
    return dataclasses.asdict(tally)


def show_fault(fault: XRoadFault) -> dict[str, Any]:
    """Return a fault as JSON can say it."""
    return {"code": fault.code, "text_id": fault.text_id, "facts": {k: str(v) for k, v in fault.facts.items()}}


def read_fault(facts: Mapping[str, Any]) -> LoggingUnavailable:
    """Return the fault that `show_fault` was given."""
    return LoggingUnavailable(facts["code"], facts["text_id"], **facts["facts"])


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _unhex(value: str | None) -> bytes | None:
    return None if value is None else bytes.fromhex(value)
