"""The software token: private keys as encrypted PKCS #8 files, opened by a PIN (X-Road SoftwareTokenWorker.java).

Layout, all of it mode 0600 in folders of mode 0700:

    current                the name of the generation in force
    generation-<n>/        one `<key id>.pem` per key, and `verifier.pem`

The verifier is a key of no use, encrypted as the others, so that a PIN can be checked on an empty
token. Changing the PIN writes a whole new generation and then turns `current` in one rename: power may
fail at any moment, and one PIN opens all keys. Decrypted keys live in memory while logged in.
"""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
import stat
import threading
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.runtime.durable_files import sync_directory, write_durably
from gateway.runtime.private_files import read_private
from gateway.signer.model import KeyAlgorithm
from gateway.xroad.faults import SigningUnavailable
from gateway.xroad.pki.certificates import PublicKey
from gateway.xroad.pki.keys import PrivateKey

log = logging.getLogger(__name__)

DEFAULT_RSA_BITS: Final = 3072
MIN_RSA_BITS: Final = 2048
MIN_PIN_LENGTH: Final = 10
MIN_PIN_CLASSES: Final = 3
MAX_PIN_LENGTH: Final = 256

_OTHERS: Final = 0o077  # what group and others may do: nothing
_CURRENT: Final = "current"
_VERIFIER: Final = "verifier"
_GENERATION: Final = re.compile(r"generation-([0-9]+)")
_KEY_ID: Final = re.compile(r"[0-9a-f]{40}")
_PIN_CLASSES: Final = ("[a-z]", "[A-Z]", "[0-9]", "[^A-Za-z0-9]")


def key_id_of(public_key: PublicKey) -> str:
    """Return the id of a key: the hash of its public half, so that restored files find their rows."""
    return hashlib.sha256(public_key_der(public_key)).hexdigest()[:40]


def public_key_der(public_key: PublicKey) -> bytes:
    """Return the SubjectPublicKeyInfo of a key."""
    return public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def check_pin_policy(pin: str) -> None:
    """Refuse a weak PIN (X-Road PasswordPolicy.java): ten ASCII characters of three kinds at least.

    Raises SigningUnavailable: token_pin_policy_failure for characters outside ASCII, token_weak_pin.
    """
    if not pin.isascii():
        raise SigningUnavailable("token_pin_policy_failure", "signer.pin_not_ascii")
    classes = sum(1 for pattern in _PIN_CLASSES if re.search(pattern, pin))
    if len(pin) < MIN_PIN_LENGTH or classes < MIN_PIN_CLASSES:
        raise SigningUnavailable(
            "token_weak_pin",
            "signer.pin_weak",
            length=len(pin),
            minimum=MIN_PIN_LENGTH,
            classes=classes,
            minimum_classes=MIN_PIN_CLASSES,
        )


class Keystore:
    """One software token in one directory. Safe to use from several threads."""

    def __init__(self, directory: Path, *, enforce_pin_policy: bool = False) -> None:
        self._directory = directory
        self._enforce_pin_policy = enforce_pin_policy
        self._lock = threading.RLock()
        self._pin: bytes | None = None
        self._keys: dict[str, PrivateKey] = {}
        self._damaged: frozenset[str] = frozenset()

    @property
    def is_initialised(self) -> bool:
        """Whether a PIN was ever set."""
        return (self._directory / _CURRENT).is_file()

    @property
    def is_logged_in(self) -> bool:
        """Whether keys can be used."""
        return self._pin is not None

    def initialise(self, pin: str) -> None:
        """Set the first PIN; the token stays logged in.

        Raises SigningUnavailable: action_not_possible when there is a PIN already, or as check_pin_policy.
        """
        with self._lock:
            if self.is_initialised:
                raise SigningUnavailable("action_not_possible", "signer.already_initialised")
            self._check_new_pin(pin)
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._directory.chmod(0o700)
            secret = _secret_of(pin)
            self._write_generation(1, {}, secret)
            self._pin, self._keys, self._damaged = secret, {}, frozenset()

    def login(self, pin: str) -> None:
        """Decrypt all keys; takes some milliseconds for each. A damaged file costs its key only.

        Raises SigningUnavailable: token_not_initialized, pin_incorrect, token_not_available when the
        directory is open to others.
        """
        with self._lock:
            folder = self._folder()
            _check_private(self._directory)
            secret = _secret_of(pin)
            _load(folder / f"{_VERIFIER}.pem", secret)
            keys, damaged = _load_all(folder, secret)
            self._pin, self._keys, self._damaged = secret, keys, damaged
            self._sweep(folder)

    def logout(self) -> None:
        """Forget PIN and keys."""
        with self._lock:
            self._pin, self._keys, self._damaged = None, {}, frozenset()

    def change_pin(self, old: str, new: str) -> None:
        """Encrypt all keys anew.

        Raises SigningUnavailable as `login` does for `old`, for a weak `new`, and key_not_available
        when a key cannot be read: it would be lost.
        """
        with self._lock:
            self._check_new_pin(new)
            was_logged_in = self.is_logged_in
            self.login(old)
            if self._damaged:
                raise SigningUnavailable("key_not_available", "signer.key_damaged", key=min(self._damaged))
            number = int(self._folder().name.partition("-")[2]) + 1
            self._write_generation(number, self._keys, _secret_of(new))
            self._pin = _secret_of(new)
            self._sweep(self._folder())
            if not was_logged_in:
                self.logout()

    def generate(self, algorithm: KeyAlgorithm, *, rsa_bits: int = DEFAULT_RSA_BITS) -> PublicKey:
        """Make a key pair, keep the private half, and return the public one."""
        if algorithm is KeyAlgorithm.RSA and rsa_bits < MIN_RSA_BITS:
            raise SigningUnavailable(
                "failed_to_generate_private_key", "signer.rsa_too_short", bits=rsa_bits, minimum=MIN_RSA_BITS
            )
        self._require_login()
        key: PrivateKey
        if algorithm is KeyAlgorithm.RSA:
            key = rsa.generate_private_key(public_exponent=65537, key_size=rsa_bits)
        else:
            key = ec.generate_private_key(ec.SECP256R1())
        with self._lock:
            secret = self._require_login()
            key_id = key_id_of(key.public_key())
            write_durably(self._folder() / f"{key_id}.pem", _encrypted(key, secret), mode=0o600)
            self._keys = {**self._keys, key_id: key}
        return key.public_key()

    def private_key(self, key_id: str) -> PrivateKey:
        """Return a private key, for use inside this room.

        Raises SigningUnavailable: token_not_active before login, key_not_found.
        """
        keys = self._keys  # replaced, never changed: no lock on the way of a signature
        if self._pin is None:
            raise SigningUnavailable("token_not_active", "signer.token_not_active")
        key = keys.get(key_id)
        if key_id in self._damaged:
            raise SigningUnavailable("key_not_available", "signer.key_damaged", key=key_id)
        if key is None:
            raise SigningUnavailable("key_not_found", "signer.key_not_found", key=key_id)
        return key

    def holds(self, key_id: str) -> bool:
        """Tell whether the key can be used now."""
        return key_id in self._keys

    def delete(self, key_id: str) -> None:
        """Destroy a private key; it is no error if there is none."""
        if not _KEY_ID.fullmatch(key_id):
            return
        with self._lock:
            self._require_login()
            path = self._folder() / f"{key_id}.pem"
            path.unlink(missing_ok=True)
            sync_directory(path.parent)
            self._keys = {known: key for known, key in self._keys.items() if known != key_id}

    def _require_login(self) -> bytes:
        if self._pin is None:
            raise SigningUnavailable("token_not_active", "signer.token_not_active")
        return self._pin

    def _check_new_pin(self, pin: str) -> None:
        if not 0 < len(pin) <= MAX_PIN_LENGTH:
            raise SigningUnavailable("token_pin_policy_failure", "signer.pin_length", limit=MAX_PIN_LENGTH)
        if self._enforce_pin_policy:
            check_pin_policy(pin)

    def _folder(self) -> Path:
        try:
            name = (self._directory / _CURRENT).read_text("ascii").strip()
        except FileNotFoundError as missing:
            raise SigningUnavailable("token_not_initialized", "signer.token_not_initialised") from missing
        if not _GENERATION.fullmatch(name):
            raise SigningUnavailable("token_not_available", "signer.directory_damaged", directory=self._directory)
        return self._directory / name

    def _write_generation(self, number: int, keys: dict[str, PrivateKey], secret: bytes) -> None:
        folder = self._directory / f"generation-{number}"
        shutil.rmtree(folder, ignore_errors=True)  # left over from a change that never came into force
        folder.mkdir(mode=0o700)
        write_durably(
            folder / f"{_VERIFIER}.pem", _encrypted(ec.generate_private_key(ec.SECP256R1()), secret), mode=0o600
        )
        for key_id, key in keys.items():
            write_durably(folder / f"{key_id}.pem", _encrypted(key, secret), mode=0o600)
        sync_directory(self._directory)
        write_durably(self._directory / _CURRENT, folder.name.encode("ascii"), mode=0o600)

    def _sweep(self, current: Path) -> None:
        # Keys under a former PIN must not lie about.
        for folder in self._directory.glob("generation-*"):
            if folder != current:
                shutil.rmtree(folder, ignore_errors=True)


def _encrypted(key: PrivateKey, secret: bytes) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(secret),
    )


def _secret_of(pin: str) -> bytes:
    return pin.encode("utf-8", "surrogatepass")


def _load_all(folder: Path, secret: bytes) -> tuple[dict[str, PrivateKey], frozenset[str]]:
    keys: dict[str, PrivateKey] = {}
    damaged = set()
    for path in sorted(folder.glob("*.pem")):
        if not _KEY_ID.fullmatch(path.stem):
            continue
        try:
            keys[path.stem] = _load(path, secret)
        except SigningUnavailable as fault:
            if fault.code != "key_not_available":
                raise
            log.error("a private key cannot be read", extra={"key": path.stem})
            damaged.add(path.stem)
    return keys, frozenset(damaged)


def _load(path: Path, secret: bytes) -> PrivateKey:
    try:
        data = path.read_bytes()
    except OSError as gone:
        raise SigningUnavailable("token_not_available", "signer.directory_damaged", directory=path.parent) from gone
    _check_private(path)
    try:
        key = serialization.load_pem_private_key(data, secret)
    except (ValueError, TypeError) as bad:
        # A wrong PIN and a damaged file look alike; only the verifier was written to tell the PIN.
        if path.stem == _VERIFIER:
            raise SigningUnavailable("pin_incorrect", "signer.pin_incorrect") from bad
        raise SigningUnavailable("key_not_available", "signer.key_damaged", key=path.stem) from bad
    if not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
        raise SigningUnavailable("key_not_available", "signer.key_damaged", key=path.stem)
    return key


def _check_private(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & _OTHERS:
        raise SigningUnavailable("token_not_available", "signer.too_open", path=path, mode=f"{mode:04o}")


def read_pin(path: Path, *, credentials_directory: Path | None = None) -> str:
    """Read a PIN from a file of mode 0600 or stricter, without the line end.

    A bare name is looked up among systemd's credentials when there are any.
    Raises SigningUnavailable (token_not_active) when the file is missing, empty, or open to others.
    """
    if credentials_directory is not None and len(path.parts) == 1:
        path = credentials_directory / path
    try:
        return read_private(path, credentials_directory=credentials_directory)
    except PermissionError as open_to_others:
        raise SigningUnavailable(
            "token_not_active", "signer.pin_file_too_open", path=path, reason=open_to_others
        ) from open_to_others
    except (OSError, ValueError) as bad:
        raise SigningUnavailable("token_not_active", "signer.pin_file_unreadable", path=path, reason=bad) from bad
