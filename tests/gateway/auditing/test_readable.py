from __future__ import annotations

import dataclasses
import json
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.auditing.masking import MASK
from gateway.auditing.model import Entry, MaskingSettings
from gateway.auditing.readable import (
    MAX_SHOWN_BYTES,
    Kind,
    Readable,
    header_facts,
    needs_body,
    read_body,
    read_message,
)
from gateway.messagelog.model import Side
from gateway.xroad.soap.headers import RepresentedParty, SecurityToken
from tests.factories.messages import (
    a_body,
    a_rest_request,
    a_rest_response,
    a_service,
    a_soap_message,
    a_subsystem,
    soap_headers,
)
from tests.factories.pki import NOON

UNUSUAL = "QvxZz"  # what is written into fields to be looked for afterwards


def an_entry(message: bytes, *, body_size: int | None = None) -> Entry:
    attachments = {} if body_size is None else {1: body_size}
    return Entry(
        1, NOON, Side.CONSUMER, False, "q-1", "x-1", a_subsystem(), a_service(), message, True, attachments, {}, None,
        None, None,
    )  # fmt: skip


def shown(message: bytes, *, masked: bool = True, **masking: Any) -> Readable:
    return read_message(an_entry(message), None, masked=masked, masking=MaskingSettings(**masking))[0]


def soap(inner: str, **headers: Any) -> bytes:
    return a_soap_message(soap_headers(**headers), body=a_body(inner=inner)).raw


def test_soap_is_laid_out_with_its_personal_fields_masked() -> None:
    message = soap("<person><lastName>Шевченко</lastName><status>active</status></person>")
    part = shown(message)
    assert part.kind is Kind.XML
    assert f"        <lastName>{MASK}</lastName>\n        <status>active</status>" in part.text
    assert (part.is_masked, part.masked_fields) == (True, ("lastName",))
    revealed = shown(message, masked=False)
    assert "<lastName>Шевченко</lastName>" in revealed.text
    assert (revealed.is_masked, revealed.masked_fields) == (False, ())


def test_headers_of_the_protocol_stay_open_but_for_who_is_represented_and_tokens() -> None:
    headers = {
        "user_id": "EE123",
        "issue": "case 7",
        "represented_party": RepresentedParty("COM", f"{UNUSUAL}1"),
        "security_token": SecurityToken("jwt", f"{UNUSUAL}2"),
    }
    text = shown(soap("<a/>", **headers)).text
    assert UNUSUAL not in text
    assert all(value in text for value in ("EE123", "case 7", "COM", "10000001", "GetPerson"))


def test_name_of_an_operation_is_no_field() -> None:
    message = a_soap_message(
        soap_headers(service=a_service("checkunzr")), body=a_body("checkunzr", inner="<state>1</state>")
    )
    assert "<state>1</state>" in shown(message.raw).text


def test_attributes_comments_and_mixed_texts_are_masked_too() -> None:
    inner = f'<a surname="{UNUSUAL}1" kind="7"/><!--{UNUSUAL}2--><name>x<b/>{UNUSUAL}3</name>'
    part = shown(soap(inner))
    assert UNUSUAL not in part.text
    assert 'kind="7"' in part.text
    assert part.masked_fields == ("a@surname", "#comment", "name")


def test_hidden_value_is_hidden_wherever_it_stands() -> None:
    inner = "<surname>Шевченко</surname><remark kind='про Шевченко'>заява Шевченко Т.</remark>"
    text = shown(soap(inner, issue="справа Шевченко")).text
    assert "Шевченко" not in text
    assert f"заява {MASK} Т." in text
    assert f"справа {MASK}" in text


def test_every_value_can_be_masked() -> None:
    text = shown(soap("<status>active</status>"), every_value=True).text
    assert "active" not in text
    assert "<status>" in text


def test_json_keeps_its_order_and_numbers_as_they_were_written() -> None:
    part = read_body('{"b":1.10,"a":[],"b":{"ї":null}}'.encode(), "application/json", masked=False)
    assert part.kind is Kind.JSON
    assert part.text == '{\n  "b": 1.10,\n  "a": [],\n  "b": {\n    "ї": null\n  }\n}'


def test_json_is_masked_by_its_keys_and_values() -> None:
    document = {
        "person": {"unzr": "19900101-00017", "birthYear": 1990, "isAlive": True, "address": {"any": [1, "a"]}},
        "status": "active", "count": 3, "note": "див. 19900101-00017", "1759013776": "x", "nothing": None,
    }  # fmt: skip
    part = read_body(json.dumps(document).encode(), "application/json", masked=True)
    masked = json.loads(part.text)
    assert masked["person"] == {"unzr": MASK, "birthYear": MASK, "isAlive": True, "address": {"any": [MASK, MASK]}}
    assert (masked["status"], masked["count"], masked["nothing"]) == ("active", 3, None)
    assert masked["note"] == f"див. {MASK}"
    assert masked[MASK] == "x"
    assert "unzr" in part.masked_fields


def test_rest_request_shows_the_words_of_the_service_and_not_what_is_asked_about() -> None:
    path = f"/people/{UNUSUAL}1/residence?status=active&rnokpp=1759013776&from=2024&{UNUSUAL}2"
    headers = (("X-Road-Represented-Party", f"COM/{UNUSUAL}3"), ("Authorization", f"Basic {UNUSUAL}4"))
    message = a_rest_request("GET", path, headers=headers)
    head = shown(message.raw)
    assert head.kind is Kind.HTTP
    assert UNUSUAL not in head.text
    first = head.text.splitlines()[0]
    assert first.endswith(f"/persons/people/{MASK}/residence?status=active&rnokpp={MASK}&from=2024&{MASK}")
    assert "X-Road-Client: UA-DEMO/GOV/10000001/SNAP" in head.text
    assert f"{UNUSUAL}1" in shown(message.raw, masked=False).text


def test_what_is_hidden_in_a_body_is_hidden_in_the_head() -> None:
    body = b'{"lastName": "shevchenko"}'
    message = a_rest_request("POST", "/shevchenko", headers=(("X-Road-Issue", "on shevchenko"),), body=body)
    entry = an_entry(message.raw, body_size=len(body))
    assert needs_body(entry)
    head, part = read_message(entry, body, masked=True)
    assert "shevchenko" not in head.text + part.text
    assert f"X-Road-Issue: on {MASK}" in head.text


def test_answer_of_rest_is_shown_with_its_body() -> None:
    message = a_rest_response(body=b'{"status":"ok"}')
    head, part = read_message(an_entry(message.raw, body_size=15), b'{"status":"ok"}', masked=True)
    assert head.text.startswith("200 OK\n")
    assert json.loads(part.text) == {"status": "ok"}


def test_xml_body_of_rest_is_read_as_xml() -> None:
    part = read_body(b"<a><surname>x</surname></a>", "application/octet-stream", masked=True)
    assert (part.kind, part.text) == (Kind.XML, f"<a>\n  <surname>{MASK}</surname>\n</a>")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("name;Шевченко\n".encode(), Kind.TEXT), (b"\x89PNG\r\n\x1a\n\x00", Kind.HEX), (b"", Kind.NOTHING),
        (b"a" * (MAX_SHOWN_BYTES + 1), Kind.NOTHING), (b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>', Kind.TEXT),
        (b"[" * 5000 + b"]" * 5000, Kind.TEXT), (b"<a>" * 300 + b"</a>" * 300, Kind.TEXT),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_apart_is_shown_as_text_or_bytes_and_masked_not_at_all(content: bytes, kind: Kind) -> None:
    assert read_body(content, "text/plain", masked=False).kind is kind
    masked = read_body(content, "text/plain", masked=True)
    assert (masked.kind, masked.text, masked.size) == (Kind.NOTHING, "", len(content))


def test_bytes_are_shown_in_rows() -> None:
    text = read_body(bytes(range(20)) + b"ab\xff", "", masked=False).text
    assert text.splitlines()[0] == "00000000  00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f  ................"
    assert text.splitlines()[1].startswith("00000010  10 11 12 13 61 62 ff ")
    assert text.splitlines()[1].endswith("....ab.")


def test_letters_that_turn_a_line_around_are_shown_as_such() -> None:
    assert "\u202e" not in shown(soap("<a>abc\u202edef</a>"), masked=False).text
    assert "\u202e" not in read_body('{"a":"\u202e"}'.encode(), "", masked=False).text


def test_headers_are_a_table_of_names_and_values() -> None:
    message = soap("<a/>", issue="case 7", represented_party=RepresentedParty(None, UNUSUAL))
    facts = dict(header_facts(message, masked=True))
    assert facts["issue"] == "case 7"
    assert facts["client"] == "UA-DEMO/GOV/10000001/SNAP"
    assert facts["representedParty"] == MASK
    assert dict(header_facts(message, masked=False))["representedParty"] == UNUSUAL
    rest = a_rest_request(headers=(("X-Road-Issue", "case 7"),))
    assert ("X-Road-Issue", "case 7") in header_facts(rest.raw, masked=True)
    assert header_facts(b"nothing", masked=True) == []


contents = st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))


@given(contents, st.booleans())
def test_any_bytes_are_shown_or_not_and_never_fail(content: bytes, masked: bool) -> None:
    for data in (content, b"<a>" + content + b"</a>", b"GET\r\n/r1/" + content, b'{"a":' + content):
        read_message(an_entry(data), content, masked=masked)
        read_body(data, "application/json", masked=masked)
        header_facts(data, masked=masked)


# Long and odd enough to stand nowhere by chance, and in no name of a field.
secrets = st.text("ҐЄЇзйщQXZ", min_size=6, max_size=12).filter(lambda text: text.strip() == text)
personal = st.sampled_from(["surname", "lastName", "rnokpp", "birthDate", "address", "phone", "passportSeries"])
plain = st.sampled_from(["status", "remark", "result", "kind"])


@given(st.lists(st.tuples(personal, secrets), min_size=1, max_size=4), plain, st.booleans())
def test_masked_message_holds_no_masked_value_wherever_it_stood(
    fields: list[tuple[str, str]], open_name: str, every_value: bool
) -> None:
    masking = MaskingSettings(every_value=every_value)
    text = " ".join(value for _, value in fields)
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields)
    inner += f'<{open_name} note="{text}">{text}</{open_name}>'
    document = [*({name: value} for name, value in fields), {open_name: text, "list": [text, {text: text}]}]
    message = a_rest_request("POST", headers=(("X-Road-Issue", "x"),), body=b"{}")
    body = json.dumps(document, ensure_ascii=False).encode()
    parts = [
        *read_message(an_entry(soap(inner)), None, masked=True, masking=masking),
        *read_message(an_entry(message.raw, body_size=len(body)), body, masked=True, masking=masking),
    ]
    for part in parts:
        assert all(value not in part.text for _, value in fields), part.text
    assert {name for name, _ in fields} <= set(parts[0].masked_fields)
    assert {name for name, _ in fields} <= set(parts[2].masked_fields)


def test_masked_fields_are_those_of_each_part_together_with_its_body() -> None:
    entry = dataclasses.replace(an_entry(a_rest_request("POST", "/Abc").raw), attachments={1: 20})
    head, body = read_message(entry, b'{"surname":"abcdef"}', masked=True)
    assert body.masked_fields == ("surname",)
    assert set(head.masked_fields) == {"surname", "path"}
