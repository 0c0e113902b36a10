"""The verification configuration: what an offline verifier of containers needs (X-Road verificationconf).

A zip, or the same tree unpacked: per known instance its shared parameters and their version, never
private parameters, and last the name of the own instance. It is not signed and does not expire:
whoever gives it out vouches for it, so verifiers that must not trust a server use an anchor instead.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote

from gateway.xroad.faults import MalformedMessage
from gateway.xroad.globalconf.directory import DEFAULT_VERSION, FILE_NAMES, METADATA_SUFFIX, SHARED_PARAMETERS
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.globalconf.schemas import schema_of
from gateway.xroad.globalconf.shared_parameters_xml import parse_shared_parameters

ROOT: Final = "verificationconf"
INSTANCE_FILE: Final = "instance-identifier"
NEVER: Final = datetime.max.replace(tzinfo=UTC)
MAX_ENTRIES: Final = 1000
MAX_TOTAL_BYTES: Final = 256 * 1024 * 1024
_SHARED: Final = FILE_NAMES[SHARED_PARAMETERS]
_CODE: Final = "malformed_global_conf"
# What `zipfile` raises for odd archives: broken, encrypted, or compressed in ways it does not know.
_UNREADABLE: Final = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, KeyError, IndexError, OverflowError,
)  # fmt: skip
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the zip says nothing about when it was made


def build_verification_conf(instance: str, shared: Mapping[str, tuple[bytes, int]]) -> bytes:
    """Write the zip; `shared` maps instances to the bytes of their shared parameters and the version."""
    entries: list[tuple[str, bytes]] = []
    for name, (xml, version) in shared.items():
        metadata = json.dumps({"configurationVersion": str(version)}, separators=(",", ":")).encode()
        entries.append((f"{ROOT}/{name}/{_SHARED}", xml))
        entries.append((f"{ROOT}/{name}/{_SHARED}{METADATA_SUFFIX}", metadata))
    entries.append((f"{ROOT}/{INSTANCE_FILE}", instance.encode()))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return buffer.getvalue()


def read_verification_conf(source: bytes | Mapping[str, bytes]) -> GlobalConf:
    """Return the configuration in a zip, or in files by path relative to the unpacked folder.

    The tree that a configuration client stores is read too; its other files are passed over. The
    result never expires. Raises MalformedMessage (malformed_global_conf).
    """
    files = _unpack(source) if isinstance(source, bytes) else dict(source)
    files = {name.removeprefix(f"{ROOT}/"): content for name, content in files.items()}
    instance = _text(files, INSTANCE_FILE).strip()
    shared = {}
    versions = {}
    for name, content in files.items():
        folder, _, file_name = name.rpartition("/")
        if file_name != _SHARED or "/" in folder:
            continue
        version = _version(files.get(name + METADATA_SUFFIX))
        parameters = parse_shared_parameters(content, version)
        if parameters.instance not in (folder, unquote(folder)):
            raise MalformedMessage(
                _CODE, "globalconf.wrong_instance", part=name, expected=folder, came=parameters.instance
            )
        shared[parameters.instance] = parameters
        versions[parameters.instance] = version
    if instance not in shared:
        raise MalformedMessage(_CODE, "globalconf.instance_not_included", instance=instance[:80])
    return GlobalConf.of(instance, shared, None, NEVER, version=versions[instance])


def _text(files: Mapping[str, bytes], name: str) -> str:
    try:
        return files[name].decode("utf-8")
    except (KeyError, UnicodeDecodeError) as cause:
        raise MalformedMessage(_CODE, "globalconf.no_instance_file", name=name) from cause


def _version(metadata: bytes | None) -> int:
    """Return the version in a metadata file; its absence means 2."""
    try:
        facts = {} if metadata is None else json.loads(metadata)
        version = int(facts.get("configurationVersion", DEFAULT_VERSION))
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError) as cause:
        raise MalformedMessage(_CODE, "globalconf.bad_metadata") from cause
    schema_of(version)
    return version


def _unpack(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            size_bytes = sum(info.file_size for info in infos)
            if len(infos) > MAX_ENTRIES or size_bytes > MAX_TOTAL_BYTES:
                raise MalformedMessage(_CODE, "globalconf.zip_too_large", entries=len(infos), size_bytes=size_bytes)
            return {info.filename: archive.read(info) for info in infos if not info.is_dir()}
    except _UNREADABLE as cause:
        raise MalformedMessage(_CODE, "globalconf.not_a_zip") from cause
