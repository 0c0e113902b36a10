"""What verification stands on, as files to go into an export: the configuration now, and every one before.

verificationconf/…     the shared parameters in use, as /verificationconf gives them
history/…, anchor.xml  every configuration that was in use, and the first anchor they were proven by
"""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from gateway.auditing.configurations import read_files
from gateway.auditing.deps import TrustFiles
from gateway.configuration_client.history import History
from gateway.xroad.faults import ConfigurationUnusable
from gateway.xroad.globalconf.verification_conf import ROOT

ANCHOR: Final = "anchor.xml"
# Years of changes on a large instance; beyond, whoever verifies needs the history of the server itself.
MAX_HISTORY_BYTES: Final = 64 * 1024 * 1024


def server_trust(verification_conf: Callable[[], bytes], history: History) -> TrustFiles:
    """Return the files of a server; what it does not have is left out."""

    def files() -> Iterator[tuple[str, bytes]]:
        with contextlib.suppress(ConfigurationUnusable):
            yield from unzipped(verification_conf())
        yield from history_files(history)

    return files


def named_trust(conf: Path | None, history: Path | None, anchor: Path | None) -> TrustFiles:
    """Return the files that somebody verifies archives with."""

    def files() -> Iterator[tuple[str, bytes]]:
        if conf is not None:
            yield from ((f"{ROOT}/{name}", content) for name, content in read_files(conf).items())
        if history is not None and anchor is not None:
            for name, content in history_files(History(history)):
                yield name, anchor.read_bytes() if name == ANCHOR else content

    return files


def history_files(history: History) -> Iterator[tuple[str, bytes]]:
    """Yield a history and its first anchor; nothing where there is none, or it is too large."""
    try:
        entries = history.entries()
        found = sorted(path for path in history.root.rglob("*") if path.is_file() and not path.name.startswith("."))
        if not entries or sum(path.stat().st_size for path in found) > MAX_HISTORY_BYTES:
            return
        yield ANCHOR, _object(history.root, entries[0].anchor)
        for path in found:
            yield f"history/{path.relative_to(history.root).as_posix()}", path.read_bytes()
    except (OSError, ConfigurationUnusable):
        return


def unzipped(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a zip that we made."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            yield name, archive.read(name)


def _object(root: Path, name: str) -> bytes:
    return (root / "objects" / name[:2] / name).read_bytes()
