"""Signing in with name and password: one refusal for every reason, and pauses that grow.

Who types a wrong name and who types a wrong password wait equally long and read the same. What an
administrator sees in the audit trail is the true reason.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from gateway.runtime.accounts import attempts, sessions
from gateway.runtime.accounts import store_users as store
from gateway.runtime.accounts.model import AccountSettings, Principal, User, principal_of_user
from gateway.runtime.accounts.passwords import Passwords
from gateway.runtime.clock import Clock
from gateway.runtime.database import Database

_NAME: Final = re.compile(r"[\w](?:[\w.@-]{0,62}\w)?")


class Refusal(StrEnum):
    """Why nobody was signed in; never shown to the caller but for the pause."""

    UNKNOWN_USER = "unknown user"
    WRONG_PASSWORD = "wrong password"  # noqa: S105  a reason
    LOCKED = "locked by an administrator"
    PAUSED = "too many failed attempts"


class SignInRefused(Exception):  # noqa: N818
    """Nobody was signed in. `paused_until` is when the next attempt is looked at, if it has to wait.

    `user` is the name when somebody has it.
    """

    def __init__(self, reason: Refusal, paused_until: datetime | None = None, user: str | None = None) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.paused_until = paused_until
        self.user = user


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session: its token goes into the cookie and nowhere else."""

    token: str
    principal: Principal


def user_name(text: str) -> str:
    """Return the one form of a user's name: no capitals, so that no two look alike by case.

    Raises ValueError for what is no name.
    """
    name = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).strip()
    if not _NAME.fullmatch(name):
        raise ValueError("a user's name has 1 to 64 letters, digits and the signs . _ @ -")
    return name


class SignIn:
    """The door of one server. Calls hash passwords and wait for a disk: shells run them in a worker thread."""

    def __init__(self, database: Database, clock: Clock, passwords: Passwords, settings: AccountSettings) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords
        self._settings = settings

    def sign_in(self, typed_name: str, password: str, address: str) -> SignedIn:
        """Begin a session. Raises SignInRefused."""
        try:
            name = user_name(typed_name)
        except ValueError:
            name = ""
        at = self._clock.now()
        subjects = attempts.subjects_of(name or typed_name[:200], address, self._settings)
        until = self._count_first(subjects, at)
        with self._database.reading() as tx:
            user = store.find_user(tx, name)
            stored = None if user is None else store.password_hash_of(tx, user.id)
        verdict = self._passwords.verify(stored, password)
        if user is None or not verdict.matches or user.is_locked:
            raise SignInRefused(_reason_of(user, matches=verdict.matches), until, None if user is None else user.name)
        renewed = self._passwords.hash(password) if verdict.is_outdated else None
        with self._database.transaction() as tx:
            by_address, by_name = subjects
            attempts.forgive(tx, by_name)
            attempts.forgive(tx, by_address, 1)
            if renewed is not None:
                store.set_password_hash(tx, user.id, renewed)
            token = sessions.begin(tx, user.id, at, self._settings)
        return SignedIn(token, principal_of_user(user))

    def _count_first(self, subjects: tuple[attempts.Subject, ...], at: datetime) -> datetime | None:
        """Count the attempt as failed, or refuse it within a pause; return the pause that begins if it is."""
        with self._database.transaction() as tx:
            attempts.forget_old(tx, at, self._settings)
            counted = attempts.count_attempt(tx, subjects, at, self._settings)
        if counted.paused_until is not None:
            raise SignInRefused(Refusal.PAUSED, counted.paused_until)
        return counted.begins

    def find(self, token: str) -> Principal | None:
        """Return who is signed in with a token."""
        return sessions.find(self._database, token, self._clock.now(), self._settings)

    def sign_out(self, token: str) -> None:
        """End the session of a token."""
        with self._database.transaction() as tx:
            sessions.end(tx, token)

    def change_password(self, user_id: int, old: str, new: str, address: str) -> SignedIn:
        """Give a user another password and end all sessions but the new one that is returned.

        The new password has been judged already. Raises SignInRefused when the old one is wrong.
        """
        at = self._clock.now()
        with self._database.reading() as tx:
            user = store.find_user_by_id(tx, user_id)
            stored = store.password_hash_of(tx, user_id)
        subjects = attempts.subjects_of("" if user is None else user.name, address, self._settings)
        until = self._count_first(subjects, at)
        verdict = self._passwords.verify(stored, old)
        if user is None or not verdict.matches:
            raise SignInRefused(_reason_of(user, matches=verdict.matches), until, None if user is None else user.name)
        hashed = self._passwords.hash(new)
        with self._database.transaction() as tx:
            by_address, by_name = subjects
            attempts.forgive(tx, by_name)
            attempts.forgive(tx, by_address, 1)
            store.set_password_hash(tx, user_id, hashed)
            store.end_sessions(tx, user_id)
            token = sessions.begin(tx, user_id, at, self._settings)
        return SignedIn(token, principal_of_user(user))


def _reason_of(user: User | None, *, matches: bool) -> Refusal:
    if user is None:
        return Refusal.UNKNOWN_USER
    return Refusal.LOCKED if matches and user.is_locked else Refusal.WRONG_PASSWORD
