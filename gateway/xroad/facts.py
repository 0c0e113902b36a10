"""Facts of the message path: frozen for the type checker, cheap to make.

A frozen dataclass stores each field through `object.__setattr__`, seven times as slow as a plain
assignment; an exchange makes some hundred of these objects. `fact` leaves the guard at run time
out: mypy refuses an assignment, and nothing here is reachable by anybody but our own typed code.
Facts that live long, such as identifiers and configuration, stay frozen dataclasses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def fact(cls: type[T]) -> type[T]:
    """Make a slotted, hashable dataclass that the type checker holds to be frozen."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
