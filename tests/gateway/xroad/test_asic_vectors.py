"""Recorded and altered containers: our verdict beside that of X-Road 7.8.0."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import pytest

from gateway.xroad.asic.container import BatchTimestamp, build_container, read_container
from gateway.xroad.asic.verdict import AttachmentState, Outcome
from gateway.xroad.asic.verify import examine_container
from gateway.xroad.faults import Spelling, spell
from gateway.xroad.globalconf.lookup import GlobalConf
from tests.factories.recordings import find_vectors
from tests.factories.signatures import entry_times, recorded_globalconf

VECTORS = find_vectors()
pytestmark = pytest.mark.skipif(VECTORS is None, reason="no recorded vectors: set SURMA_VECTORS to their folder")

# Where our code is not the recorded one: altered container -> our code, and why.
UNCODED = "the reference ends with an uncoded library error"
BEFORE = "the file itself is refused before anything in it is read"
STRICTER = "the reference accepts it"
DIFFERENT_CODES = {
    "cert-rogue": ("cannot_create_cert_path", "internal_error says nothing; the catalogue has a code for this"),
    "signed-unknown-ca": ("cannot_create_cert_path", "internal_error says nothing; the catalogue has a code for this"),
    "signed-same-name-ca": ("cannot_create_cert_path", "the reference appends the code of its library"),
    "cert-missing": ("malformed_signature", UNCODED),
    "dropped-both-chains": ("malformed_signature", UNCODED),
    "batch-chain-dropped": ("malformed_signature", UNCODED),
    "chain-self-reference": ("malformed_signature.malformed_hash_chain", UNCODED),
    "signed-multi-reference-missing": ("invalid_reference", UNCODED),
    "zip-truncated": ("asic_invalid_container", UNCODED),
    "zip-empty": ("asic_invalid_container", BEFORE),
    "zip-leading-bytes": ("asic_invalid_container", BEFORE),
    "zip-duplicate-good-first": ("asic_invalid_container", BEFORE),
    "zip-hidden-entry": ("asic_invalid_container", BEFORE),
    "zip-case-only": ("asic_invalid_container", BEFORE),
    "zip-signature-renamed": ("asic_invalid_container", BEFORE),
    "rest-body-byte": ("malformed_signature.invalid_hash_chain_ref", STRICTER),
    "rest-body-renamed": ("malformed_signature.hashchain_unused_inputs", STRICTER),
    "attachment-added-simple": ("malformed_signature", STRICTER),
    "attachment-added-chain": ("malformed_signature.hashchain_unused_inputs", STRICTER),
    "entry-added": ("asic_invalid_container", STRICTER),
    "chain-doctype": ("malformed_signature.malformed_hash_chain", STRICTER),
    "xml-doctype": ("malformed_signature", STRICTER),
    "xml-two-signatures": ("malformed_signature", STRICTER),
    "batch-ts-manifest-digest": ("malformed_signature", STRICTER),
    "signed-sha1": ("malformed_signature", STRICTER),
    "signed-multi-reference-uncovered": ("malformed_signature", STRICTER),
    "signed-no-properties-reference": ("malformed_signature", STRICTER),
    "signed-wrong-cert-digest": ("malformed_signature", STRICTER),
    "signed-ocsp-future": ("invalid_cert_path.incorrect_validation_info", STRICTER),
    "signed-ocsp-extra": ("invalid_cert_path.cert_validation", STRICTER),
    "zip-duplicate-good-last": ("asic_invalid_container", STRICTER),
    "zip-case-altered-last": ("asic_invalid_container", STRICTER),
    "zip-case-altered-first": ("asic_invalid_container", STRICTER),
    "zip-slash": ("asic_invalid_container", STRICTER),
    "zip-dot-slash": ("asic_invalid_container", STRICTER),
    "zip-traversal": ("asic_invalid_container", STRICTER),
    "zip-two-signatures": ("asic_invalid_container", STRICTER),
    "zip-trailing-bytes": ("asic_invalid_container", STRICTER),
    "zip-hidden-signed": ("asic_invalid_container", STRICTER),
}


@lru_cache
def verdicts() -> dict[str, dict[str, Any]]:
    if VECTORS is None:
        return {}
    listed = json.loads((VECTORS / "asic" / "verdicts.json").read_text(encoding="utf-8"))
    return {entry["file"]: entry for entry in (*listed["recorded"], *listed["altered"])}


def read(file: str) -> bytes:
    assert VECTORS is not None
    return (VECTORS / "asic" / file).read_bytes()


@pytest.fixture(scope="module")
def globalconf() -> GlobalConf:
    return recorded_globalconf(6)


@pytest.mark.parametrize("file", verdicts())
def test_verdict_is_the_expected_one(file: str, globalconf: GlobalConf) -> None:
    expected, examination = verdicts()[file], examine_container(read(file), globalconf)

    assert (examination.verdict is not None) == (expected["expected"] == "accept"), examination.fault
    if examination.fault is not None:
        failed = [check.name.value for check in examination.checks if check.outcome is Outcome.FAILED]
        assert len(failed) == 1


@pytest.mark.parametrize("file", [name for name, entry in verdicts().items() if entry["expected"] == "refuse"])
def test_code_is_the_recorded_one_or_differs_for_a_listed_reason(file: str, globalconf: GlobalConf) -> None:
    fault = examine_container(read(file), globalconf).fault
    assert fault is not None
    name = file.removeprefix("altered/").removesuffix(".asice")
    code, _ = DIFFERENT_CODES.get(name) or (spell(verdicts()[file]["verdict"]["code"], Spelling.SNAKE_CASE), "")

    assert fault.code == code


def test_every_listed_difference_is_one() -> None:
    recorded = {name: verdicts()[f"altered/{name}.asice"]["verdict"] for name in DIFFERENT_CODES}

    assert [name for name, (code, _) in DIFFERENT_CODES.items() if recorded[name].get("code") == code] == []
    assert all(recorded[name]["accepted"] is (reason == STRICTER) for name, (_, reason) in DIFFERENT_CODES.items())


@pytest.mark.parametrize(
    "file",
    [name for name, entry in verdicts().items() if entry["verdict"]["accepted"] and entry["expected"] == "accept"],
)
def test_facts_are_those_of_the_reference(file: str, globalconf: GlobalConf) -> None:
    recorded, verdict = verdicts()[file]["verdict"], examine_container(read(file), globalconf).verdict
    assert verdict is not None
    lines = [
        f'The digest for "{part.name}" is: {part.digest.hex} '
        f"({'verified' if part.state is AttachmentState.VERIFIED else 'unverified'})"
        for part in verdict.attachments
    ]

    assert recorded["signer"] == f"{verdict.signer.object_type}:{verdict.signer}"
    assert recorded["timestamp_at"] == f"{verdict.time:%Y-%m-%dT%H:%M:%SZ}"
    assert recorded["ocsp_at"] == f"{verdict.statuses[0].produced_at:%Y-%m-%dT%H:%M:%SZ}"
    if recorded["attachments"]:  # the reference prints none for signatures without chain
        assert lines == recorded["attachments"]


@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_older_configurations_say_the_same(version: int) -> None:
    globalconf = recorded_globalconf(version)
    for file in ("soap-plain/consumer-request.asice", "rest-put-100k/provider-response.asice"):
        assert examine_container(read(file), globalconf).verdict is not None


@pytest.mark.parametrize("file", [name for name in verdicts() if not name.startswith("altered/")])
def test_container_is_written_as_the_reference_wrote_it(file: str) -> None:
    original = read(file)
    container = read_container(original)
    stamp = None
    if container.token and container.timestamp_chain_result and container.timestamp_chain:
        stamp = BatchTimestamp(container.token, container.timestamp_chain_result, container.timestamp_chain)

    written = build_container(
        container.message,
        container.signature,
        at=entry_times(original)[0],
        attachments=container.attachments,
        timestamp=stamp,
    )

    assert written == original
