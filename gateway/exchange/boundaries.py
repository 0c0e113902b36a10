"""What must be new in every exchange: request ids, and boundaries of 30 letters (X-Road MultipartEncoder.java)."""

from __future__ import annotations

import os
from typing import Final

from gateway.xroad.transport.encoder import BOUNDARY_LETTERS, letters_of

_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_DRAWN_BYTES: Final = 4096


class _Entropy:
    """The system's randomness, drawn in larger pieces: a system call for each of a few bytes would cost more."""

    def __init__(self) -> None:
        self._drawn = b""
        self._used = 0

    def take(self, size: int) -> bytes:
        start, self._used = self._used, self._used + size
        if self._used > len(self._drawn):
            self._drawn = os.urandom(_DRAWN_BYTES)
            start, self._used = 0, size
        return self._drawn[start : self._used]


_entropy = _Entropy()


def new_boundary() -> bytes:
    """Return the letters that follow `xtop` and `xatt`."""
    return letters_of(_entropy.take(BOUNDARY_LETTERS))


def new_request_id() -> str:
    """Return a random UUID (RFC 9562 5.4); `uuid.uuid4` takes ten times as long. Not for several threads."""
    digits = _entropy.take(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:]}"
