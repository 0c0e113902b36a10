"""Secrets in files: read only where nobody else can read them, written so that nobody else ever could.

systemd hands credentials to a service in a directory of its own ($CREDENTIALS_DIRECTORY); it may
grant access there by an ACL, which shows in the group bits, so inside of it only the bits of all
others count.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

MAX_SECRET_BYTES: Final = 4096
_GROUP_AND_OTHERS: Final = 0o077
_OTHERS: Final = 0o007


def read_private(path: Path, *, credentials_directory: Path | None = None, max_bytes: int = MAX_SECRET_BYTES) -> str:
    """Return the text of a file that only its owner can read, without the line end.

    Raises PermissionError naming the mode when others can read it, OSError when it cannot be read,
    ValueError when it is empty or no UTF-8.
    """
    is_credential = credentials_directory is not None and path.parent == credentials_directory
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & (_OTHERS if is_credential else _GROUP_AND_OTHERS):
            raise PermissionError(f"its mode is {mode:04o}, it must be 0600 or stricter")
        text = file.read(max_bytes).decode("utf-8").rstrip("\r\n")
    if not text:
        raise ValueError("it is empty")
    return text


def write_private(path: Path, secret: str) -> None:
    """Write a secret to a new file that only its owner can read; an existing file is refused."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(secret + "\n")


def credentials_directory(environ: Mapping[str, str]) -> Path | None:
    """Return the directory of systemd's credentials for this service, if there is one."""
    directory = environ.get("CREDENTIALS_DIRECTORY")
    return Path(directory) if directory else None


def find_credential(name: str, environ: Mapping[str, str]) -> Path | None:
    """Return the credential of this name when systemd passed one."""
    directory = credentials_directory(environ)
    return directory / name if directory is not None and (directory / name).exists() else None
