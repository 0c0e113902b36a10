"""Verified files on disk, in the layout other tools read, swapped as a whole (X-Road ConfigurationDirectory.java).

    current -> generations/<n>          the one that counts
    generations/<n>/
      instance-identifier               plain text, no newline
      <URL-encoded instance>/
        shared-params.xml  shared-params.xml.metadata   and so on per part
        .directory                      ours: the signed directory, so that a start verifies again
    configuration-anchor.xml            the anchor as it was handed over

A generation is written beside the others, synced, and made current by renaming one symbolic link, so
a reader that follows the link once sees one moment, and a kill at any point leaves the old or the new
one. Unchanged files are hard links. The generation before the current one stays for readers that are
still in it; what is older, or was left half written, is removed by the next store.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

from gateway.configuration_client.model import AnchorFile, Generation
from gateway.runtime.durable_files import sync_directory, write_durably, write_new
from gateway.xroad.faults import ConfigurationUnusable, XRoadFault
from gateway.xroad.globalconf.anchor import anchor_hash, parse_anchor
from gateway.xroad.globalconf.directory import DEFAULT_VERSION, METADATA_SUFFIX, DirectoryEntry
from gateway.xroad.globalconf.times import format_time
from gateway.xroad.globalconf.trusted import Role, TrustedConfiguration, verify_directory, verify_parts

INSTANCE_FILE: Final = "instance-identifier"
DIRECTORY_FILE: Final = ".directory"  # no part may have such a name
ANCHOR_FILE: Final = "configuration-anchor.xml"
CURRENT: Final = "current"
GENERATIONS: Final = "generations"


def instance_folder(instance: str) -> str:
    """Return the folder name of an instance: URL-encoded, and never a path of its own."""
    encoded = quote(instance, safe="")
    return encoded.replace(".", "%2E") if encoded.strip(".") == "" else encoded


class Cache:
    """The configuration on disk below `root`; one process stores, any number reads."""

    def __init__(self, root: Path, *, anchor_path: Path | None = None) -> None:
        self.root = root
        self.anchor_path = anchor_path or root / ANCHOR_FILE

    # the anchor

    def read_anchor(self) -> AnchorFile:
        """Return the anchor.

        Raises ConfigurationUnusable (anchor_file_not_found) when there is none, MalformedMessage
        (malformed_anchor) when it cannot be read.
        """
        try:
            xml = self.anchor_path.read_bytes()
        except OSError as cause:
            raise ConfigurationUnusable(
                "anchor_file_not_found", "configuration.no_anchor", path=self.anchor_path, reason=cause.strerror
            ) from cause
        return AnchorFile(parse_anchor(xml), xml, anchor_hash(xml))

    def write_anchor(self, xml: bytes) -> None:
        """Store an anchor that was proven by a trial download."""
        self.anchor_path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(self.anchor_path, xml)

    # storing

    def store(self, generation: Generation) -> None:
        """Make `generation` the current one."""
        generations = self.root / GENERATIONS
        generations.mkdir(parents=True, exist_ok=True)
        before = self.current_path()
        number = 1 + max((int(path.name) for path in generations.iterdir() if path.name.isdigit()), default=0)
        target = generations / str(number)
        target.mkdir()
        for configuration in generation.all:
            self._write(configuration, target, before)
        write_new(target / INSTANCE_FILE, generation.own.instance.encode())
        sync_directory(target)
        sync_directory(generations)
        self._make_current(target)
        self._remove_others({target.name} | ({before.name} if before else set()))

    def _write(self, configuration: TrustedConfiguration, target: Path, before: Path | None) -> None:
        name = instance_folder(configuration.instance)
        folder = target / name
        folder.mkdir()
        for entry in configuration.directory.entries:
            held = None if before is None else before / name / entry.file_name
            _link_or_write(folder / entry.file_name, configuration.files[entry.location], held)
            metadata = _metadata(entry, configuration)
            write_new(folder / (entry.file_name + METADATA_SUFFIX), metadata)
        write_new(folder / DIRECTORY_FILE, configuration.directory.raw)
        sync_directory(folder)

    def _make_current(self, target: Path) -> None:
        temporary = self.root / f".{CURRENT}"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(Path(GENERATIONS) / target.name)
        temporary.replace(self.root / CURRENT)
        sync_directory(self.root)

    def _remove_others(self, keep: set[str]) -> None:
        for path in (self.root / GENERATIONS).iterdir():
            if path.name not in keep:
                shutil.rmtree(path, ignore_errors=True)

    # reading

    def current_path(self) -> Path | None:
        """Return the folder of the current generation: follow the link once, then read only there."""
        try:
            return self.root / os.readlink(self.root / CURRENT)
        except OSError:
            return None

    def load(self, certificates: Iterable[bytes], instance: str) -> Generation | None:
        """Return the stored generation of `instance`, verified again; None when there is none.

        `certificates` are those of the anchor, and any that verified configurations announced. Expiry is
        not asked here: the provider asks it whenever somebody wants to use the result. Federated
        instances are verified with the anchors in our own private parameters, and left out if they fail.

        Raises ConfigurationUnusable or MalformedMessage when the stored files do not verify.
        """
        path = self.current_path()
        if path is None or not (path / instance_folder(instance)).is_dir():
            return None
        own = _read(path, instance, tuple(certificates), Role.OWN)
        federated: dict[str, TrustedConfiguration] = {}
        for anchor in own.private.anchors if own.private else ():
            if anchor.instance != instance and (path / instance_folder(anchor.instance)).is_dir():
                with contextlib.suppress(XRoadFault):
                    federated[anchor.instance] = _read(path, anchor.instance, anchor.certificates, Role.FEDERATED)
        return Generation(own, federated)


def _read(path: Path, instance: str, certificates: tuple[bytes, ...], role: Role) -> TrustedConfiguration:
    folder = path / instance_folder(instance)
    try:
        raw = (folder / DIRECTORY_FILE).read_bytes()
        directory = verify_directory(raw, instance=instance, certificates=certificates, at=None, role=role)
        files = {entry.location: (folder / entry.file_name).read_bytes() for entry in directory.entries}
    except OSError as cause:
        raise ConfigurationUnusable(
            "global_conf_part_file_hash_failure", "configuration.cache_unreadable", path=folder, reason=cause.strerror
        ) from cause
    return verify_parts(directory, files)


def _link_or_write(path: Path, content: bytes, held: Path | None) -> None:
    with contextlib.suppress(OSError):
        if held is not None and held.read_bytes() == content:
            os.link(held, path)
            return
    write_new(path, content)


def _metadata(entry: DirectoryEntry, configuration: TrustedConfiguration) -> bytes:
    """Return the one-line JSON beside a part; 7.2 refuses a version beside parts of version 2."""
    facts: dict[str, str] = {"contentIdentifier": entry.content_id}
    if entry.instance is not None:
        facts["instanceIdentifier"] = entry.instance
    facts["expirationDate"] = format_time(configuration.expires_at)
    facts["contentFileName"] = entry.file_name
    facts["contentLocation"] = entry.location
    if configuration.version != DEFAULT_VERSION:
        facts["configurationVersion"] = str(configuration.version)
    return json.dumps(facts).encode()


def read_tree(path: Path) -> Mapping[str, bytes]:
    """Return the files of a stored configuration, or of an unpacked verification configuration, by relative path."""
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}
