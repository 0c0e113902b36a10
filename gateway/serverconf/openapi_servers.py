"""Hide where a REST service lies in the OpenAPI description that callers get (X-Road Openapi3Anonymiser.java).

JSON is read and written again. YAML is changed at these places only, so that comments, order and
spelling stay the provider's: reading YAML into values and back turns `NO` into `false`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from gateway.serverconf.descriptions import MAX_DOCUMENT_BYTES
from gateway.xroad.faults import MalformedMessage
from gateway.xroad.metadata.rest import hide_server

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def hide_servers(document: bytes) -> bytes:
    """Return the description with every `servers[].url` reduced to its path; templates stay.

    Raises MalformedMessage: invalid_request for anything that is no OpenAPI 3 document, internal_error
    for an address that cannot be taken apart.
    """
    if len(document) > MAX_DOCUMENT_BYTES:
        raise MalformedMessage(
            "invalid_request", "descriptions.too_large", size_bytes=len(document), limit_bytes=MAX_DOCUMENT_BYTES
        )
    try:
        text = document.decode("utf-8-sig")
        tree = _json_of(text)
        return (_in_yaml(text) if tree is None else _in_json(tree)).encode()
    except (ValueError, RecursionError, yaml.YAMLError) as cause:
        raise MalformedMessage("invalid_request", "descriptions.unreadable", reason=type(cause).__name__) from cause


def _json_of(text: str) -> dict[str, Any] | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        tree = json.loads(text)
    except json.JSONDecodeError:
        return None  # YAML may begin like this too
    return tree if isinstance(tree, dict) else None


def _in_json(tree: dict[str, Any]) -> str:
    _check_version(tree.get("openapi"))
    servers = tree.get("servers")
    for server in servers if isinstance(servers, list) else ():
        if isinstance(server, dict) and isinstance(server.get("url"), str):
            server["url"] = hide_server(server["url"])
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":"))


def _check_version(version: object) -> None:
    if not str(version).startswith("3."):
        raise MalformedMessage("invalid_request", "descriptions.not_openapi")


@dataclass(slots=True)
class _Open:
    """A collection that has begun; `key` is None where a mapping's next key is awaited, and in lists."""

    is_mapping: bool
    key: str | None = None


def _in_yaml(text: str) -> str:
    version: str | None = None
    pieces: list[str] = []
    done = 0
    for path, event in _scalars(text):
        if path == ("openapi",):
            version = event.value
        elif path == ("servers", "", "url"):
            start, end = event.start_mark.index, event.end_mark.index
            tail = "\n" if text[start:end].endswith("\n") else ""  # of a block scalar
            pieces += [text[done:start], json.dumps(hide_server(event.value.strip()), ensure_ascii=False), tail]
            done = end
    _check_version(version)
    return "".join([*pieces, text[done:]])


def _scalars(text: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the scalars that are values, at most three deep, each with the keys above it ("" for a list).

    Aliases are refused, as when the description was added: with them a place can mean several.
    """
    above: list[_Open] = []
    for event in yaml.parse(text, _LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise MalformedMessage("invalid_request", "descriptions.yaml_aliases")
        if isinstance(event, yaml.CollectionStartEvent):
            above.append(_Open(isinstance(event, yaml.MappingStartEvent)))
        elif isinstance(event, yaml.CollectionEndEvent):
            above.pop()
            _close_value(above)
        elif isinstance(event, yaml.ScalarEvent):
            if above and above[-1].is_mapping and above[-1].key is None:
                above[-1].key = event.value
                continue
            if len(above) <= 3:
                yield tuple(one.key or "" for one in above), event
            _close_value(above)


def _close_value(above: list[_Open]) -> None:
    """A value of the innermost collection ended; a collection that was a key itself counts as an empty name."""
    if above and above[-1].is_mapping:
        above[-1].key = "" if above[-1].key is None else None
