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
A record whose message is kept without its body begins with "surma message record 2\n" and ends with
field("0") field(SHA-512 of what was kept). A refusal is

    content = "surma refusal record 1\n"
              field(time_ms) field(until_ms) field(times) field(side) field(is failure: "0" or "1")
              field(fault code) field(text id) field(facts), then each of these or absent: field(address)
              field(x-request-id) field(query id) field(client) field(provider) field(service code)
              field(service version) field(SHA-512 of the message)

and for all of them

    content hash = SHA-512(content)
    record hash  = SHA-512(hash of the predecessor || 8-byte big-endian sequence || content hash)

The first record has sequence 1 and 64 zero bytes as its predecessor's hash. Client and provider are
in their URL form (`identifiers.encode_path`). Signatures are hashed whole, however they are stored.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

from gateway.messagelog.model import RecordContent, RecordedBody, RefusalContent, Side

GENESIS: Final = bytes(64)
_HEADER: Final = b"surma message record 1\n"
_HEADER_WITHOUT_BODY: Final = b"surma message record 2\n"
_REFUSAL_HEADER: Final = b"surma refusal record 1\n"
_ABSENT: Final = b"\xff" * 8


def sha512(data: bytes) -> bytes:
    """Return the raw SHA-512 of `data`."""
    return hashlib.sha512(data).digest()


def content_hash(said: RecordContent) -> bytes:
    """Return the hash of what a record says, wherever it stands in the chain."""
    result, chain = said.hash_chain_result, said.hash_chain
    return content_hash_of(said, None if result is None else sha512(result), None if chain is None else sha512(chain))


def content_hash_of(said: RecordContent, result_digest: bytes | None, chain_digest: bytes | None) -> bytes:
    """Return the same where only the SHA-512 of hash chain and result are at hand."""
    (
        time_ms, side, is_response, query_id, x_request_id, client, provider, service_code, service_version,
        message_digest, signature_digest, _, _, bodies, is_whole, kept_digest,
    ) = said  # fmt: skip
    query, request = query_id.encode(), x_request_id.encode()
    fields = (
        _field(b"%d" % time_ms),
        _BEGINNINGS[side, is_response],
        len(query).to_bytes(8, "big"),
        query,
        len(request).to_bytes(8, "big"),
        request,
        _encode_parties(client, provider, service_code, service_version),
        _field(message_digest),
        _field(signature_digest),
        _ABSENT if result_digest is None else _field(result_digest),
        _ABSENT if chain_digest is None else _field(chain_digest),
        b"".join([_encode_body(body) for body in bodies]) if bodies else b"",
    )
    if not is_whole:
        return sha512(_HEADER_WITHOUT_BODY + b"".join(fields) + _field(b"0") + _field(kept_digest or b""))
    return sha512(_HEADER + b"".join(fields))


def refusal_hash(said: RefusalContent) -> bytes:
    """Return the hash of what a refusal says, wherever it stands in the chain."""
    times = (said.time_ms, said.until_ms, said.times)
    texts = (said.fault_code, said.text_id, said.facts)
    claims = (
        said.address, said.x_request_id, said.query_id, said.client, said.provider, said.service_code,
        said.service_version,
    )  # fmt: skip
    fields = [_field(b"%d" % value) for value in times]
    fields += [_field(said.side.value.encode()), _field(b"1" if said.is_failure else b"0")]
    fields += [_field(text.encode()) for text in texts]
    fields += [_ABSENT if claim is None else _field(claim.encode()) for claim in claims]
    fields.append(_ABSENT if said.message_digest is None else _field(said.message_digest))
    return sha512(_REFUSAL_HEADER + b"".join(fields))


def record_hash(previous_hash: bytes, sequence: int, content: bytes) -> bytes:
    """Return the hash that binds a record to its place."""
    return sha512(previous_hash + sequence.to_bytes(8, "big") + content)


def _field(value: bytes) -> bytes:
    return len(value).to_bytes(8, "big") + value


_BEGINNINGS: Final = {
    (side, is_response): _field(side.value.encode()) + _field(b"1" if is_response else b"0")
    for side in Side
    for is_response in (False, True)
}


@lru_cache(maxsize=4096)  # who asks whom for what: there are only so many
def _encode_parties(client: str, provider: str, service_code: str, service_version: str | None) -> bytes:
    fields = [_field(value.encode()) for value in (client, provider, service_code)]
    fields.append(_ABSENT if service_version is None else _field(service_version.encode()))
    return b"".join(fields)


def _encode_body(body: RecordedBody) -> bytes:
    kept = b"0" if body.location is None else b"1"
    return b"".join([_field(value) for value in (b"%d" % body.number, b"%d" % body.size, body.digest, kept)])
