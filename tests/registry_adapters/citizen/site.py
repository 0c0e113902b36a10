"""The citizen's site on loopback: the test identity provider, registries behind a stand-in for a security server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from lxml import html

from gateway.runtime.accounts import sessions, store_users
from gateway.runtime.accounts.model import AccountSettings, Grant
from gateway.runtime.accounts.passwords import Passwords
from gateway.runtime.clock import FixedClock
from gateway.runtime.database import Database, open_database
from registry_adapters.citizen.app import CitizenSite, build
from registry_adapters.citizen.model import HOLDER
from registry_adapters.citizen.settings import AskedRegistry, CitizenSettings, OidcSettings
from registry_adapters.citizen.store import prepare
from registry_adapters.citizen_identity.app import build_identity
from registry_adapters.citizen_identity.settings import ClientSettings, IdentitySettings
from tests.registry_adapters.citizen.watched import Watched, open_watched
from tests.registry_adapters.shim import Shim, listening

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
TOKEN = re.compile(r'name="csrf_token" value="([0-9a-f]+)"')
CHOICE = re.compile(r'href="(/choose\?request_key=[^"]+)"')
MARIANA_NUMBER, ANDRII_NUMBER, PETRO_NUMBER = 1, 2, 5  # among the well-known persons
TAX, LAND = "GOV/10000004/TAX", "GOV/10000003/CADASTRE"
REGISTRIES = (
    AskedRegistry("tax", f"UA-DEMO/{TAX}/usage", "Registry of taxpayers", "Реєстр платників податків"),
    AskedRegistry("cadastre", f"UA-DEMO/{LAND}/usage", "Land cadastre", "Земельний кадастр"),
)
HOLDERS = {"oksana": "UA-DEMO/GOV/10000004", "bohdan": "UA-DEMO/GOV/10000003/CADASTRE", "nobody": None}


@dataclass
class Late:
    """An application whose address is known before it is made."""

    app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self.app is None:
            return
        await self.app(scope, receive, send)


@dataclass
class Site:
    """Everything a test may ask or change."""

    url: str
    holders_url: str
    issuer: str
    shim: Shim
    tax: Watched
    land: Watched
    clock: FixedClock
    database: Database
    settings: CitizenSettings
    built: CitizenSite
    trail: Path  # the folder of the audit log
    visits: list[Visit] = field(default_factory=list)

    def visitor(self, language: str = "en") -> Visit:
        """A browser without a screen."""
        visit = Visit(self, httpx.Client(timeout=20, trust_env=False))
        visit.http.cookies.set("surma-lang", language)
        self.visits.append(visit)
        return visit

    def citizen(self, number: int = MARIANA_NUMBER, language: str = "en") -> Visit:
        """Somebody who has signed in at the test identity provider."""
        visit = self.visitor(language)
        answer = visit.sign_in(number)
        assert answer.status_code == 200, answer.text
        return visit

    def holder(self, name: str = "oksana", language: str = "en") -> Visit:
        """Somebody who answers requests for correction."""
        visit = self.visitor(language)
        visit.base = self.holders_url
        with self.database.transaction() as tx:
            user = store_users.find_user(tx, name)
            assert user is not None
            token = sessions.begin(tx, user.id, self.clock.now(), AccountSettings())
        visit.http.cookies.set("surma-session", token)
        return visit


@dataclass
class Visit:
    """A browser without a screen: it keeps cookies and fills in forms."""

    site: Site
    http: httpx.Client
    base: str = ""

    def __post_init__(self) -> None:
        self.base = self.base or self.site.url

    def get(self, path: str, **parameters: str) -> httpx.Response:
        return self.http.get(self.base + path, params=parameters or None, follow_redirects=True)

    def send(self, page: str, path: str, **fields: str) -> httpx.Response:
        """Send the form of a page with the token that stands in it."""
        found = TOKEN.search(self.get(page).text)
        assert found is not None, page
        return self.http.post(self.base + path, data={"csrf_token": found[1], **fields}, follow_redirects=True)

    def begin(self, target: str = "/mine") -> httpx.Response:
        """Begin a sign-in; the answer sends the browser to the provider."""
        return self.http.get(f"{self.base}/login/begin", params={"next": target})

    def chosen(self, number: int, target: str = "/mine") -> str:
        """Go to the provider, choose a person there, and return the address it sends the browser back to."""
        page = self.http.get(self.begin(target).headers["location"])
        link = next(one.replace("&amp;", "&") for one in CHOICE.findall(page.text) if one.endswith(f"person={number}"))
        return self.http.get(self.site.issuer + link).headers["location"]

    def sign_in(self, number: int, target: str = "/mine") -> httpx.Response:
        """Sign in as a well-known person."""
        return self.http.get(self.chosen(number, target), follow_redirects=True)


def tree_of(answer: httpx.Response) -> Any:
    """The tree of a page."""
    return html.document_fromstring(answer.text)


def words_of(answer: httpx.Response) -> str:
    """What a page says, blanks made one."""
    return " ".join(tree_of(answer).find("body").text_content().split())


def parameter_of(url: str, name: str) -> str:
    """One parameter of an address."""
    return parse_qs(urlsplit(url).query)[name][0]


@contextmanager
def a_site(
    folder: Path,
    *,
    issuer: str | None = None,
    civil_status: Any = None,
    oidc: OidcSettings | None = None,
    **changes: Any,
) -> Iterator[Site]:
    """Serve everything; `issuer` is another provider than the test identity provider."""
    clock = FixedClock(NOW)
    with ExitStack() as stack:
        tax, land = (open_watched(name, folder, clock) for name in ("tax", "cadastre"))
        for watched in (tax, land):
            stack.callback(watched.database.close)
        apps: dict[str, Any] = {TAX: tax.app, LAND: land.app}
        if civil_status is not None:
            apps["GOV/10000005/CIVIL-STATUS"] = civil_status
        shim = stack.enter_context(Shim(apps))
        citizens, holders, provider = Late(), Late(), Late()
        url, holders_url = stack.enter_context(listening(citizens)), stack.enter_context(listening(holders))
        if issuer is None:
            # By name, so that browsers take it for another site than the pages.
            issuer = stack.enter_context(listening(provider)).replace("127.0.0.1", "localhost")
            client = ClientSettings("surma-citizen", (f"{url}/login/callback",), "", (f"{url}/signed-out",))
            provider.app = build_identity(IdentitySettings(clients=(client,)), clock)
        settings = CitizenSettings(
            public_url=url,
            holders_url=holders_url,
            security_server=shim.url,
            timeout_s=2.0,
            page_size=5,
            requests_per_second=0,
            requests_per_minute=0,
            registries=REGISTRIES,
            oidc=replace(oidc or OidcSettings(), issuer=issuer),
        )
        settings = replace(settings, **changes)
        database = open_database(f"sqlite:///{folder}/citizen.db", pool_size=16)
        stack.callback(database.close)
        prepare(database)
        passwords = Passwords(memory_kib=64, passes=1, lanes=1)
        built = stack.enter_context(build(database, settings, folder, clock, passwords))
        citizens.app, holders.app = built.citizens, built.holders
        _let_in(database, passwords, clock)
        site = Site(url, holders_url, issuer, shim, tax, land, clock, database, settings, built, folder / "audit")
        try:
            yield site
        finally:
            for visit in site.visits:
                visit.http.close()


def _let_in(database: Database, passwords: Passwords, clock: FixedClock) -> None:
    hashed = passwords.hash("вечірній-потяг-до-Ковеля")
    with database.transaction() as tx:
        for name, scope in HOLDERS.items():
            user = store_users.add_user(tx, name, hashed, clock.now())
            if scope is not None:
                store_users.add_grant(tx, user, Grant(HOLDER, scope))
