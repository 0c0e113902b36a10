"""The counter on loopback: real accounts, SQLite and engine; registries behind the stand-in for a security server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from lxml import html

from gateway.runtime.accounts import sessions, store_users
from gateway.runtime.accounts.model import Grant
from gateway.runtime.accounts.passwords import Passwords
from gateway.runtime.clock import SystemClock
from registry_adapters.snap.accounts import CLERK, SENIOR, open_accounts
from registry_adapters.snap.app import built
from registry_adapters.snap.cases import CaseService
from registry_adapters.snap.settings import ListenSettings, RetrySettings, SecurityServerSettings, SnapSettings
from tests.registry_adapters.shim import Shim, listening
from tests.registry_adapters.snap.world import CENTRE, registries

OTHER_CENTRE = "SN32000001"
PASSWORD = "вечірній-потяг-до-Ковеля"
PEOPLE = {
    "olena": (CENTRE,),
    "taras": (OTHER_CENTRE,),
    "both": (CENTRE, OTHER_CENTRE),
    "fresh": ("SN99000001",),
    "colleague": (CENTRE,),
    "chief": (CENTRE,),
    "nobody": (),
}
SENIORS = ("chief",)
# A registry that is silent stays so until a clerk asks again.
PATIENT = SnapSettings(
    listen=ListenSettings(tls=False, requests_per_second=0, requests_per_minute=0),
    retry=RetrySettings(first_s=60, longest_s=60, poll_s=0.1),
    timeout_s=8,
    slow_s=0.3,
    workers=16,
)
TOKEN = re.compile(r'name="csrf_token" value="([0-9a-f]+)"')


def tree_of(answer: httpx.Response | str) -> Any:
    """The tree of a page."""
    return html.document_fromstring(answer if isinstance(answer, str) else answer.text)


@dataclass
class Visit:
    """A browser without a screen: it keeps cookies and fills in forms."""

    client: httpx.Client

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path, follow_redirects=True)

    def post(self, path: str, **fields: str) -> httpx.Response:
        """Send a form with the token of this session, which every page has."""
        found = TOKEN.search(self.get("/account").text)
        assert found is not None
        return self.client.post(path, data={"csrf_token": found[1], **fields}, follow_redirects=True)


@dataclass
class Site:
    """A counter that answers at `url`."""

    url: str
    cases: CaseService
    shim: Shim
    tokens: dict[str, str]  # of the sessions that people have begun
    visits: dict[tuple[str, str], Visit] = field(default_factory=dict)

    def visit(self, name: str = "olena", language: str = "en") -> Visit:
        """Come in as somebody; who has come in already comes back to the same session."""
        if (name, language) not in self.visits:
            cookies = {"surma-lang": language, "surma-session": self.tokens[name]}
            self.visits[name, language] = Visit(httpx.Client(base_url=self.url, cookies=cookies, timeout=20))
        return self.visits[name, language]


@contextmanager
def a_site(folder: Path, told: SnapSettings = PATIENT) -> Iterator[Site]:
    """Serve a counter before the registries of the demonstration, which hold few persons."""
    with ExitStack() as stack:
        shim = stack.enter_context(Shim(stack.enter_context(registries(folder))))
        settings = replace(told, security_server=SecurityServerSettings(url=shim.url))
        served = stack.enter_context(built(settings, folder))
        accounts = open_accounts(settings, folder)
        stack.callback(accounts.close)
        clock, passwords = SystemClock(), Passwords()
        hashed = passwords.hash(PASSWORD)
        tokens = {}
        with accounts.transaction() as tx:
            for name, scopes in PEOPLE.items():
                user = store_users.add_user(tx, name, hashed, clock.now())
                for scope in scopes:
                    store_users.add_grant(tx, user, Grant(SENIOR if name in SENIORS else CLERK, scope))
                tokens[name] = sessions.begin(tx, user, clock.now(), settings.accounts)
        site = Site(stack.enter_context(listening(served.app)), served.cases, shim, tokens)
        yield site
        for visit in site.visits.values():
            visit.client.close()
