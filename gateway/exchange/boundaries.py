"""Random boundaries of transport messages: 30 letters (X-Road MultipartEncoder.java)."""

from __future__ import annotations

import os

from gateway.xroad.transport.encoder import BOUNDARY_LETTERS, letters_of


def new_boundary() -> bytes:
    """Return the letters that follow `xtop` and `xatt`."""
    return letters_of(os.urandom(BOUNDARY_LETTERS))
