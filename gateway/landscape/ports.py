"""Is a port free, and if not, whose is it? Said before anything is started."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LISTEN: Final = "0A"
_ANY_IPV6: Final = "0" * 32  # listens for IPv4 too, unless told otherwise


@dataclass(frozen=True, slots=True)
class TakenPort:
    """An address and port that cannot be had, and by which process where the system shows it."""

    address: str
    port: int
    holder: str | None


def taken_ports(places: Iterable[tuple[str, int]]) -> list[TakenPort]:
    """Return those of `places` that cannot be bound now."""
    return [
        TakenPort(address, port, holder_of(address, port)) for address, port in places if not _is_free(address, port)
    ]


def _is_free(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def holder_of(address: str, port: int) -> str | None:
    """Return `name (pid)` of the process that listens there, as far as /proc tells us."""
    inodes = set(_listening_inodes(address, port))
    if not inodes:
        return None
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and any(inode in inodes for inode in _socket_inodes(process)):
            try:
                name = (process / "comm").read_text().strip()
            except OSError:
                continue
            return f"{name} (pid {process.name})"
    return None


def _listening_inodes(address: str, port: int) -> Iterator[str]:
    wanted = {_as_proc_shows(address), _as_proc_shows("0.0.0.0"), _ANY_IPV6}
    for table in ("tcp", "tcp6"):
        try:
            lines = Path("/proc/net", table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            host, _, number = fields[1].partition(":")
            if fields[3] == _LISTEN and int(number, 16) == port and host in wanted:
                yield fields[9]


def _as_proc_shows(address: str) -> str:
    # /proc/net/tcp prints the address as one number in the byte order of the machine.
    return f"{int.from_bytes(socket.inet_aton(address), sys.byteorder):08X}"


def _socket_inodes(process: Path) -> Iterator[str]:
    try:
        for entry in (process / "fd").iterdir():
            target = os.readlink(entry)
            if target.startswith("socket:["):
                yield target[8:-1]
    except OSError:
        return
