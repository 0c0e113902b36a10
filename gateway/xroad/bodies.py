"""Bodies: bytes of any size with their SHA-512, wherever they lie.

A message's attachments and REST body are `Body`, never `bytes`, because they may be larger than
memory. The core only asks for chunks; shells decide whether they come from memory or a spool file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from gateway.xroad.digests import Digest, digest_of


class Body(Protocol):
    """Bytes that can be read again and again, with the digest taken while they came in."""

    @property
    def size(self) -> int:
        """Length in bytes."""
        ...

    @property
    def digest(self) -> Digest:
        """SHA-512 of the bytes."""
        ...

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes from the beginning, in pieces of bounded size."""
        ...


class BodySink(Protocol):
    """Where a decoder puts a body as it arrives."""

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        ...

    def finish(self) -> Body:
        """Return what was written; nothing may be written afterwards."""
        ...


OpenSink = Callable[[], BodySink]


@dataclass(frozen=True, slots=True)
class BytesBody:
    """A body in memory."""

    data: bytes
    digest: Digest = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", digest_of(self.data))

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self.data)

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes; nothing when there are none."""
        if self.data:
            yield self.data


class BytesSink:
    """A sink in memory, for small messages and tests."""

    __slots__ = ("_pieces",)

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._pieces.append(chunk)

    def finish(self) -> BytesBody:
        """Return what was written."""
        return BytesBody(b"".join(self._pieces))
