"""Every distinct configuration that was ever used, as received and signed: what verification years later stands on.

    objects/<first two>/<SHA-256>     directories, parts and anchors, once each
    entries/<number>.json             which of them were in use from when on

Nothing here is believed for lying here: reading an entry verifies its directory's signature again,
with an anchor that the reader brings. A key that came into use later than that anchor counts when an
earlier, verified configuration announced it, as it did for the client then. Expiry is not asked: the
interval of use is stated instead. One process writes; nothing is ever changed or removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from gateway.configuration_client.model import Generation
from gateway.runtime.durable_files import sync_directory, write_durably
from gateway.xroad.faults import ConfigurationUnusable, XRoadFault
from gateway.xroad.globalconf.anchor import Anchor
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.globalconf.times import format_time, parse_time
from gateway.xroad.globalconf.trusted import Role, TrustedConfiguration, verify_directory, verify_parts

_CODE: Final = "malformed_global_conf"
_UNKNOWN_SIGNER: Final = "global_conf_missing_verification_cert"


@dataclass(frozen=True, slots=True)
class Received:
    """One configuration as it was received; values are names of objects."""

    instance: str
    directory: str
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """What was in use from one moment on; `anchor` names the anchor file it was downloaded by."""

    number: int
    used_from: datetime
    content: str
    anchor: str
    own: Received
    federated: tuple[Received, ...]


@dataclass(frozen=True, slots=True)
class HistoricConfiguration:
    """A configuration of the past, verified again; in use until `used_until`, or still."""

    globalconf: GlobalConf
    generation: Generation
    used_from: datetime
    used_until: datetime | None


class History:
    """The configurations kept below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._objects = root / "objects"
        self._entries = root / "entries"

    # writing

    def record(self, generation: Generation, anchor_xml: bytes, at: datetime) -> bool:
        """Keep a configuration that comes into use at `at`; False when the last entry says the same.

        On return everything is on the disk. Raises OSError when it cannot be.
        """
        last = self.last()
        content = _content_key(generation)
        if last is not None and last.content == content:
            return False
        self._entries.mkdir(parents=True, exist_ok=True)
        number = 1 if last is None else last.number + 1
        own, *federated = [self._keep(configuration) for configuration in generation.all]
        entry = Entry(number, at, content, self._put(anchor_xml), own, tuple(federated))
        write_durably(self._entries / f"{number:08d}.json", _print(entry))
        sync_directory(self.root)
        return True

    def _keep(self, configuration: TrustedConfiguration) -> Received:
        entries = configuration.directory.entries
        files = {entry.location: self._put(configuration.files[entry.location]) for entry in entries}
        return Received(configuration.instance, self._put(configuration.directory.raw), files)

    def _put(self, content: bytes) -> str:
        name = hashlib.sha256(content).hexdigest()
        path = self._path(name)
        if not path.exists():
            if not path.parent.exists():
                path.parent.mkdir(parents=True)
                sync_directory(self._objects)
            write_durably(path, content)
        return name

    # reading

    def entries(self) -> list[Entry]:
        """Return every entry in the order of use. Raises ConfigurationUnusable for an unreadable one."""
        return [self._parse(path) for path in self._entry_paths()]

    def last(self) -> Entry | None:
        """Return the entry in use."""
        paths = self._entry_paths()
        return self._parse(paths[-1]) if paths else None

    def at(self, time: datetime, anchor: Anchor) -> HistoricConfiguration:
        """Return what was in use at `time`, verified with the keys of `anchor`.

        Raises ConfigurationUnusable when nothing was kept from then, or it does not verify.
        """
        entries = self.entries()
        index = max((i for i, entry in enumerate(entries) if entry.used_from <= time), default=None)
        if index is None:
            begins = entries[0].used_from if entries else None
            raise ConfigurationUnusable(
                "global_conf_outdated", "configuration.history_begins_later", time=time, begins=begins or "-"
            )
        try:
            generation = self._verify(entries[index], anchor.instance, anchor.certificates)
        except ConfigurationUnusable as fault:
            if fault.code != _UNKNOWN_SIGNER:
                raise
            known = self._announced(entries[:index], anchor)
            generation = self._verify(entries[index], anchor.instance, known)
        used_until = entries[index + 1].used_from if index + 1 < len(entries) else None
        return HistoricConfiguration(generation.globalconf(), generation, entries[index].used_from, used_until)

    def announced_certificates(self, anchor: Anchor) -> tuple[bytes, ...]:
        """Return the anchor's certificates and those that verified configurations announced since."""
        return self._announced(self.entries(), anchor)

    def _announced(self, entries: list[Entry], anchor: Anchor) -> tuple[bytes, ...]:
        known = dict.fromkeys(anchor.certificates)
        for entry in entries:
            try:
                own = self._verify_one(entry.own, anchor.instance, tuple(known), Role.OWN)
            except XRoadFault:
                continue  # from another anchor's time: it vouches for nothing here
            known |= dict.fromkeys(cert for source in own.shared.sources for cert in source.internal_certificates)
        return tuple(known)

    def _verify(self, entry: Entry, instance: str, certificates: tuple[bytes, ...]) -> Generation:
        own = self._verify_one(entry.own, instance, certificates, Role.OWN)
        anchors = {} if own.private is None else {one.instance: one for one in own.private.anchors}
        federated: dict[str, TrustedConfiguration] = {}
        for received in entry.federated:
            partner = anchors.get(received.instance)
            if partner is None:
                continue
            with contextlib.suppress(XRoadFault):  # then its members are unknown, and the verdict says so
                federated[received.instance] = self._verify_one(
                    received, partner.instance, partner.certificates, Role.FEDERATED
                )
        return Generation(own, federated)

    def _verify_one(
        self, received: Received, instance: str, certificates: tuple[bytes, ...], role: Role
    ) -> TrustedConfiguration:
        raw = self._get(received.directory)
        directory = verify_directory(raw, instance=instance, certificates=certificates, at=None, role=role)
        return verify_parts(directory, {location: self._get(name) for location, name in received.files.items()})

    def _get(self, name: str) -> bytes:
        try:
            content = self._path(name).read_bytes()
        except OSError as cause:
            raise _unreadable(name, cause.strerror or "") from cause
        if hashlib.sha256(content).hexdigest() != name:
            raise _unreadable(name, "SHA-256")
        return content

    def _path(self, name: str) -> Path:
        return self._objects / name[:2] / name

    def _entry_paths(self) -> list[Path]:
        return sorted(self._entries.glob("[0-9]*.json"))

    def _parse(self, path: Path) -> Entry:
        try:
            facts = json.loads(path.read_bytes())
            return Entry(
                number=int(path.stem),
                used_from=parse_time(facts["used_from"], code=_CODE),
                content=str(facts["content"]),
                anchor=_name(facts["anchor"]),
                own=_received(facts["own"]),
                federated=tuple(map(_received, facts["federated"])),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as cause:
            raise _unreadable(path.name, type(cause).__name__) from cause


def _content_key(generation: Generation) -> str:
    """Return one digest over everything that makes a difference: instances, versions, parts."""
    facts = [
        [one.instance, one.version, sorted([e.content_id, e.digest.hex] for e in one.directory.entries)]
        for one in sorted(generation.all, key=lambda one: (one is not generation.own, one.instance))
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _print(entry: Entry) -> bytes:
    facts = {
        "used_from": format_time(entry.used_from),
        "content": entry.content,
        "anchor": entry.anchor,
        "own": _received_facts(entry.own),
        "federated": [_received_facts(received) for received in entry.federated],
    }
    return json.dumps(facts, indent=1).encode()


def _received_facts(received: Received) -> dict[str, Any]:
    return {"instance": received.instance, "directory": received.directory, "files": dict(received.files)}


def _received(facts: Any) -> Received:
    files = {str(location): _name(name) for location, name in facts["files"].items()}
    return Received(str(facts["instance"]), _name(facts["directory"]), files)


def _name(value: Any) -> str:
    if not isinstance(value, str) or len(value) != 64 or not set(value) <= set("0123456789abcdef"):
        raise ValueError("not the name of an object")
    return value


def _unreadable(name: str, reason: str) -> ConfigurationUnusable:
    return ConfigurationUnusable(_CODE, "configuration.history_unreadable", name=name, reason=reason)
