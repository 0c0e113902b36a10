"""The header part of a REST message as people read it: words of the service stay, what it is asked about is masked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from gateway.auditing.masking import Veil
from gateway.auditing.readable_json import VALUE_LIKE
from gateway.xroad.rest.message import RestRequest, RestResponse

_SHOWN_HEADERS: Final = re.compile(r"(x-road|uxp)-.*|content-type|content-length|accept|date", re.IGNORECASE)
_IDENTIFYING_HEADERS: Final = re.compile(r"(x-road|uxp)-(client|service|security-server)", re.IGNORECASE)
_MASKED_HEADERS: Final = re.compile(r"(x-road|uxp)-(represented-party|security-token|subject-id)", re.IGNORECASE)
# A segment of a path, or a parameter, that is a word of the service.
_WORD: Final = re.compile(r"[a-z][a-z-]{0,30}|v[0-9]{1,3}")
_SHORT_NUMBER: Final = re.compile(r"[0-9]{1,4}")
_IDENTIFIER_PARTS: Final = 7  # /r1/instance/class/member/subsystem/service: what follows is the caller's


def start_line(message: RestRequest | RestResponse, veil: Veil | None) -> str:
    """Return method and target, or status and reason."""
    if isinstance(message, RestResponse):
        return f"{message.status} {message.reason}"
    if veil is None:
        return f"{message.method} {message.target}"
    path, _, query = message.target.partition("?")
    known = path.removesuffix(message.service_path) if message.service_path else path
    if known == path and message.service_path:  # spelled in a way that cannot be cut
        known = "/".join(path.split("/")[:_IDENTIFIER_PARTS])
    segments = "/".join(_masked_segment(segment, veil) for segment in path[len(known) :].split("/"))
    names = "&".join(_masked_parameter(pair, veil) for pair in query.split("&")) if query else ""
    return f"{message.method} {known}{veil.look_again(segments)}{'?' if names else ''}{veil.look_again(names)}"


def header_lines(message: RestRequest | RestResponse, veil: Veil | None) -> Iterator[tuple[str, str]]:
    """Yield names and values of the headers."""
    if veil is None:
        yield from message.headers
        return
    for name, value in [(name, _masked_header(name, value, veil)) for name, value in message.headers]:
        yield name, value if _IDENTIFYING_HEADERS.fullmatch(name) else veil.look_again(value)


def _masked_header(name: str, value: str, veil: Veil) -> str:
    is_open = _SHOWN_HEADERS.fullmatch(name) and not _MASKED_HEADERS.fullmatch(name)
    return value if is_open else veil.hide(name.lower(), value)


def _masked_segment(segment: str, veil: Veil) -> str:
    return segment if _WORD.fullmatch(segment) else veil.hide("path", segment)


def _masked_parameter(pair: str, veil: Veil) -> str:
    name, separator, value = pair.partition("=")
    if not separator or VALUE_LIKE.fullmatch(name):
        return veil.hide("?", pair)
    is_word = _WORD.fullmatch(value) or _SHORT_NUMBER.fullmatch(value)
    return f"{name}={value if is_word and not veil.covers(name) else veil.hide(f'?{name}', value)}"
