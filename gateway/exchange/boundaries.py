"""What must be new in every exchange: request ids, and boundaries of 30 letters (X-Road MultipartEncoder.java)."""

from __future__ import annotations

import os
from typing import Final

from gateway.xroad.transport.encoder import BOUNDARY_LETTERS, letters_of

_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def new_boundary() -> bytes:
    """Return the letters that follow `xtop` and `xatt`."""
    return letters_of(os.urandom(BOUNDARY_LETTERS))


def new_request_id() -> str:
    """Return a random UUID (RFC 9562 5.4); `uuid.uuid4` takes ten times as long."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:]}"
