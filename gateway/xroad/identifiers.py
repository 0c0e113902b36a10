"""Identifiers of members, subsystems, services, security servers and groups (PR-MESS 2.1, PR-REST 4.1).

Equality is exact, and no alphabet is enforced here: peers keep odd names alive and the reference only
warns (PR-MESS 2.7). `find_bad_characters` is for the places where something is registered with us.
Identifiers know nothing of XML, JSON or database rows; `str()` gives the short form that logs,
archives and the REST protocol share, and they sort by it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from gateway.xroad.faults import MalformedMessage

# PR-MESS 2.7: the documented alphabet of identifiers.
_ALPHABET: Final = re.compile(r"[A-Za-z0-9'()+,\-.=?_]*")
# RFC 3986 pchar: what may stand in one segment of a path.
_SEGMENT: Final = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*")
# What Guava's path segment escaper leaves alone (X-Road RestResponse.java).
_UNESCAPED: Final = "-._~!$'()*,;&=@:+"


def _require(kind: str, **fields: str | None) -> None:
    for name, value in fields.items():
        if value is None or not value.strip():
            raise MalformedMessage("internal_error", "identifiers.field_missing", kind=kind, field=name)


def _remember(identifier: MemberId | SubsystemId | ServiceId | SecurityServerId) -> None:
    """Keep what is asked for again and again: the printed form and the hash."""
    parts = identifier.parts
    object.__setattr__(identifier, "_text", "/".join(parts))
    object.__setattr__(identifier, "_hash", hash(parts))


@dataclass(frozen=True, slots=True)
class MemberId:
    """`UA-DEMO/GOV/10000001`."""

    xroad_instance: str
    member_class: str
    member_code: str
    _text: str = field(init=False, repr=False, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    object_type = "MEMBER"

    def __post_init__(self) -> None:
        _require(
            "MEMBER",
            xRoadInstance=self.xroad_instance,
            memberClass=self.member_class,
            memberCode=self.member_code,
        )
        _remember(self)

    def __hash__(self) -> int:
        return self._hash

    @property
    def member(self) -> MemberId:
        """The member itself, so that `client.member` holds for both kinds of client."""
        return self

    @property
    def subsystem_code(self) -> str | None:
        """None: a member is not a subsystem."""
        return None

    @property
    def parts(self) -> tuple[str, ...]:
        """The components in the order of every printed form."""
        return (self.xroad_instance, self.member_class, self.member_code)

    def __str__(self) -> str:
        return self._text

    def __lt__(self, other: object) -> bool:
        return str(self) < str(other)


@dataclass(frozen=True, slots=True)
class SubsystemId:
    """`UA-DEMO/GOV/10000001/SNAP`."""

    member: MemberId
    subsystem_code: str
    _text: str = field(init=False, repr=False, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    object_type = "SUBSYSTEM"

    def __post_init__(self) -> None:
        _require("SUBSYSTEM", subsystemCode=self.subsystem_code)
        _remember(self)

    def __hash__(self) -> int:
        return self._hash

    @property
    def xroad_instance(self) -> str:
        """The instance of the member."""
        return self.member.xroad_instance

    @property
    def parts(self) -> tuple[str, ...]:
        """The components in the order of every printed form."""
        return (*self.member.parts, self.subsystem_code)

    def __str__(self) -> str:
        return self._text

    def __lt__(self, other: object) -> bool:
        return str(self) < str(other)


ClientId = MemberId | SubsystemId


@dataclass(frozen=True, slots=True)
class ServiceId:
    """`UA-DEMO/GOV/10000002/DEMOGRAPHIC/GetPerson/v1`; the version is optional."""

    provider: ClientId
    service_code: str
    service_version: str | None = None
    _text: str = field(init=False, repr=False, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    object_type = "SERVICE"

    def __post_init__(self) -> None:
        _require("SERVICE", serviceCode=self.service_code)
        if self.service_version is not None:
            _require("SERVICE", serviceVersion=self.service_version)
        _remember(self)

    def __hash__(self) -> int:
        return self._hash

    @property
    def parts(self) -> tuple[str, ...]:
        """The components in the order of every printed form."""
        version = () if self.service_version is None else (self.service_version,)
        return (*self.provider.parts, self.service_code, *version)

    def __str__(self) -> str:
        return self._text

    def __lt__(self, other: object) -> bool:
        return str(self) < str(other)


@dataclass(frozen=True, slots=True)
class SecurityServerId:
    """`UA-DEMO/GOV/10000001/SS1`: owner and server code."""

    owner: MemberId
    server_code: str
    _text: str = field(init=False, repr=False, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    object_type = "SERVER"

    def __post_init__(self) -> None:
        _require("SERVER", serverCode=self.server_code)
        _remember(self)

    def __hash__(self) -> int:
        return self._hash

    @property
    def parts(self) -> tuple[str, ...]:
        """The components in the order of every printed form."""
        return (*self.owner.parts, self.server_code)

    def __str__(self) -> str:
        return self._text

    def __lt__(self, other: object) -> bool:
        return str(self) < str(other)


@dataclass(frozen=True, slots=True)
class GlobalGroupId:
    """`UA-DEMO/security-server-owners`: a group kept by the central services."""

    xroad_instance: str
    group_code: str

    object_type = "GLOBALGROUP"

    def __post_init__(self) -> None:
        _require("GLOBALGROUP", xRoadInstance=self.xroad_instance, groupCode=self.group_code)

    @property
    def parts(self) -> tuple[str, ...]:
        """The components in the order of every printed form."""
        return (self.xroad_instance, self.group_code)

    def __str__(self) -> str:
        return "/".join(self.parts)

    def __lt__(self, other: object) -> bool:
        return str(self) < str(other)


@dataclass(frozen=True, slots=True)
class LocalGroupId:
    """A group kept by one client on its own security server; it has no instance."""

    group_code: str

    object_type = "LOCALGROUP"

    def __post_init__(self) -> None:
        _require("LOCALGROUP", groupCode=self.group_code)

    @property
    def parts(self) -> tuple[str, ...]:
        """The components in the order of every printed form."""
        return (self.group_code,)

    def __str__(self) -> str:
        return self.group_code

    def __lt__(self, other: object) -> bool:
        return str(self) < str(other)


XRoadId = MemberId | SubsystemId | ServiceId | SecurityServerId | GlobalGroupId | LocalGroupId


def client_of(parts: tuple[str, ...] | list[str]) -> ClientId:
    """Return the member (three parts) or subsystem (four) that `parts` name.

    Raises MalformedMessage (internal_error, as X-Road answers) for any other number of parts.
    """
    if len(parts) == 3:
        return MemberId(*parts)
    if len(parts) == 4:
        return SubsystemId(MemberId(*parts[:3]), parts[3])
    raise MalformedMessage("internal_error", "identifiers.wrong_length", value="/".join(parts), expected="3 or 4")


def server_of(parts: tuple[str, ...] | list[str]) -> SecurityServerId:
    """Return the security server that exactly four parts name."""
    if len(parts) != 4:
        raise MalformedMessage("internal_error", "identifiers.wrong_length", value="/".join(parts), expected="4")
    return SecurityServerId(MemberId(*parts[:3]), parts[3])


def parse_client(text: str, separator: str = "/") -> ClientId:
    """Read `INST/CLASS/CODE[/SUB]` with plain, undecoded parts."""
    return client_of(text.split(separator))


def parse_server(text: str, separator: str = "/") -> SecurityServerId:
    """Read `INST/CLASS/CODE/SERVER` with plain, undecoded parts."""
    return server_of(text.split(separator))


def parse_member(text: str, separator: str = "/") -> MemberId:
    """Read `INST/CLASS/CODE` with plain, undecoded parts."""
    client = parse_client(text, separator)
    if isinstance(client, SubsystemId):
        raise MalformedMessage("internal_error", "identifiers.wrong_length", value=text, expected="3")
    return client


def display(identifier: XRoadId) -> str:
    """Return X-Road's display form, `SUBSYSTEM:INST/CLASS/CODE/SUB` (X-Road XRoadId.java)."""
    return f"{identifier.object_type}:{identifier}"


def encode_segment(text: str) -> str:
    """Percent-encode one path segment as a real peer does."""
    return quote(text, safe=_UNESCAPED)


def decode_segment(segment: str) -> str:
    """Decode one path segment of an identifier; anything but RFC 3986 pchar is refused.

    Raises MalformedMessage (internal_error) for raw characters outside pchar, broken escapes or
    escapes that are not UTF-8.
    """
    if not _SEGMENT.fullmatch(segment):
        raise MalformedMessage("internal_error", "identifiers.bad_segment", value=segment)
    try:
        return unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError as cause:
        raise MalformedMessage("internal_error", "identifiers.bad_segment", value=segment) from cause


def encode_path(identifier: XRoadId) -> str:
    """Return the URL form: segments percent-encoded one by one, joined with `/` (PR-REST 4.1)."""
    return "/".join(encode_segment(part) for part in identifier.parts)


def decode_path(text: str) -> list[str]:
    """Return the decoded segments of the URL form of an identifier."""
    return [decode_segment(segment) for segment in text.split("/")]


def find_bad_characters(identifier: XRoadId) -> str | None:
    """Return the first component outside the documented alphabet of PR-MESS 2.7, or None."""
    return next((part for part in identifier.parts if not _ALPHABET.fullmatch(part)), None)
