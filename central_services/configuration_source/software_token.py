"""The software token '0': configuration signing keys in encrypted PKCS#8 files under one PIN.

Logging in decrypts the keys into memory, logging out forgets them. A key of its own, made with the
token and used for nothing, tells whether a PIN is right before there is any other.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.runtime.self_signed import PrivateKey, generate_key

TOKEN_ID: Final = "0"  # noqa: S105  its number, not its PIN
_WITNESS: Final = "pin"


class TokenError(Exception):
    """The token cannot do it; `code` is the reference's."""

    def __init__(self, code: str, *metadata: str) -> None:
        super().__init__(code, *metadata)
        self.code = code
        self.metadata = metadata


class SoftwareToken:
    """Keys in `directory`; usable after `login`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._pin: bytes | None = None
        self._keys: dict[str, PrivateKey] = {}

    @property
    def initialised(self) -> bool:
        """Whether a PIN has been set."""
        return self._path(_WITNESS).exists()

    @property
    def logged_in(self) -> bool:
        """Whether keys can be used."""
        return self._pin is not None

    def initialise(self, pin: str) -> None:
        """Set the PIN of a new token and log in."""
        if self.initialised:
            raise TokenError("init_software_token_failed", "already initialised")
        if not pin:
            raise TokenError("token_incorrect_pin_format")
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._write(_WITNESS, generate_key("EC"), pin.encode())
        self._pin = pin.encode()

    def login(self, pin: str) -> None:
        """Decrypt the keys. Raises TokenError (pin_incorrect) and leaves the token as it was."""
        if not self.initialised:
            raise TokenError("token_not_initialized")
        secret = pin.encode()
        self._read(_WITNESS, secret)
        names = [path.stem for path in self._directory.glob("*.pem") if path.stem != _WITNESS]
        self._keys = {name: self._read(name, secret) for name in names}
        self._pin = secret

    def logout(self) -> None:
        """Forget PIN and keys."""
        self._pin, self._keys = None, {}

    def has(self, key_id: str) -> bool:
        """Tell whether a key can be used now."""
        return key_id in self._keys

    def generate(self, algorithm: str) -> tuple[str, PrivateKey]:
        """Make a key, keep it, and return it with its identifier."""
        if self._pin is None:
            raise TokenError("token_not_active")
        key_id = secrets.token_hex(20).upper()
        key = generate_key(algorithm)
        self._write(key_id, key, self._pin)
        self._keys[key_id] = key
        return key_id, key

    def key(self, key_id: str) -> PrivateKey:
        """Return a key to sign with."""
        if self._pin is None:
            raise TokenError("token_not_active")
        if key_id not in self._keys:
            raise TokenError("key_not_found", key_id)
        return self._keys[key_id]

    def delete(self, key_id: str) -> None:
        """Destroy a key."""
        self._keys.pop(key_id, None)
        self._path(key_id).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.pem"

    def _write(self, name: str, key: PrivateKey, pin: bytes) -> None:
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(pin))
        descriptor = os.open(self._path(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())

    def _read(self, name: str, pin: bytes) -> PrivateKey:
        try:
            key = load_pem_private_key(self._path(name).read_bytes(), pin)
        except (ValueError, TypeError) as cause:
            raise TokenError("pin_incorrect") from cause
        assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
        return key
