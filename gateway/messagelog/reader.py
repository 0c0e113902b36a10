"""What records keep, readable: messages and bodies as they were recorded, decrypted where they are encrypted.

The one place where a kept message is opened: documents, archives and auditors read through it.
"""

from __future__ import annotations

from typing import Protocol

from cryptography.exceptions import InvalidTag

from gateway.messagelog.bodies import BodyStore
from gateway.messagelog.encryption import LogKeys, undecryptable
from gateway.messagelog.model import MessageRecord, RecordedBody
from gateway.xroad.bodies import Body, BytesBody
from gateway.xroad.faults import LoggingUnavailable


class KeptMessage(Protocol):
    """As much of a record as opening its message takes."""

    @property
    def sequence(self) -> int:
        """The number of the record."""
        ...

    @property
    def message(self) -> bytes:
        """What is kept."""
        ...

    @property
    def key_id(self) -> str | None:
        """The key it is encrypted under."""
        ...

    @property
    def content_hash(self) -> bytes:
        """The hash of the record's content."""
        ...


class MessageReader:
    """Opens messages and bodies of one message log; without key file, what is encrypted stays closed."""

    def __init__(self, bodies: BodyStore, keys: LogKeys | None = None) -> None:
        self._bodies = bodies
        self._keys = keys or LogKeys(None)

    def read_message(self, record: KeptMessage) -> bytes:
        """Return what was kept of the message: as it was signed, or without its body where that is not logged.

        Raises LoggingUnavailable: messagelog.key_missing, messagelog.undecryptable.
        """
        if record.key_id is None:
            return record.message
        try:
            return self._keys.key_of(record.key_id).decrypt_message(record.message, record.content_hash)
        except InvalidTag as cause:
            raise undecryptable(record.sequence, record.key_id) from cause

    def find_body(self, record: MessageRecord, body: RecordedBody) -> Body | None:
        """Return a body that was kept; None where only the digest was. An empty one needs no file.

        Raises LoggingUnavailable: messagelog.body_missing, messagelog.key_missing; reading an encrypted
        body may raise messagelog.undecryptable.
        """
        if body.location is None:
            return BytesBody(b"") if body.size == 0 and record.is_whole else None
        key = None if record.key_id is None else self._keys.key_of(record.key_id)
        try:
            return self._bodies.open(body.location, body.size, body.digest, key)
        except FileNotFoundError as cause:
            raise LoggingUnavailable(
                "internal_error", "messagelog.body_missing", location=body.location, sequence=record.sequence
            ) from cause
