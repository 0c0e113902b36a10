r"""The chain of records: what is hashed, in which bytes, and how one record binds the one before it.

Every hash is SHA-512. With `field(x)` = 8-byte big-endian length of `x`, then `x` (absent: eight 0xFF
bytes and nothing), texts in UTF-8 and numbers as decimal ASCII:

    content = "surma message record 1\n"
              field(time_ms) field(side) field(response: "0" or "1") field(query id) field(x-request-id)
              field(client) field(provider) field(service code) field(service version or absent)
              field(SHA-512 of the message) field(SHA-512 of the signature)
              field(SHA-512 of the hash chain result or absent) field(SHA-512 of the hash chain or absent)
              then for each body in order of its number:
              field(number) field(size) field(SHA-512 of the body) field(kept: "0" or "1")
    content hash = SHA-512(content)
    record hash  = SHA-512(hash of the predecessor || 8-byte big-endian sequence || content hash)

The first record has sequence 1 and 64 zero bytes as its predecessor's hash. Client and provider are
in their URL form (`identifiers.encode_path`). Signatures are hashed whole, however they are stored.
"""

from __future__ import annotations

import hashlib
from typing import Final

from gateway.messagelog.model import RecordContent

GENESIS: Final = bytes(64)
_HEADER: Final = b"surma message record 1\n"
_ABSENT: Final = b"\xff" * 8


def sha512(data: bytes) -> bytes:
    """Return the raw SHA-512 of `data`."""
    return hashlib.sha512(data).digest()


def content_hash(content: RecordContent) -> bytes:
    """Return the hash of what a record says, wherever it stands in the chain."""
    version = content.service_version
    fields = [
        b"%d" % content.time_ms,
        content.side.value.encode(),
        b"1" if content.is_response else b"0",
        content.query_id.encode(),
        content.x_request_id.encode(),
        content.client.encode(),
        content.provider.encode(),
        content.service_code.encode(),
        None if version is None else version.encode(),
        content.message_digest,
        content.signature_digest,
        None if content.hash_chain_result is None else sha512(content.hash_chain_result),
        None if content.hash_chain is None else sha512(content.hash_chain),
    ]
    for body in content.bodies:
        fields += [b"%d" % body.number, b"%d" % body.size, body.digest, b"0" if body.location is None else b"1"]
    return sha512(_HEADER + b"".join(map(_field, fields)))


def record_hash(previous_hash: bytes, sequence: int, content: bytes) -> bytes:
    """Return the hash that binds a record to its place."""
    return sha512(previous_hash + sequence.to_bytes(8, "big") + content)


def _field(value: bytes | None) -> bytes:
    return _ABSENT if value is None else len(value).to_bytes(8, "big") + value
