"""What an entry of the log is found by: facts of its row and of the headers of its message, never of its body.

A message is read as far as it can be; whatever its headers do not say, or say unreadably, is not there.
Purposes stand in `Uxp-Purpose-Ids` (REST) or in a foreign header block `purposeIds` (SOAP).
"""

from __future__ import annotations

import contextlib
import hashlib
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote
from xml.parsers import expat

from gateway.messagelog.model import RefusalContent, Side
from gateway.xroad.faults import XRoadFault
from gateway.xroad.identifiers import encode_segment
from gateway.xroad.rest.message import RestRequest, RestResponse, parse_rest_message
from gateway.xroad.rest.uxp import purposes_of
from gateway.xroad.soap.envelope import SECTIONS, SEPARATOR
from gateway.xroad.soap.headers import RepresentedParty
from gateway.xroad.soap.message import XOP_XML, read_envelope

CONTEXT_NS: Final = "urn:surma:context"
_PURPOSES: Final = f"{CONTEXT_NS}{SEPARATOR}purposeIds"
_MAX_PURPOSE_CHARACTERS: Final = 4096
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

MAX_TIME_MS: Final = 253_402_300_799_999  # the last moment that a calendar here knows
_MAX_NUMBER: Final = 2**62

# A text is indexed up to this length; of a longer one the beginning, and a digest that tells it from others.
MAX_CHARACTERS: Final = 512
_SHOWN_CHARACTERS: Final = MAX_CHARACTERS - 65


class HeaderFacts(NamedTuple):
    """What the headers of a message say beyond its row in the log."""

    user_id: str | None = None
    issue: str | None = None
    represented_party: str | None = None
    purposes: tuple[str, ...] = ()


class EntryFacts(NamedTuple):
    """One entry of the log; `headers` is None where the message was not opened, as that of an answer.

    A refusal has `fault_code`; what its caller claimed may be missing.
    """

    sequence: int
    time_ms: int
    side: Side
    is_response: bool
    query_id: str | None
    x_request_id: str | None
    client: str | None
    provider: str | None
    service_code: str | None
    service_version: str | None
    headers: HeaderFacts | None = None
    fault_code: str | None = None
    is_failure: bool = False
    times: int = 1
    digest: bytes | None = None

    @property
    def party(self) -> str | None:
        """Whom the server stood for."""
        return self.client if self.side is Side.CONSUMER else self.provider

    @property
    def service(self) -> str | None:
        """The service, or as much of it as is known, in URL form."""
        if self.provider is None or self.service_code is None:
            return self.provider
        return service_path(self.provider, self.service_code, self.service_version)


def is_sound(facts: EntryFacts) -> bool:
    """Tell whether an entry says what an entry can say; a row that somebody edited may hold anything."""
    numbers = (facts.sequence, facts.time_ms, facts.times)
    texts = (facts.query_id, facts.x_request_id, facts.client, facts.provider, facts.service_code)
    more_texts = (facts.service_version, facts.fault_code)
    return (
        all(type(number) is int for number in numbers)
        and 0 <= facts.time_ms <= MAX_TIME_MS
        and 0 <= facts.times <= _MAX_NUMBER
        and all(text is None or isinstance(text, str) for text in (*texts, *more_texts))
    )


def facts_of_refusal(sequence: int, said: RefusalContent) -> EntryFacts:
    """Return the facts of a refusal."""
    return EntryFacts(
        sequence, said.time_ms, said.side, False, said.query_id, said.x_request_id, said.client, said.provider,
        said.service_code, said.service_version, HeaderFacts(), said.fault_code, said.is_failure, said.times,
        said.message_digest,
    )  # fmt: skip


@lru_cache(maxsize=4096)  # who offers what: there are only so many
def service_path(provider: str, service_code: str, service_version: str | None) -> str:
    """Return a service in URL form."""
    parts = (service_code,) if service_version is None else (service_code, service_version)
    return "/".join((provider, *map(encode_segment, parts)))


def read_headers(message: bytes) -> HeaderFacts:
    """Return what the headers of a message say: a SOAP envelope, or the header part of a REST message."""
    try:
        if message.removeprefix(_BYTE_ORDER_MARK).lstrip()[:1] == b"<":
            return _of_soap(message)
        return _of_rest(parse_rest_message(message))
    except XRoadFault:
        return HeaderFacts()


def clean(text: str) -> str:
    """Return a text as databases can hold it: without NUL and halves of characters."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def bounded(text: str) -> str:
    """Return a text as it is indexed, never longer than the bound."""
    text = clean(text)
    if len(text) <= MAX_CHARACTERS:
        return text
    return f"{text[:_SHOWN_CHARACTERS]}#{hashlib.sha256(text.encode()).hexdigest()}"


def _of_soap(message: bytes) -> HeaderFacts:
    values = read_envelope(message, XOP_XML).values  # of either version: a log keeps no content type
    user_id, issue, party = values.get("user_id"), values.get("issue"), values.get("represented_party")
    return HeaderFacts(
        user_id if isinstance(user_id, str) else None,
        issue if isinstance(issue, str) else None,
        _party_of(party) if isinstance(party, RepresentedParty) else None,
        _listed(_purposes_in(message)) if CONTEXT_NS.encode() in message else (),
    )


def _of_rest(message: RestRequest | RestResponse) -> HeaderFacts:
    if isinstance(message, RestResponse):
        return HeaderFacts()
    party = message.represented_party
    return HeaderFacts(
        _as_meant(message.user_id),
        _as_meant(message.issue),
        None if party is None else _party_of(party),
        tuple(_as_meant(unquote(purpose, errors="replace")) or "" for purpose in purposes_of(message.headers)),
    )


def _party_of(party: RepresentedParty) -> str:
    return "/".join(part for part in (party.party_class, party.party_code) if part)


def _as_meant(value: str | None) -> str | None:
    """Undo the Latin-1 that header lines are read in, where the sender wrote UTF-8."""
    if value is None:
        return None
    try:
        return value.strip(" \t").encode("latin-1").decode()
    except UnicodeError:
        return value.strip(" \t")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(purpose for word in text.split(",") if (purpose := word.strip()))


def _purposes_in(message: bytes) -> str:
    """Return the text of the header block, empty when there is none; the document is well-formed."""
    found: list[str] = []
    depth, heard = 0, -1
    parser = expat.ParserCreate(None, SEPARATOR)

    def start(name: str, _attributes: object) -> None:
        nonlocal depth, heard
        depth += 1
        if depth == 2 and name not in _HEADERS:
            raise _Enough
        if depth == 3 and name == _PURPOSES:
            heard = depth

    def end(_name: str) -> None:
        nonlocal depth, heard
        if depth == heard:
            heard = -1
        depth -= 1

    def text(data: str) -> None:
        if depth == heard and sum(map(len, found)) < _MAX_PURPOSE_CHARACTERS:
            found.append(data)

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    with contextlib.suppress(_Enough, expat.ExpatError, ValueError, LookupError):
        parser.Parse(message, True)
    return "".join(found)[:_MAX_PURPOSE_CHARACTERS]


class _Enough(Exception):  # noqa: N818
    """The header has been read."""


_HEADERS: Final = frozenset(header for header, _, _ in SECTIONS.values())
