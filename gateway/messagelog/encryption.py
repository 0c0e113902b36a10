r"""Messages and bodies encrypted at rest: AES-256-GCM under keys that can be rotated (NIST SP 800-38D, RFC 5869).

The key file holds a key per line, `<key id> <base64 of 32 bytes>`: the last one encrypts, all of them
decrypt. With HKDF-SHA-512, the key id as salt and the purpose as info, a secret gives a key for
messages and one for bodies.

    message = 12 random bytes || AES-256-GCM(message || tag)
              associated data: "surma message 1\n" || key id || content hash of the record
    body    = "surma body 1\n" || length of key id (1 byte) || key id || salt (32 random bytes) || frames
              frame key = HKDF-SHA-512(body key, salt, "surma body 1\n" || SHA-512 of the body || size (8 bytes))
              frame n   = AES-256-GCM of up to 64 KiB, nonce: n (11 bytes) || 1 in the last frame, else 0

So a ciphertext opens only as the message of the record it was made for, and a body only as the one
whose digest and size the record says; frames cannot be reordered, cut off or added. Digests,
signatures and hash chains stay readable: they prove the record to people without the key.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import logging
import os
import re
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.runtime.durable_files import sync_directory, write_new
from gateway.runtime.private_files import read_private
from gateway.xroad.bodies import Body
from gateway.xroad.digests import Digest, DigestAlgorithm
from gateway.xroad.faults import LoggingUnavailable

log = logging.getLogger(__name__)

SETTING: Final = "messagelog.records.encryption_key_file"
SECRET_BYTES: Final = 32
FRAME_BYTES: Final = 64 * 1024
MAX_KEY_FILE_BYTES: Final = 1024 * 1024
_KEY_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NONCE_BYTES: Final = 12
_SALT_BYTES: Final = 32
_TAG_BYTES: Final = 16
_MESSAGE: Final = b"surma message 1\n"
_BODY: Final = b"surma body 1\n"


@dataclass(frozen=True, slots=True)
class LogKey:
    """A key with its name; made by `parse_keys`."""

    id: str
    messages: AESGCM
    bodies: bytes

    def encrypt_message(self, message: bytes, content_hash: bytes) -> bytes:
        """Return the message as it lies in its row."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self.messages.encrypt(nonce, message, self._bound_to(content_hash))

    def decrypt_message(self, encrypted: bytes, content_hash: bytes) -> bytes:
        """Return the message of the record with this content hash. Raises InvalidTag for any other."""
        if len(encrypted) < _NONCE_BYTES + _TAG_BYTES:
            raise InvalidTag
        return self.messages.decrypt(encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:], self._bound_to(content_hash))

    def encrypt_body(self, body: Body) -> Iterator[bytes]:
        """Yield the body as it lies in its file, in bounded memory."""
        salt = os.urandom(_SALT_BYTES)
        yield self.body_header + salt
        cipher = self.frame_cipher(salt, body.size, body.digest.value)
        waiting, number = bytearray(), 0
        for chunk in body.chunks():
            waiting += chunk
            while len(waiting) > FRAME_BYTES:  # the last frame is known by the end alone
                yield cipher.encrypt(_frame_nonce(number, is_last=False), bytes(waiting[:FRAME_BYTES]), None)
                del waiting[:FRAME_BYTES]
                number += 1
        yield cipher.encrypt(_frame_nonce(number, is_last=True), bytes(waiting), None)

    @property
    def body_header(self) -> bytes:
        """How the file of a body begins."""
        name = self.id.encode("ascii")
        return _BODY + bytes([len(name)]) + name

    def frame_cipher(self, salt: bytes, size: int, digest: bytes) -> AESGCM:
        """Return what encrypts the frames of one file."""
        return AESGCM(_derive(self.bodies, salt, _BODY + digest + size.to_bytes(8, "big")))

    def _bound_to(self, content_hash: bytes) -> bytes:
        return _MESSAGE + self.id.encode("ascii") + content_hash


class EncryptedBody:
    """A body in its encrypted file, read as it was.

    Reading raises LoggingUnavailable (messagelog.undecryptable) where the file is not what was written.
    """

    __slots__ = ("_file", "_key", "digest", "size")

    def __init__(self, file: Path, size: int, digest: bytes, key: LogKey) -> None:
        self._file = file  # no `path`, by which a body is linked: what lies there is not the body
        self.size = size
        self.digest = Digest(DigestAlgorithm.SHA512, digest)
        self._key = key

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes from the beginning, in pieces of bounded size; each is proven before it comes."""
        header = self._key.body_header
        with self._file.open("rb", buffering=0) as file:
            left = os.fstat(file.fileno()).st_size - len(header) - _SALT_BYTES
            if _read(file.fileno(), len(header)) != header:
                raise undecryptable(self._file.name, self._key.id)
            cipher = self._key.frame_cipher(_read(file.fileno(), _SALT_BYTES), self.size, self.digest.value)
            number = 0
            while left > 0 or number == 0:
                frame = _read(file.fileno(), FRAME_BYTES + _TAG_BYTES)
                left -= len(frame)
                try:
                    plain = cipher.decrypt(_frame_nonce(number, is_last=left <= 0 or not frame), frame, None)
                except InvalidTag as cause:
                    raise undecryptable(self._file.name, self._key.id) from cause
                if plain:
                    yield plain
                number += 1


def undecryptable(what: object, key_id: str) -> LoggingUnavailable:
    """Return the fault of a ciphertext that is not what was written there with this key."""
    return LoggingUnavailable("internal_error", "messagelog.undecryptable", what=what, key_id=key_id)


class LogKeys:
    """The keys in a file, read again when it changes; without a file nothing is encrypted.

    A key is used for new records only after `follow` saw it, which puts the file onto the disk first.
    """

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self._keys: dict[str, LogKey] = {}
        self._newest: LogKey | None = None
        self._seen: tuple[int, int, int] | None = None
        self._trouble: str | None = "it was not read yet"
        self._lock = threading.Lock()

    def newest(self) -> LogKey | None:
        """Return the key of new records; None where nothing is to be encrypted.

        Raises LoggingUnavailable (logging_failed) while the file was never readable.
        """
        if self._newest is None and self.file is not None:
            raise LoggingUnavailable("logging_failed", "messagelog.keys_unusable", file=self.file, reason=self._trouble)
        return self._newest

    def key_of(self, key_id: str) -> LogKey:
        """Return the key of this name, also one that was added a moment ago.

        Raises LoggingUnavailable (internal_error, messagelog.key_missing) when there is none.
        """
        key = self._keys.get(key_id)
        if key is None:
            self.follow()
            key = self._keys.get(key_id)
        if key is None:
            raise LoggingUnavailable(
                "internal_error", "messagelog.key_missing", key_id=key_id, setting=SETTING, file=self.file or "-"
            )
        return key

    def follow(self) -> None:
        """Read the file if it changed; what cannot be read leaves the keys as they are, and is logged once."""
        if self.file is None:
            return
        with self._lock:
            try:
                status = self.file.stat()
                seen = (status.st_mtime_ns, status.st_ino, status.st_size)
                if seen == self._seen and self._trouble is None:
                    return
                keys = read_keys(self.file)
                _settle(self.file)
            except (OSError, ValueError) as cause:
                self._note(getattr(cause, "strerror", None) or str(cause))
                return
            self._keys = {key.id: key for key in keys}
            self._newest, self._seen, self._trouble = keys[-1], seen, None
        log.info("keys of the message log were read", extra={"keys": len(keys), "newest": keys[-1].id})

    def _note(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.error("the keys of the message log cannot be read: %s", trouble, extra={"file": str(self.file)})
        self._trouble = trouble


def read_keys(file: Path) -> list[LogKey]:
    """Return the keys in a file that only its owner can read, the newest last.

    Raises OSError (PermissionError where others can read it) or ValueError, whose texts hold no secret.
    """
    return parse_keys(read_private(file, max_bytes=MAX_KEY_FILE_BYTES))


def parse_keys(text: str) -> list[LogKey]:
    """Return the keys of a key file, the newest last. Raises ValueError naming the line that cannot be used."""
    keys: dict[str, LogKey] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        key_id, _, encoded = line.strip().partition(" ")
        try:
            secret = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            secret = b""
        if not _KEY_ID.fullmatch(key_id) or len(secret) != SECRET_BYTES:
            raise ValueError(f"line {number} is not `<key id> <base64 of {SECRET_BYTES} bytes>`")
        if key_id in keys:
            raise ValueError(f"line {number} names the key {key_id} again")
        salt = key_id.encode("ascii")
        messages = AESGCM(_derive(secret, salt, b"surma message log: messages"))
        keys[key_id] = LogKey(key_id, messages, _derive(secret, salt, b"surma message log: bodies"))
    if not keys:
        raise ValueError("it holds no key")
    return list(keys.values())


def add_key(file: Path, now: datetime) -> str:
    """Add a new key to the file, made if need be, and return its id; on the disk when this returns.

    The file is replaced in one step and keeps its owner; two calls at once wait for each other. Raises
    OSError or ValueError when the file there cannot be used.
    """
    key_id = f"{now:%Y%m%d}-{secrets.token_hex(4)}"
    line = f"{key_id} {base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode('ascii')}\n"
    descriptor = os.open(file.with_name(f"{file.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        known = ""
        if file.exists():
            known = read_private(file, max_bytes=MAX_KEY_FILE_BYTES) + "\n"
            parse_keys(known)
        _replace(file, (known + line).encode())
    finally:
        os.close(descriptor)
    return key_id


def _replace(file: Path, content: bytes) -> None:
    owner = (file if file.exists() else file.parent).stat()
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        write_new(temporary, content, mode=0o600)
        if os.geteuid() == 0:  # an administrator rotates what the server, somebody else, must read
            os.chown(temporary, owner.st_uid, owner.st_gid)
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(file.parent)


def _settle(file: Path) -> None:
    """Wait until the file is on the disk, whoever wrote it: what it encrypts must never outlive it."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_directory(file.parent)


def _derive(secret: bytes, salt: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA512(), length=SECRET_BYTES, salt=salt, info=purpose).derive(secret)


def _frame_nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(_NONCE_BYTES - 1, "big") + (b"\x01" if is_last else b"\x00")


def _read(descriptor: int, size: int) -> bytes:
    pieces: list[bytes] = []
    while size and (piece := os.read(descriptor, size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)
