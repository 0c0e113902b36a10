from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gateway.serverconf.descriptions import MAX_DOCUMENT_BYTES
from gateway.serverconf.openapi_servers import hide_servers
from gateway.xroad.faults import MalformedMessage, XRoadFault

YAML = """# Опис 🌍 реєстру
openapi: "3.0.0"
info: {title: Реєстр осіб, x-country: NO}
servers:
  - url: https://registry.local:8443/v1   # внутрішня
    description: Основний
  - {url: 'https://registry.local/v2', description: x}
  - url: https://{host}/v3
  - url: >-
      https://registry.local/v4
  - description: без адреси
paths:
  /persons:
    servers:
      - url: https://elsewhere.local/kept
    get: {responses: {200: {description: on}}}
"""


def test_addresses_in_yaml_are_replaced_and_nothing_else() -> None:
    hidden = hide_servers(YAML.encode()).decode()
    expected = (
        YAML.replace("https://registry.local:8443/v1", '"/v1"')
        .replace("'https://registry.local/v2'", '"/v2"')
        .replace("https://{host}/v3", '"https://{host}/v3"')
        .replace(">-\n      https://registry.local/v4", '"/v4"')
    )
    assert hidden == expected
    assert [server.get("url") for server in yaml.safe_load(hidden)["servers"]] == [
        "/v1", "/v2", "https://{host}/v3", "/v4", None,
    ]  # fmt: skip


def test_addresses_in_json_are_replaced() -> None:
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Реєстр"},
        "servers": [{"url": "https://h/a/b"}, {"url": 7}, "odd", {}],
        "paths": {},
    }
    hidden = json.loads(hide_servers(json.dumps(document).encode()))
    assert hidden == document | {"servers": [{"url": "/a/b"}, {"url": 7}, "odd", {}]}


@pytest.mark.parametrize(
    "document",
    [b"openapi: 3.0.0\npaths: {}\n", b'{"openapi":"3.0.0","paths":{}}', b"{openapi: 3.0.0, servers: []}"],
)
def test_document_without_servers_stays(document: bytes) -> None:
    assert yaml.safe_load(hide_servers(document)) == yaml.safe_load(document)


@pytest.mark.parametrize(
    "document",
    [
        b"openapi: 2.0\n",
        b"swagger: '2.0'\n",
        b"<html/>",
        b"",
        b"[1]",
        b'{"swagger":"2.0"}',
        b"openapi: [",
        b"\xff\xfe",
        b"openapi: 3.0.0\na: &x 1\nb: *x\n",
        b'{"openapi":"3.0.0","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b" " * (MAX_DOCUMENT_BYTES + 1),
    ],
)
def test_what_is_no_openapi_3_is_refused(document: bytes) -> None:
    with pytest.raises(MalformedMessage) as caught:
        hide_servers(document)
    assert caught.value.code == "invalid_request"


_paths = st.from_regex(r"/[a-z]{0,8}", fullmatch=True)


@given(st.lists(_paths), st.text(st.characters(exclude_categories=("Cs", "Cc"))), st.booleans(), st.booleans())
def test_any_servers_are_hidden_in_every_style(paths: list[str], title: str, flow: bool, as_json: bool) -> None:
    document = {
        "openapi": "3.0.0",
        "info": {"title": title},
        "servers": [{"url": f"https://registry.local:8443{path}"} for path in paths],
    }
    dumped = yaml.safe_dump(document, default_flow_style=flow, allow_unicode=True, sort_keys=False)
    text = json.dumps(document) if as_json else dumped
    assert yaml.safe_load(hide_servers(text.encode())) == document | {"servers": [{"url": path} for path in paths]}


@given(st.binary() | st.text().map(str.encode) | st.text().map(lambda t: f"openapi: 3.0.0\n{t}".encode()))
def test_any_bytes_are_rewritten_or_refused(data: bytes) -> None:
    try:
        hide_servers(data)
    except XRoadFault:
        return
