"""Pauses after failed attempts to sign in, of a name and of an address alike.

An attempt counts as failed before the password is looked at, so that a hundred at the same time are a
hundred. The rows hold hashes only, and a name that nobody has is treated as any other: a pause says
nothing about who exists.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, DateTime, Row, bindparam, delete, select, text, update

from gateway.runtime.accounts.model import AccountSettings
from gateway.runtime.accounts.store import aware
from gateway.runtime.accounts.tables import failed_attempts

_MAKE_ROW: Final = text(
    "INSERT INTO failed_attempts (subject_sha256, failures, last_at) VALUES (:subject, 0, :at)"
    " ON CONFLICT (subject_sha256) DO NOTHING"
).bindparams(bindparam("at", type_=DateTime(timezone=True)))


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose failures are counted together, and after how many a pause begins."""

    key: str
    free_failures: int


def subjects_of(name: str, address: str, settings: AccountSettings) -> tuple[Subject, ...]:
    """Return the subjects of an attempt: the address it came from, and the name that was typed."""
    return (
        Subject(_key("address", address), settings.failures_of_address),
        Subject(_key("user", name), settings.failures_of_user),
    )


def _key(kind: str, value: str) -> str:
    return hashlib.sha256(f"{kind}\0{value}".encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Counted:
    """What became of an attempt: it is not looked at before `paused_until`, or a pause `begins` with its failure."""

    paused_until: datetime | None = None
    begins: datetime | None = None


def count_attempt(tx: Connection, subjects: tuple[Subject, ...], at: datetime, settings: AccountSettings) -> Counted:
    """Count an attempt as failed unless one of its subjects has to wait."""
    rows = []
    for subject in subjects:  # one after the other, so that an address that has to wait leaves no rows of names
        row = _locked_row(tx, subject, at)
        if row.paused_until is not None and (until := aware(row.paused_until)) > at:
            return Counted(paused_until=until)
        rows.append(row)
    begun = [_count(tx, row, subject, at, settings) for row, subject in zip(rows, subjects, strict=True)]
    return Counted(begins=max((until for until in begun if until is not None), default=None))


def _locked_row(tx: Connection, subject: Subject, at: datetime) -> Row[*tuple[Any, ...]]:
    """Return the row of a subject, made if need be, and kept from others until the transaction ends."""
    tx.execute(_MAKE_ROW, {"subject": subject.key, "at": at})
    chosen = select(failed_attempts).where(failed_attempts.c.subject_sha256 == subject.key)
    return tx.execute(chosen.with_for_update()).one()


def _count(
    tx: Connection, row: Row[*tuple[Any, ...]], subject: Subject, at: datetime, settings: AccountSettings
) -> datetime | None:
    is_forgotten = at - aware(row.last_at) > timedelta(seconds=settings.forget_failures_s)
    failures = 1 if is_forgotten else row.failures + 1
    until = _pause_end(failures, subject, at, settings)
    values = {"failures": failures, "last_at": at, "paused_until": until}
    tx.execute(update(failed_attempts).where(failed_attempts.c.subject_sha256 == subject.key).values(**values))
    return until


def forgive(tx: Connection, subject: Subject, failures: int | None = None) -> None:
    """Take `failures` back, all of them when None: the attempt was a good one after all."""
    row = tx.execute(select(failed_attempts).where(failed_attempts.c.subject_sha256 == subject.key)).one_or_none()
    if row is None:
        return
    left = 0 if failures is None else row.failures - failures
    where = failed_attempts.c.subject_sha256 == subject.key
    if left <= 0:
        tx.execute(delete(failed_attempts).where(where))
    elif left < subject.free_failures:
        tx.execute(update(failed_attempts).where(where).values(failures=left, paused_until=None))
    else:
        tx.execute(update(failed_attempts).where(where).values(failures=left))


def forget_old(tx: Connection, at: datetime, settings: AccountSettings) -> None:
    """Remove what no longer counts, so that the table stays small."""
    before = at - timedelta(seconds=settings.forget_failures_s)
    tx.execute(delete(failed_attempts).where(failed_attempts.c.last_at < before))


def _pause_end(failures: int, subject: Subject, at: datetime, settings: AccountSettings) -> datetime | None:
    beyond = failures - subject.free_failures
    if beyond < 0:
        return None
    pause_s = min(settings.first_pause_s * 2 ** min(beyond, 20), settings.longest_pause_s)
    return at + timedelta(seconds=pause_s)
