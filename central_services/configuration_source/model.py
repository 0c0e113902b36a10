"""Facts of a configuration source."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class SourceType(Enum):
    """For the servers of the own instance, or for federated instances."""

    INTERNAL = "internal"
    EXTERNAL = "external"

    @property
    def directory(self) -> str:
        """The last segment of the address that is asked."""
        return f"{self.value}conf"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs one kind of configuration; its certificate stands in the anchor whether active or not."""

    id: str
    source: SourceType
    label: str
    algorithm: str
    certificate_der: bytes
    active: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StoredAnchor:
    """An anchor as it is handed out, byte for byte."""

    file: bytes
    hash: str
    generated_at: datetime


@dataclass(frozen=True, slots=True)
class StoredPart:
    """An uploaded optional part."""

    content_id: str
    file_name: str
    data: bytes
    updated_at: datetime
