"""Linking information: a chain from container to container and file to file (X-Road LinkingInfoBuilder.java).

    <digest before or -> <file before or -> <algorithm>
    <digest> <entry name>                                for each container, in order of the zip

    digest = hex(H(digest before, as text || hex(H(container))))

Each line ends in a line feed. The digest before the first container of a group's first file is the
empty text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.messagelog.archive.model import LINKING_DIGESTS
from gateway.xroad.digests import DigestAlgorithm
from gateway.xroad.faults import MalformedMessage, SignatureRefused

MAX_LINKING_BYTES: Final = 64 * 1024 * 1024
_CODE: Final = "invalid_hash_chain"
_ABSENT: Final = "-"
_HEX: Final = re.compile(r"[0-9a-f]+")
_ALGORITHMS: Final = {algorithm.label: algorithm for algorithm in LINKING_DIGESTS}
_HEX_DIGITS: Final = {algorithm: 2 * len(algorithm.digest(b"")) for algorithm in LINKING_DIGESTS}


@dataclass(frozen=True, slots=True)
class Linked:
    """A container in the chain: the digest that binds it to all before it, and its entry name."""

    digest: str
    name: str


@dataclass(frozen=True, slots=True)
class LinkingInfo:
    """The chain of one file; what comes before is empty in a group's first one."""

    previous_digest: str
    previous_file: str
    algorithm: DigestAlgorithm
    containers: tuple[Linked, ...]

    @property
    def last_digest(self) -> str:
        """The digest that the group's next file begins with."""
        return self.containers[-1].digest if self.containers else self.previous_digest


def next_digest(previous: str, container_digest: bytes, algorithm: DigestAlgorithm) -> str:
    """Return the digest that binds a container to what is before it."""
    return algorithm.digest((previous + container_digest.hex()).encode("ascii")).hex()


class LinkingBuilder:
    """Links containers one after the other."""

    def __init__(self, algorithm: DigestAlgorithm, previous_digest: str = "", previous_file: str = "") -> None:
        self.last_digest = previous_digest
        self._algorithm = algorithm
        self._lines = [f"{previous_digest or _ABSENT} {previous_file or _ABSENT} {algorithm.label}\n"]

    def add(self, name: str, container_digest: bytes) -> None:
        """Append a container by its name and the digest of its bytes, made by the same algorithm."""
        self.last_digest = next_digest(self.last_digest, container_digest, self._algorithm)
        self._lines.append(f"{self.last_digest} {name}\n")

    def build(self) -> bytes:
        """Return the content of `linkinginfo`."""
        return "".join(self._lines).encode("utf-8")


def parse_linking(raw: bytes) -> LinkingInfo:
    """Read linking information. Raises MalformedMessage for anything but its one spelling."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as cause:
        raise _malformed(1) from cause
    if not text.endswith("\n"):
        raise _malformed(text.count("\n") + 1)
    first, *rest = text[:-1].split("\n")
    words = first.split(" ")
    algorithm = _ALGORITHMS.get(words[-1])
    if len(words) != 3 or algorithm is None or not words[1]:
        raise _malformed(1)
    # A file before this one may have been linked by another algorithm.
    previous = "" if words[0] == _ABSENT else _digest(words[0], _ALGORITHMS.values(), 1)
    containers = tuple(_linked(line, algorithm, number) for number, line in enumerate(rest, start=2))
    if len({linked.name for linked in containers}) != len(containers):
        raise MalformedMessage("invalid_message", "archive.linking_repeated")
    return LinkingInfo(previous, "" if words[1] == _ABSENT else words[1], algorithm, containers)


def verify_linking(info: LinkingInfo, containers: Iterable[tuple[str, bytes]]) -> str:
    """Return the last digest, once the containers of a file (name and digest, in order of the zip) are proven.

    Raises SignatureRefused (invalid_hash_chain) naming the first container that is not the one linked.
    """
    last = info.previous_digest
    expected = iter(info.containers)
    for name, digest in containers:
        linked = next(expected, None)
        if linked is None or linked.name != name:
            found = "-" if linked is None else linked.name
            raise SignatureRefused(_CODE, "archive.linking_order", entry=name, expected=found)
        last = next_digest(last, digest, info.algorithm)
        if last != linked.digest:
            raise SignatureRefused(_CODE, "archive.linking_digest", entry=name)
    missing = next(expected, None)
    if missing is not None:
        raise SignatureRefused(_CODE, "archive.linking_missing", entry=missing.name)
    return last


def verify_succession(info: LinkingInfo, previous_digest: str, previous_file: str) -> None:
    """Check that a file follows the one before it in its group (both empty for the first).

    Raises SignatureRefused (invalid_hash_chain). A name is compared without `.gpg`: a file may have been
    decrypted since.
    """
    if info.previous_digest != previous_digest:
        raise SignatureRefused(
            _CODE,
            "archive.linking_previous",
            expected=previous_digest or _ABSENT,
            found=info.previous_digest or _ABSENT,
        )
    if info.previous_file.removesuffix(".gpg") != previous_file.removesuffix(".gpg"):
        raise SignatureRefused(
            _CODE, "archive.linking_previous", expected=previous_file or _ABSENT, found=info.previous_file or _ABSENT
        )


def _linked(line: str, algorithm: DigestAlgorithm, number: int) -> Linked:
    digest, _, name = line.partition(" ")
    if not name or len(name.split()) != 1 or name.split()[0] != name:
        raise _malformed(number)
    return Linked(_digest(digest, (algorithm,), number), name)


def _digest(text: str, algorithms: Iterable[DigestAlgorithm], number: int) -> str:
    if len(text) not in {_HEX_DIGITS[algorithm] for algorithm in algorithms} or not _HEX.fullmatch(text):
        raise _malformed(number)
    return text


def _malformed(line: int) -> MalformedMessage:
    return MalformedMessage("invalid_message", "archive.linking", line=line)
