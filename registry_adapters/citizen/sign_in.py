"""A citizen's way in and out: a sign-in begun here, carried to the provider, brought back by the same browser, once.

The state that comes back must be one we gave out, not older than ten minutes, to the browser whose
cookie comes along; it is forgotten by that. A session's token is in the cookie, its hash in the
database; it ends when it was idle, and in any case after an hour.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.runtime.accounts.model import Principal
from gateway.runtime.clock import Clock
from gateway.runtime.console.visitors import Visitor
from gateway.runtime.database import Database
from registry_adapters.citizen import store
from registry_adapters.citizen.model import CITIZEN, Citizen, Source, Subject, subjects_of
from registry_adapters.citizen.oidc import Attempt, OidcClient, SignInError, new_attempt
from registry_adapters.citizen.settings import CitizenSettings

ATTEMPT_LIVES: Final = timedelta(minutes=10)
TOUCH_AFTER: Final = timedelta(seconds=60)  # a use is written down at most this often


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser goes, and the cookie by which it is known when it comes back."""

    url: str
    browser: str


@dataclass(frozen=True, slots=True)
class Entered:
    """A new session: the token goes into the cookie and nowhere else; `target` is the page that was wanted."""

    token: str
    target: str


class CitizenSignIn:
    """The door of the citizen's pages, and their doorkeeper."""

    def __init__(self, database: Database, oidc: OidcClient, clock: Clock, settings: CitizenSettings) -> None:
        self.oidc = oidc
        self._database = database
        self._clock = clock
        self._idle = timedelta(seconds=settings.session_idle_s)
        self._lifetime = timedelta(seconds=settings.session_lifetime_s)

    def begin(self, target: str, language: str) -> Begun:
        """Begin a sign-in that shall end at the page `target`. Raises SignInError."""
        attempt, browser, now = new_attempt(), secrets.token_urlsafe(32), self._clock.now()
        url = self.oidc.authorization_url(attempt, language)
        begun = store.BegunSignIn(_hash(browser), attempt.nonce, attempt.code_verifier, target[:2048], now)
        with self._database.transaction() as tx:
            store.forget_sign_ins(tx, begun_before=now - ATTEMPT_LIVES)
            store.add_sign_in(tx, _hash(attempt.state), begun)
        return Begun(url, browser)

    def finish(self, *, state: str, browser: str | None, code: str | None, issuer: str | None) -> Entered:
        """Begin the session of whom the provider vouches for. Raises SignInError."""
        now = self._clock.now()
        with self._database.transaction() as tx:
            begun = store.take_sign_in(tx, _hash(state))
        if begun is None or now - begun.begun_at > ATTEMPT_LIVES:
            raise SignInError("citizen.refused_state")
        if browser is None or not secrets.compare_digest(_hash(browser), begun.browser_sha256):
            raise SignInError("citizen.refused_browser")
        self.oidc.check_issuer(issuer)
        if code is None:  # the provider brought an error instead: mostly that the person said no
            raise SignInError("citizen.refused_by_provider", 403)
        identity = self.oidc.redeem(code, Attempt(state, begun.nonce, begun.code_verifier))
        token = secrets.token_urlsafe(32)
        with self._database.transaction() as tx:
            seen_before = now - self._idle - TOUCH_AFTER
            store.forget_sessions(tx, seen_before=seen_before, created_before=now - self._lifetime)
            store.add_session(tx, _hash(token), now, subjects_of(identity))
        return Entered(token, begun.target)

    def find(self, token: str) -> Citizen | None:
        """Return who is signed in with a token."""
        now, key = self._clock.now(), _hash(token)
        with self._database.reading() as tx:
            found = store.find_session(tx, key)
        if found is None or self._has_ended(found[0], now):
            return None
        if now - found[0].seen_at >= TOUCH_AFTER:
            with self._database.transaction() as tx:
                store.touch_session(tx, key, now)
        return found[1]

    def sign_out(self, token: str) -> None:
        """End a session."""
        with self._database.transaction() as tx:
            store.end_session(tx, _hash(token))

    def add_children(self, citizen: Citizen, children: tuple[tuple[str, str], ...]) -> int:
        """Let a session speak for children that the civil-status registry named; return how many are new."""
        with self._database.transaction() as tx:
            found = store.find_session(tx, citizen.session)
            if found is None:
                return 0
            known = {subject.code for subject in found[1].subjects}
            number = max(subject.number for subject in found[1].subjects) + 1
            new = [(code, name) for code, name in children if code not in known]
            added = [Subject(number + n, code, name, Source.CIVIL_STATUS) for n, (code, name) in enumerate(new)]
            store.add_subjects(tx, citizen.session, added)
        return len(added)

    async def find_visitor(self, secret: str) -> Visitor | None:
        """Return who is signed in: a doorkeeper's only question."""
        citizen = await asyncio.to_thread(self.find, secret)
        if citizen is None:
            return None
        return Visitor(Principal(citizen.oneself.name, frozenset((CITIZEN,))), secret, auth="OpenID Connect")

    def _has_ended(self, seen: store.Seen, now: datetime) -> bool:
        return now - seen.seen_at > self._idle + TOUCH_AFTER or now - seen.created_at > self._lifetime


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
