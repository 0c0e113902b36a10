"""What the registry refuses, by who must look where, with the codes of the reference (X-Road ErrorMessage.java).

RegistryError
  Invalid       the request asks for something the rules forbid
  NotFound      the request names something that is not there
  Conflict      the request collides with what is there
"""

from __future__ import annotations


class RegistryError(Exception):
    """A refusal: `code` is the reference's, `metadata` the identifiers or values it speaks of."""

    def __init__(self, code: str, *metadata: object) -> None:
        super().__init__(code, *metadata)
        self.code = code
        self.metadata = tuple(str(item) for item in metadata)


class Invalid(RegistryError):  # noqa: N818  the words of HTTP: 400, 404, 409
    """The rules forbid it."""


class NotFound(RegistryError):  # noqa: N818
    """What it names is not registered."""


class Conflict(RegistryError):  # noqa: N818
    """It collides with what is registered."""
