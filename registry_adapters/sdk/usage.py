"""findUsage: tell a person what was asked about them (protocol of the Estonian data tracker, version 2).

    GET /findUsage     looks at the record of `userCode`, newest first; X-Road-UserId names who asks
    GET /usagePeriod   since when looks are kept
    GET /heartbeat     whether the access log can be read

Each row of the access log about the person is one usage. Looks that the law seals are only counted: over
the whole log, whatever period or page is asked for, or a person could narrow a period until the count
gives away the time. An offset counts from the newest look, so looks that come between two pages move it;
`asOf` of the first answer, given back, keeps the list as it was.

Asking here is no look at the record and is not in the access log: the person learns what happened, not
what is held, and a list must not grow by being read. The security servers' message logs have the exchange.
Who asks may ask about anybody: whom a person may be told about is the asking system's word. So it is answered to
the clients that the setting `usage_clients` names and to no others. A right at the security server is not enough,
since a right to the registry's own REST service reaches every path of its port, this one too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Protocol

from sqlalchemy import ColumnElement, Connection, Row, func, select

from registry_adapters.sdk.access_log import ACCESS_LOG
from registry_adapters.sdk.errors import RefusedError, RequestError
from registry_adapters.sdk.fields import Declared
from registry_adapters.sdk.operations import Call
from registry_adapters.sdk.purposes import Purpose, Purposes
from registry_adapters.sdk.rest_service import RestService
from registry_adapters.sdk.soap_service import SoapService

MAX_USAGES: Final = 1000  # in one answer
_LOG: Final = ACCESS_LOG.c


class Watched(Protocol):
    """What is asked of a registry's declaration."""

    name: str
    title: str
    soap: SoapService

    @property
    def subjects_of(self) -> Callable[[Connection, str], Sequence[str]] | None:
        """The texts under which the access log knows a person."""
        ...

    @property
    def rules(self) -> Purposes | None:
        """The declared purposes."""
        ...


@dataclass(frozen=True, slots=True)
class UsageQuestion:
    """Whose looks, of which time, and which page of them."""

    user_code: Annotated[
        str,
        Declared(
            "RNOKPP or UNZR of the person the looks were at.",
            json="userCode",
            max_length=14,
            pattern=r"[0-9]{10}|[0-9]{8}-[0-9]{5}",
            example="3347300028",
        ),
    ]
    period_start: Annotated[datetime | None, Declared("The first moment, included.", json="periodStart")] = None
    period_end: Annotated[datetime | None, Declared("The last moment, included.", json="periodEnd")] = None
    offset: Annotated[int, Declared("How many of the newest to leave out.")] = 0
    limit: Annotated[int, Declared("How many to give: 1 to 1000.")] = MAX_USAGES
    as_of: Annotated[int | None, Declared("`asOf` of the first page: what came later is left out.", json="asOf")] = None


@dataclass(frozen=True, slots=True)
class Usage:
    """One look at the person's record: the fact, never what was seen."""

    logtime: Annotated[datetime, Declared("When.")]
    action: Annotated[str, Declared("Why, in words.")]
    receiver_code: Annotated[str, Declared("Code of the organisation that looked.", json="receiverCode")]
    receiver_system: Annotated[str, Declared("Its information system.", json="receiverSystem")]
    receiver_name: Annotated[str | None, Declared("Its name, where known.", json="receiverName")] = None
    operation: Annotated[str | None, Declared("Operation that was called.")] = None
    purpose: Annotated[str | None, Declared("Declared purposes, separated by commas.")] = None
    title_en: Annotated[str | None, Declared("Their titles in English.", json="purposeTitleEn")] = None
    title_uk: Annotated[str | None, Declared("Their titles in Ukrainian.", json="purposeTitleUk")] = None
    ground: Annotated[str | None, Declared("Legal ground: as the request named it, else the purpose's.")] = None
    case_number: Annotated[str | None, Declared("Case the request belonged to.", json="caseNumber")] = None
    message_id: Annotated[str | None, Declared("Number of the exchange, for questions.", json="messageId")] = None


@dataclass(frozen=True, slots=True)
class UsageAnswer:
    """The looks that may be shown, and how many the law seals."""

    total_usages: Annotated[
        int, Declared("How many looks the period has that may be shown; those sealed are not among them.",
                      json="totalUsages")
    ]  # fmt: skip
    restricted_usages: Annotated[
        int, Declared("How many looks of all times are sealed by law: counted, never shown.", json="restrictedUsages")
    ]
    usages: tuple[Usage, ...] = ()
    as_of: Annotated[int | None, Declared("Keeps further pages in step; none when there is no look.", json="asOf")] = (
        None
    )


@dataclass(frozen=True, slots=True)
class Nothing:
    """No fields."""


@dataclass(frozen=True, slots=True)
class UsagePeriod:
    """Since when looks are kept; they are kept to this day."""

    period_start: Annotated[datetime, Declared("Moment of the oldest look that is kept.", json="periodStart")]


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Whether the service works."""

    status: Annotated[str, Declared("OK.")]
    message: Annotated[str, Declared("In words.")]


def usage_service(registry: Watched, clients: Collection[str], language: str = "en") -> RestService:
    """Return the service of a registry that says under which texts its log knows a person.

    Only `clients`, named without the instance, are told of looks.
    """
    service = RestService(
        f"{registry.name}-usage", "2.0.0", f"{registry.title}: usage", "What was asked about a person, by whom and why."
    )

    @service.get("/findUsage")
    def find_usage(asked: UsageQuestion, call: Call) -> UsageAnswer:
        """Find the looks at one person's record, newest first."""
        if "/".join(call.context.client.parts[1:]) not in clients:
            raise RefusedError("registry.usage_client", client=call.context.client)
        if call.context.user_id is None:
            raise RequestError("registry.field_missing", field="X-Road-UserId")
        if asked.offset < 0:
            raise RequestError("registry.field_invalid", field="offset", expected="0…")
        if not 1 <= asked.limit <= MAX_USAGES:
            raise RequestError("registry.field_invalid", field="limit", expected=f"1…{MAX_USAGES}")
        subjects = registry.subjects_of(call.connection, asked.user_code) if registry.subjects_of else ()
        return _answer(call.connection, asked, subjects, _Words(registry, language))

    @service.get("/usagePeriod")
    def usage_period(_asked: Nothing, call: Call) -> UsagePeriod:
        """Tell since when looks are kept."""
        oldest = call.connection.scalar(select(func.min(_LOG.noted_at)))
        return UsagePeriod(_aware(oldest) if oldest else call.clock.now())

    @service.get("/heartbeat")
    def heartbeat(_asked: Nothing, call: Call) -> Heartbeat:
        """Tell whether the access log can be read."""
        call.connection.execute(select(_LOG.id).limit(1)).all()
        return Heartbeat("OK", "The access log can be read.")

    return service


def _answer(connection: Connection, asked: UsageQuestion, subjects: Sequence[str], words: _Words) -> UsageAnswer:
    if not subjects:
        return UsageAnswer(0, 0)
    about = _LOG.subject.in_(sorted(set(subjects)))
    shown = [about, _LOG.sealed.is_(False), *_period(asked)]
    newest = select(func.max(_LOG.id)).where(*shown)
    as_of = asked.as_of if asked.as_of is not None else connection.scalar(newest)
    sealed = connection.scalar(select(func.count()).select_from(ACCESS_LOG).where(about, _LOG.sealed.is_(True))) or 0
    if as_of is None:
        return UsageAnswer(0, sealed)
    shown.append(_LOG.id <= as_of)
    total = connection.scalar(select(func.count()).select_from(ACCESS_LOG).where(*shown)) or 0
    page = select(ACCESS_LOG).where(*shown).order_by(_LOG.noted_at.desc(), _LOG.id.desc())
    rows = connection.execute(page.limit(asked.limit).offset(asked.offset))
    return UsageAnswer(total, sealed, tuple(words.usage_of(row) for row in rows), as_of)


def _period(asked: UsageQuestion) -> list[ColumnElement[bool]]:
    bounds = []
    if asked.period_start is not None:
        bounds.append(_LOG.noted_at >= asked.period_start)
    if asked.period_end is not None:
        bounds.append(_LOG.noted_at <= asked.period_end)
    return bounds


class _Words:
    """Puts rows of the log into words that the registry declared."""

    def __init__(self, registry: Watched, language: str) -> None:
        self._purposes: Mapping[str, Purpose] = registry.rules.by_id if registry.rules else {}
        self._operations = registry.soap.operations
        self._language = language

    def usage_of(self, row: Row[Any]) -> Usage:
        """Return what one row tells the person it is about."""
        named = [name for name in row.purposes.split(",") if name]
        purposes = [self._purposes[name] for name in named if name in self._purposes]
        titles = {language: _joined(self._title(name, language) for name in named) for language in ("en", "uk")}
        return Usage(
            _aware(row.noted_at),
            titles.get(self._language) or self._title_of(row.operation),
            _code_of(row.client),
            row.client,
            operation=row.operation,
            purpose=row.purposes or None,
            title_en=titles["en"],
            title_uk=titles["uk"],
            ground=row.legal_ground or _joined(purpose.ground for purpose in purposes),
            case_number=row.issue,
            message_id=row.message_id or None,
        )

    def _title(self, purpose: str, language: str) -> str:
        """Return what a purpose is called; one that is not declared by name is called what the asker called it."""
        declared = self._purposes.get(purpose)
        return declared.titles.get(language) or purpose if declared else purpose

    def _title_of(self, operation: str) -> str:
        declared = self._operations.get(operation)
        return declared.title if declared else operation


def _joined(texts: Iterable[str]) -> str | None:
    return "; ".join(text for text in texts if text) or None


def _code_of(client: str) -> str:
    """Return the member code of an identifier such as `UA-DEMO/GOV/10000001/SNAP`."""
    parts = client.split("/")
    return parts[2] if len(parts) > 2 else client


def _aware(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
