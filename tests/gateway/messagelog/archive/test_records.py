from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.messagelog.archive.model import ArchivedFact, ArchivedRecord, ArchivedRefusal
from gateway.messagelog.archive.records import build_line, leaf_of, parse_line
from gateway.messagelog.chain import content_hash, refusal_hash, sha512
from gateway.messagelog.model import RecordContent, RecordedBody, RefusalContent, Side
from gateway.xroad.faults import MalformedMessage, XRoadFault
from gateway.xroad.ledger import entry_leaf
from tests.factories.refusals import a_refusal

DIGEST = st.binary(min_size=64, max_size=64)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
NUMBER = st.integers(min_value=0, max_value=2**63 - 1)
BODY = st.builds(RecordedBody, st.integers(1, 99), NUMBER, DIGEST, st.none())
SAID = st.builds(
    RecordContent, time_ms=NUMBER, side=st.sampled_from(Side), is_response=st.booleans(), query_id=TEXT,
    x_request_id=TEXT, client=TEXT, provider=TEXT, service_code=TEXT, service_version=st.none() | TEXT,
    message_digest=DIGEST, signature_digest=DIGEST, hash_chain_result=st.none(), hash_chain=st.none(),
    bodies=st.lists(BODY, max_size=3).map(tuple), is_whole=st.booleans(), kept_digest=st.none() | DIGEST,
)  # fmt: skip
REFUSED = st.builds(
    RefusalContent, time_ms=NUMBER, until_ms=NUMBER, times=NUMBER, side=st.sampled_from(Side),
    is_failure=st.booleans(), fault_code=TEXT, text_id=TEXT, facts=TEXT, address=st.none() | TEXT,
    x_request_id=st.none() | TEXT, query_id=st.none() | TEXT, client=st.none() | TEXT, provider=st.none() | TEXT,
    service_code=st.none() | TEXT, service_version=st.none() | TEXT, message_digest=st.none() | DIGEST,
)  # fmt: skip
FACTS: st.SearchStrategy[ArchivedFact] = st.builds(
    ArchivedRecord, sequence=st.integers(1, 2**63 - 1), content=SAID, hash_chain_result_digest=st.none() | DIGEST,
    hash_chain_digest=st.none() | DIGEST, previous_hash=DIGEST, container=TEXT, container_digest=DIGEST,
    container_size=NUMBER, stamped_ms=st.none() | NUMBER, authority=st.none() | TEXT, unverified=st.none() | TEXT,
) | st.builds(ArchivedRefusal, st.integers(1, 2**63 - 1), REFUSED, DIGEST)  # fmt: skip


def a_record(**changes: Any) -> ArchivedRecord:
    said = RecordContent(
        1, Side.CONSUMER, False, "q", "r", "UA/GOV/1/A", "UA/GOV/2/B", "get", None, bytes(64), bytes(64), None, None,
        (RecordedBody(1, 5, sha512(b"12345"), "attachment1"),),
    )  # fmt: skip
    return ArchivedRecord(7, said._replace(**changes), None, None, bytes(64), "q-request-7.asice", bytes(64), 1000)


@given(FACTS)
def test_what_is_written_is_read(fact: ArchivedFact) -> None:
    line = build_line(fact)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert parse_line(line[:-1]) == fact


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read_or_refused(line: bytes) -> None:
    try:
        parse_line(line)
    except XRoadFault:
        return


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists), st.data())
def test_any_value_in_the_place_of_another_is_read_or_refused(value: object, data: st.DataObject) -> None:
    facts = json.loads(build_line(a_record()))
    facts[data.draw(st.sampled_from(sorted(facts)))] = value
    try:
        parse_line(json.dumps(facts).encode())
    except XRoadFault:
        return


@pytest.mark.parametrize(
    "line",
    [
        b'{"sequence":1,"sequence":1}', b"[]", b"1", b'{"sequence":' + b"[" * 100_000, b'{"container":NaN}',
        build_line(a_record()).replace(b'"query_id":"q"', b'"query_id":"\\ud800"'),
        build_line(a_record()).replace(b'"sequence":7', b'"sequence":7.0'),
        build_line(a_record()).replace(b'"sequence":7', b'"sequence":0'),
        build_line(a_record()).replace(b'"sequence":7', b'"sequence":true'),
        build_line(a_record()).replace(b'"sequence":7', b'"sequence":7,"more":1'),
        build_line(a_record()).replace(b"00" * 64, b"0A" * 64, 1),
    ],
)  # fmt: skip
def test_what_two_readers_could_understand_differently_is_refused(line: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_line(line)


def test_hashes_are_worked_out_from_the_facts_alone() -> None:
    chain, result = b"<chain/>", b"<result/>"
    record = a_record()
    said = record.content._replace(hash_chain=chain, hash_chain_result=result)
    fact = ArchivedRecord(
        7, record.content, sha512(result), sha512(chain), bytes(64), "q-request-7.asice", bytes(64), 1000
    )
    assert parse_line(build_line(fact)[:-1]).content_hash == content_hash(said)
    assert leaf_of(build_line(fact)[:-1]) == entry_leaf(7, content_hash(said))


def test_a_refusal_gives_its_leaf_too() -> None:
    said = a_refusal()
    line = build_line(ArchivedRefusal(9, said, bytes(64)))
    assert leaf_of(line[:-1]) == entry_leaf(9, refusal_hash(said))


def test_every_fact_that_the_hash_covers_changes_the_leaf() -> None:
    line = build_line(a_record())
    facts = json.loads(line)
    beside = {
        "container",
        "container_digest",
        "container_size",
        "stamped_ms",
        "authority",
        "previous_hash",
        "kept_digest",
    }
    for name, value in facts.items():
        if name in beside:
            continue
        changed = {
            **facts,
            name: (not value) if isinstance(value, bool) else value + 1 if isinstance(value, int)
            else "provider" if name == "side" else [[2, 5, value[0][2], True]] if name == "bodies"
            else "11" * 64 if "digest" in name or "chain" in name else "x",
        }  # fmt: skip
        assert leaf_of(json.dumps(changed).encode()) != leaf_of(line[:-1]), name


def test_party_is_the_client_where_this_server_asked_and_the_provider_where_it_answered() -> None:
    assert a_record().party == "UA/GOV/1/A"
    assert a_record(side=Side.PROVIDER).party == "UA/GOV/2/B"
    assert ArchivedRefusal(1, a_refusal(side=Side.CONSUMER, client=None), bytes(64)).party == ""
