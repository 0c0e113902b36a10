"""Settings of the citizen's pages: table `site` of `citizen.toml`, the environment over it (`CITIZEN_SITE__PORT`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from gateway.runtime.console.formats import zone_named
from gateway.xroad.faults import XRoadFault
from gateway.xroad.identifiers import ClientId, ServiceId, SubsystemId, client_of, decode_path


def client_id(text: str) -> ClientId:
    """Return the client of a setting. Raises ValueError."""
    try:
        return client_of(decode_path(text))
    except XRoadFault as cause:
        raise ValueError(f"{text!r} is no client identifier") from cause


def service_of(text: str) -> ServiceId:
    """Return the service of a setting. Raises ValueError."""
    provider, _, code = text.rpartition("/")
    owner = client_id(provider)
    if not code or not isinstance(owner, SubsystemId):
        raise ValueError(f"{text!r} is not INSTANCE/CLASS/CODE/SUBSYSTEM/SERVICE")
    return ServiceId(owner, code)


def is_safe_url(url: str) -> bool:
    """Tell whether secrets may travel to `url`: over https, or within this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host = parts.hostname or ""
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # a name
        return False


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """The provider citizens sign in with, and which of its claims say who somebody is."""

    issuer: str = "http://127.0.5.3:8460"  # the test identity provider of the demo
    client_id: str = "surma-citizen"
    client_secret: str = ""  # empty: a public client; the code verifier proves the caller either way
    scopes: tuple[str, ...] = ("openid", "profile")
    code_claims: tuple[str, ...] = ("rnokpp", "unzr")  # the first that is there is the person's code
    name_claim: str = "name"
    # Who the person represents, by the provider's word: a list of {"code": …, "name": …}. Empty: not by its word.
    represents_claim: str = "represents"
    leeway_s: int = 60
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if not self.code_claims or "openid" not in self.scopes:
            raise ValueError("code_claims must name a claim, and scopes must hold openid")
        if not is_safe_url(self.issuer):
            raise ValueError(f"issuer must be an https URL, or http on this machine, not {self.issuer!r}")


@dataclass(frozen=True, slots=True)
class AskedRegistry:
    """One registry that is asked for looks, and to which requests for correction go."""

    name: str
    service: str  # of its findUsage: INSTANCE/CLASS/CODE/SUBSYSTEM/SERVICE
    title_en: str
    title_uk: str

    def __post_init__(self) -> None:
        service_of(self.service)

    @property
    def holder(self) -> str:
        """The subsystem that answers for the registry, as a scope of roles."""
        return self.service.rpartition("/")[0]

    def title(self, language: str) -> str:
        """Return its name for people."""
        return self.title_uk if language == "uk" else self.title_en


@dataclass(frozen=True, slots=True)
class Organisation:
    """The name of an organisation by its code, for those who read who looked."""

    code: str
    name_en: str
    name_uk: str


def _asked(name: str, place: str, title_en: str, title_uk: str) -> AskedRegistry:
    return AskedRegistry(name, f"UA-DEMO/GOV/{place}/usage", title_en, title_uk)


DEMO_REGISTRIES: Final = (
    _asked("demographic", "10000002/DEMOGRAPHIC", "Demographic registry", "Демографічний реєстр"),
    _asked("cadastre", "10000003/CADASTRE", "Land cadastre", "Земельний кадастр"),
    _asked("tax", "10000004/TAX", "Registry of taxpayers", "Реєстр платників податків"),
    _asked("civil_status", "10000005/CIVIL-STATUS", "Registry of civil status", "Реєстр актів цивільного стану"),
    _asked("business", "10000005/BUSINESS", "Business registry", "Реєстр юридичних осіб і підприємців"),
    _asked(
        "property_rights",
        "10000005/PROPERTY-RIGHTS",
        "Registry of real-property rights",
        "Реєстр речових прав на нерухоме майно",
    ),
    _asked("displaced", "10000006/DISPLACED", "Registry of displaced persons", "Реєстр внутрішньо переміщених осіб"),
)
DEMO_ORGANISATIONS: Final = (
    Organisation("10000001", "Administrative services centre", "Центр надання адміністративних послуг"),
    Organisation("10000002", "Migration service", "Міграційна служба"),
    Organisation("10000003", "Land cadastre service", "Служба земельного кадастру"),
    Organisation("10000004", "Tax service", "Податкова служба"),
    Organisation("10000005", "Ministry of Justice", "Міністерство юстиції"),
    Organisation("10000006", "Ministry of Social Policy", "Міністерство соціальної політики"),
    Organisation("10000007", "Digital services agency", "Агенція цифрових послуг"),
)


@dataclass(frozen=True, slots=True)
class CorrectionSettings:
    """The legal deadline of an answer (law of Ukraine 2297-VI, articles 8 and 20), in working days.

    `holidays` are days off besides Saturday and Sunday, as YYYY-MM-DD. While martial law is in force there are
    none (law 2136-IX, article 6).
    """

    working_days: int = 10
    holidays: tuple[str, ...] = ()
    open_at_once: int = 20  # requests of one person that wait for an answer

    def __post_init__(self) -> None:
        if self.working_days < 1 or self.open_at_once < 1:
            raise ValueError("working_days and open_at_once must be at least 1")
        for day in self.holidays:
            date.fromisoformat(day)

    @property
    def days_off(self) -> frozenset[date]:
        """The holidays as dates."""
        return frozenset(date.fromisoformat(day) for day in self.holidays)


@dataclass(frozen=True, slots=True)
class CitizenSettings:
    """What the citizen's pages are told."""

    database_url: str = ""  # empty: a SQLite file in the state directory
    # Browsers keep cookies by host and not by port, so each site has a host of its own.
    host: str = "127.0.5.1"
    port: int = 8450
    public_url: str = ""  # as browsers see it; empty: http://host:port
    holders_host: str = "127.0.5.2"  # where holders of registries answer requests for correction
    holders_port: int = 8451
    holders_url: str = ""
    zone: str = "Europe/Kyiv"
    security_server: str = "http://127.0.2.1:8080"
    client: str = "UA-DEMO/GOV/10000007/CITIZEN"
    timeout_s: float = 8.0  # a registry that takes longer is shown as silent
    page_size: int = 50
    most_rows: int = 100_000  # of one registry in a file
    session_idle_s: int = 900
    session_lifetime_s: int = 3600
    requests_per_second: int = 20  # from one address; 0: any number
    requests_per_minute: int = 600
    civil_status: str = "UA-DEMO/GOV/10000005/CIVIL-STATUS/civil-status"  # where children are found; empty: not asked
    representation_purpose: str = "REPRESENTATION"
    oidc: OidcSettings = field(default_factory=OidcSettings)
    corrections: CorrectionSettings = field(default_factory=CorrectionSettings)
    registries: tuple[AskedRegistry, ...] = DEMO_REGISTRIES
    organisations: tuple[Organisation, ...] = DEMO_ORGANISATIONS

    def __post_init__(self) -> None:
        zone_named(self.zone)
        if not isinstance(client_id(self.client), SubsystemId):
            raise ValueError(f"client must be INSTANCE/CLASS/CODE/SUBSYSTEM, not {self.client!r}")
        if self.civil_status:
            service_of(self.civil_status)
        if len({registry.name for registry in self.registries}) != len(self.registries):
            raise ValueError("registries must have different names")
        if not 1 <= self.page_size <= 500 or self.timeout_s <= 0:
            raise ValueError("page_size must be within 1 and 500, and timeout_s positive")

    def registry(self, name: str) -> AskedRegistry | None:
        """Return a registry by name."""
        return next((registry for registry in self.registries if registry.name == name), None)

    def title(self, name: str, language: str) -> str:
        """Return the title of a registry; its name when it is no longer asked."""
        found = self.registry(name)
        return found.title(language) if found else name

    def organisation(self, code: str, language: str) -> str | None:
        """Return the name of an organisation, where it is known."""
        found = next((one for one in self.organisations if one.code == code), None)
        return None if found is None else found.name_uk if language == "uk" else found.name_en
