"""Passwords: hashed with Argon2id, judged by length and by what everybody tries first (RFC 9106, NIST SP 800-63B).

The parameters are the second recommendation of RFC 9106 section 4. A hash made with others is made
anew when its owner signs in. Hashing takes 64 MiB and is done by few at a time, so that a flood of
attempts cannot take the memory of the server.
"""

from __future__ import annotations

import secrets
import threading
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import Argon2Error, InvalidHashError

MEMORY_KIB: Final = 64 * 1024
PASSES: Final = 3
LANES: Final = 4
HASH_BYTES: Final = 32
SALT_BYTES: Final = 16
AT_A_TIME: Final = 2

MIN_CHARACTERS: Final = 12
MAX_CHARACTERS: Final = 200
# The rest of such lists is shorter than twelve characters, or one of these with something behind it.
_COMMON_WORDS: Final = """
    123456789012 1234567890123 12345678901234 123456789123 111111111111 000000000000 qwertyuiop12 qwertyuiop123
    qwertyuiopas qwerty123456 qwerty1234567 qwerty12345678 qwertyqwerty 1q2w3e4r5t6y 1qaz2wsx3edc q1w2e3r4t5y6
    1qazxsw23edc zaq12wsxcde3 password1234 password12345 passwordpassword password123456 passw0rd1234 p@ssw0rd1234
    administrator administrator1 adminadmin12 adminadminadmin admin1234567 admin12345678 letmeinletmein
    welcome12345 welcome123456 changeme1234 changemechangeme iloveyou1234 abcdefghijkl abcd12345678 abc123456789
    asdfghjkl123 asdfghjkl;'\\ йцукенгшщзхї йцукен123456 пароль123456 пароль1234567 парольпароль 123456йцукен
    адміністратор україна12345 українаукраїна correcthorsebatterystaple
"""
COMMON: Final = frozenset(_COMMON_WORDS.split())
_GENERATED_GROUPS: Final = 5
_GENERATED_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # without look-alikes


class WeakPassword(ValueError):  # noqa: N818
    """A password that nobody may choose: a text id with its facts."""

    def __init__(self, text_id: str, **facts: object) -> None:
        super().__init__(text_id)
        self.text_id = text_id
        self.facts = facts


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a password was right, and whether its hash is to be made anew."""

    matches: bool
    is_outdated: bool = False


class Passwords:
    """Hashes and verifies; the parameters are arguments so that they can be raised."""

    def __init__(self, *, memory_kib: int = MEMORY_KIB, passes: int = PASSES, lanes: int = LANES) -> None:
        self._hasher = PasswordHasher(
            time_cost=passes,
            memory_cost=memory_kib,
            parallelism=lanes,
            hash_len=HASH_BYTES,
            salt_len=SALT_BYTES,
            type=Type.ID,
        )
        self._turn = threading.BoundedSemaphore(AT_A_TIME)

    def hash(self, password: str) -> str:
        """Return what is stored of a password."""
        with self._turn:
            return self._hasher.hash(normalised(password))

    def verify(self, stored: str | None, password: str) -> Verdict:
        """Tell whether `password` is the stored one; None takes as long and never is."""
        try:
            nobody = self._nobody
            with self._turn:
                self._hasher.verify(stored or nobody, normalised(password)[:MAX_CHARACTERS])
        except (Argon2Error, InvalidHashError):
            return Verdict(False)
        return Verdict(stored is not None, stored is not None and self._hasher.check_needs_rehash(stored))

    @cached_property
    def _nobody(self) -> str:
        """Verified in place of a user that does not exist, so that both take the same time."""
        return self.hash(secrets.token_urlsafe(16))


def normalised(password: str) -> str:
    """Return the one form of a password that can be typed in several (RFC 8265 4.2)."""
    return unicodedata.normalize("NFC", password)


def check_password(password: str, user_name: str) -> str:
    """Return a password that may be chosen. Raises WeakPassword with the first reason against it."""
    chosen = normalised(password)
    if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in chosen):
        raise WeakPassword("accounts.password_signs")
    if len(chosen) < MIN_CHARACTERS:
        raise WeakPassword("accounts.password_short", minimum=MIN_CHARACTERS, length=len(chosen))
    if len(chosen) > MAX_CHARACTERS:
        raise WeakPassword("accounts.password_long", maximum=MAX_CHARACTERS)
    folded = chosen.casefold()
    if len(user_name) > 2 and user_name.casefold() in folded:
        raise WeakPassword("accounts.password_holds_name")
    if folded in COMMON or len(set(folded)) < 5:
        raise WeakPassword("accounts.password_common")
    return chosen


def generate_password() -> str:
    """Return a random password that can be read out: five groups of five, 123 bits."""
    groups = ("".join(secrets.choice(_GENERATED_ALPHABET) for _ in range(5)) for _ in range(_GENERATED_GROUPS))
    return "-".join(groups)
