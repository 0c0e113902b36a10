from __future__ import annotations

import io
import json
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.faults import MalformedMessage, XRoadFault
from gateway.xroad.globalconf.shared_parameters_xml import build_shared_parameters
from gateway.xroad.globalconf.verification_conf import NEVER, build_verification_conf, read_verification_conf
from tests.factories.globalconf import CLIENT, a_shared_parameters

OWN = build_shared_parameters(a_shared_parameters(), 6)
PARTNER = build_shared_parameters(a_shared_parameters("PART NER"), 3)
ZIP = build_verification_conf("TEST", {"TEST": (OWN, 6), "PART NER": (PARTNER, 3)})


def test_entries_are_those_of_the_reference_in_its_order() -> None:
    archive = zipfile.ZipFile(io.BytesIO(ZIP))
    assert archive.namelist() == [
        "verificationconf/TEST/shared-params.xml",
        "verificationconf/TEST/shared-params.xml.metadata",
        "verificationconf/PART NER/shared-params.xml",
        "verificationconf/PART NER/shared-params.xml.metadata",
        "verificationconf/instance-identifier",
    ]
    assert json.loads(archive.read("verificationconf/TEST/shared-params.xml.metadata")) == {"configurationVersion": "6"}
    assert archive.read("verificationconf/instance-identifier") == b"TEST"


def test_the_zip_is_the_same_for_the_same_configuration() -> None:
    assert build_verification_conf("TEST", {"TEST": (OWN, 6), "PART NER": (PARTNER, 3)}) == ZIP


def test_a_zip_is_read_as_a_configuration_that_never_expires() -> None:
    globalconf = read_verification_conf(ZIP)
    assert (globalconf.instances, globalconf.version, globalconf.expires_at) == (("TEST", "PART NER"), 6, NEVER)
    assert globalconf.servers_of(CLIENT)


def test_an_unpacked_folder_is_read_with_encoded_instance_names_and_other_files_beside() -> None:
    globalconf = read_verification_conf(
        {
            "instance-identifier": b"TEST",
            "TEST/shared-params.xml": build_shared_parameters(a_shared_parameters(), 2),
            "TEST/private-params.xml": b"passed over",
            "PART%20NER/shared-params.xml": PARTNER,
            "PART%20NER/shared-params.xml.metadata": b'{"configurationVersion":"3"}',
        }
    )
    assert (globalconf.instances, globalconf.version) == (("TEST", "PART NER"), 2)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"instance-identifier": b"TEST"},
        {"instance-identifier": b"\xff"},
        {"instance-identifier": b"OTHER", "TEST/shared-params.xml": OWN, "TEST/shared-params.xml.metadata": b"{}"},
        {"instance-identifier": b"TEST", "OTHER/shared-params.xml": build_shared_parameters(a_shared_parameters(), 2)},
        {"instance-identifier": b"TEST", "TEST/shared-params.xml": OWN, "TEST/shared-params.xml.metadata": b"[]"},
        {"instance-identifier": b"TEST", "TEST/shared-params.xml": OWN, "TEST/shared-params.xml.metadata": b"{"},
    ],
)
def test_an_incomplete_folder_is_malformed(files: dict[str, bytes]) -> None:
    with pytest.raises(MalformedMessage) as caught:
        read_verification_conf(files)
    assert caught.value.code == "malformed_global_conf"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_configuration_or_a_fault(data: bytes) -> None:
    with pytest.raises(XRoadFault):
        read_verification_conf(data)


@given(st.data())
def test_a_zip_changed_anywhere_is_read_or_a_fault(data: st.DataObject) -> None:
    raw = bytearray(ZIP)
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(XRoadFault):
        read_verification_conf(bytes(raw))
