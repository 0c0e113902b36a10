"""The configuration to verify evidence with: a folder, a zip, or the history of a server.

A folder or zip is what `GET /verificationconf` of a security server gives, or what a configuration
client keeps: `instance-identifier` and a folder for each instance with `shared-params.xml` and its
`.metadata`. It is believed as it lies there; whoever hands it to us vouches for it. A history is
verified with an anchor, and gives what was in use at the time asked for.
"""

from __future__ import annotations

import json
import threading
import zipfile
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote

from gateway.configuration_client.history import History
from gateway.xroad.faults import ConfigurationUnusable
from gateway.xroad.globalconf.anchor import Anchor, parse_anchor
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.globalconf.optional_parts import FILE_NAMES, NEXT_UPDATE, OptionalParts, parse_next_update
from gateway.xroad.globalconf.shared_parameters import SharedParameters
from gateway.xroad.globalconf.shared_parameters_xml import parse_shared_parameters

INSTANCE_FILE: Final = "instance-identifier"
SHARED_FILE: Final = "shared-params.xml"
METADATA_FILE: Final = "shared-params.xml.metadata"
OLDEST_VERSION: Final = 2  # what a reader takes when the metadata says nothing

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
MAX_FILES: Final = 4096
MAX_PROVEN: Final = 16  # each may hold thousands of members


@dataclass(frozen=True, slots=True)
class Chosen:
    """A configuration, where it comes from, and the time it was in use, where that is known."""

    globalconf: GlobalConf
    source: str
    used_from: datetime | None = None
    used_until: datetime | None = None


# Returns the configuration for a container stamped at this time; None asks for any.
Choose = Callable[[datetime | None], Chosen]


def configuration_in(path: Path) -> Choose:
    """Return the one configuration in a folder or zip, whatever the time.

    Raises ConfigurationUnusable when there is none, MalformedMessage when it cannot be read.
    """
    chosen = Chosen(_globalconf_of(read_files(path), path), str(path))
    return lambda _: chosen


def configurations_of(history_path: Path, anchor_path: Path) -> Choose:
    """Return the configurations that a server used, each for its time.

    Raises ConfigurationUnusable when anchor or history cannot be read; asking raises it when none was
    kept from that time or it does not verify.
    """
    try:
        anchor = parse_anchor(anchor_path.read_bytes())
    except OSError as cause:
        raise _absent(anchor_path) from cause
    history = History(history_path)
    if history.last() is None:
        raise _absent(history_path)
    return HistoricConfigurations(history, lambda: anchor)


class HistoricConfigurations:
    """The configurations of a history, each proven once; `grows` is for that of a running server."""

    def __init__(self, history: History, anchor: Callable[[], Anchor], *, grows: bool = False) -> None:
        self._history = history
        self._anchor = anchor
        self._grows = grows
        self._begins: list[datetime] = []
        self._proven: OrderedDict[tuple[int, bool], Chosen] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, time: datetime | None) -> Chosen:
        """Return what was in use at a time; None asks for the newest. Raises ConfigurationUnusable."""
        with self._lock:
            if self._grows or not self._begins:
                self._follow()
            at = self._begins[-1] if time is None else time
            number = bisect_right(self._begins, at)
            key = number, number == len(self._begins)  # what is the last one now may not stay it
            if key not in self._proven:
                proven = self._history.at(at, self._anchor())
                source = str(self._history.root)
                self._proven[key] = Chosen(proven.globalconf, source, proven.used_from, proven.used_until)
            self._proven.move_to_end(key)
            while len(self._proven) > MAX_PROVEN:
                self._proven.popitem(last=False)
            return self._proven[key]

    def _follow(self) -> None:
        last = self._history.last()
        if last is None:
            raise _absent(self._history.root)
        if not self._begins or last.number != len(self._begins):
            self._begins = sorted(entry.used_from for entry in self._history.entries())


def read_files(path: Path) -> dict[str, bytes]:
    """Return the files of the configuration in a folder or zip, by their path below `instance-identifier`.

    Raises ConfigurationUnusable when there is none.
    """
    return _read_zip(path) if path.is_file() else _read_folder(path)


def _read_folder(path: Path) -> dict[str, bytes]:
    """Return the wanted files by their path below the folder that holds `instance-identifier`."""
    candidates = (path, path / "verificationconf", path / "current")
    root = next((folder for folder in candidates if (folder / INSTANCE_FILE).is_file()), None)
    if root is None:
        raise _absent(path)
    try:
        found = [root / INSTANCE_FILE, *(file for name in _WANTED for file in root.glob(f"*/{name}"))]
        return {file.relative_to(root).as_posix(): file.read_bytes() for file in found[:MAX_FILES]}
    except OSError as cause:
        raise _absent(path) from cause


def _read_zip(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            listed = [
                entry
                for entry in archive.infolist()[:MAX_FILES]
                if PurePosixPath(entry.filename).name in (INSTANCE_FILE, *_WANTED) and entry.file_size <= MAX_FILE_BYTES
            ]
            files = {entry.filename: archive.read(entry) for entry in listed}
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as cause:
        raise _absent(path) from cause
    own = next((name for name in files if PurePosixPath(name).name == INSTANCE_FILE), None)
    if own is None:
        raise _absent(path)
    prefix = own.removesuffix(INSTANCE_FILE)
    return {name.removeprefix(prefix): content for name, content in files.items() if name.startswith(prefix)}


_WANTED: Final = (SHARED_FILE, METADATA_FILE, FILE_NAMES[NEXT_UPDATE])


def _globalconf_of(files: Mapping[str, bytes], path: Path) -> GlobalConf:
    instance = files[INSTANCE_FILE].decode("utf-8", "replace").strip()
    shared: dict[str, SharedParameters] = {}
    version, optional = OLDEST_VERSION, OptionalParts()
    for name, content in files.items():
        folder, _, base = name.rpartition("/")
        if base != SHARED_FILE:
            continue
        own_version = _version_in(files.get(f"{folder}/{METADATA_FILE}"))
        parameters = parse_shared_parameters(content, own_version)
        if parameters.instance not in (folder, unquote(folder)):
            raise _absent(path)
        shared[parameters.instance] = parameters
        if parameters.instance == instance:
            version = own_version
            next_update = files.get(f"{folder}/{FILE_NAMES[NEXT_UPDATE]}")
            if next_update is not None:
                optional = OptionalParts(verify_next_update=parse_next_update(next_update))
    if instance not in shared:
        raise _absent(path)
    # Expiry says until when messages may be exchanged; evidence outlives it.
    expires_at = datetime.max.replace(tzinfo=UTC)
    return GlobalConf.of(instance, shared, None, expires_at, version=version, optional=optional)


def _version_in(metadata: bytes | None) -> int:
    """Return the version that the metadata states; 7.2 writes none and means 2."""
    if metadata is None:
        return OLDEST_VERSION
    try:
        facts = json.loads(metadata)
        return int(facts.get("configurationVersion") or OLDEST_VERSION)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return OLDEST_VERSION


def _absent(path: Path) -> ConfigurationUnusable:
    return ConfigurationUnusable("malformed_global_conf", "asic.verify.no_configuration", path=path)
