"""What we write, against the schema files of X-Road itself: read from its source, never copied.

Set SURMA_XROAD_SOURCE to a checkout of X-Road, or to its git directory.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from gateway.xroad.faults import XRoadFault
from gateway.xroad.globalconf.anchor import build_anchor
from gateway.xroad.globalconf.optional_parts import build_fetch_interval, build_monitoring, build_next_update
from gateway.xroad.globalconf.private_parameters_xml import build_private_parameters
from gateway.xroad.globalconf.schemas import SCHEMAS
from gateway.xroad.globalconf.shared_parameters_xml import build_shared_parameters, parse_shared_parameters
from tests.factories.globalconf import CLIENT, a_full_shared_parameters, a_private_parameters, a_source

CORE = "src/lib/globalconf-core/src/main/resources"
IDENTIFIERS = "src/common/common-domain/src/main/resources/identifiers.xsd"
PARTNER = a_source(instance="PARTNER", path="/externalconf").anchor()


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    source = os.environ.get("SURMA_XROAD_SOURCE")
    if source is None:
        pytest.skip("no X-Road source: set SURMA_XROAD_SOURCE")
    folder = tmp_path_factory.mktemp("schemas")
    tree = Path(source)
    if not (tree / CORE).is_dir():
        tar = subprocess.run(
            ["git", f"--git-dir={source}", "archive", "HEAD", CORE, IDENTIFIERS], check=True, capture_output=True
        ).stdout
        tree = folder / "tree"
        with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
            archive.extractall(tree, filter="data")
    shutil.copytree(tree / CORE, folder / "xsd")
    shutil.copy(tree / IDENTIFIERS, folder / "xsd/identifiers.xsd")
    yield folder / "xsd"
    shutil.rmtree(folder)


def _validate(schema: Path, xml: bytes) -> None:
    etree.XMLSchema(file=str(schema)).assertValid(etree.fromstring(xml))


@pytest.mark.parametrize("version", SCHEMAS)
def test_shared_parameters_of_every_version_are_valid(schemas: Path, version: int) -> None:
    xml = build_shared_parameters(a_full_shared_parameters(), version)
    _validate(schemas / f"globalconf/v{version}/shared-parameters.xsd", xml)


@pytest.mark.parametrize("version", SCHEMAS)
def test_private_parameters_of_every_version_are_valid(schemas: Path, version: int) -> None:
    xml = build_private_parameters(a_private_parameters(anchors=(PARTNER,)), version)
    _validate(schemas / f"globalconf/v{min(version, 3)}/private-parameters.xsd", xml)


def test_anchors_are_valid(schemas: Path) -> None:
    _validate(schemas / "globalconf/v2/private-parameters.xsd", build_anchor(PARTNER))


@pytest.mark.parametrize(
    ("schema", "xml"),
    [
        ("monitoring-conf.xsd", build_monitoring(CLIENT)),
        ("monitoring-conf.xsd", build_monitoring(None)),
        ("ocsp-nextupdate-conf.xsd", build_next_update(False)),
        ("ocsp-fetchinterval-conf.xsd", build_fetch_interval(600)),
    ],
)
def test_optional_parts_are_valid(schemas: Path, schema: str, xml: bytes) -> None:
    _validate(schemas / schema, xml)


def _mutations(xml: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the document with one element gone, doubled, moved down, renamed or given text."""
    count = len(list(etree.fromstring(xml).iter()))
    for number in range(1, count):
        for what in ("gone", "doubled", "moved", "renamed", "text"):
            root = etree.fromstring(xml)
            node = list(root.iter())[number]
            parent = node.getparent()
            assert parent is not None
            index = parent.index(node)
            if what == "gone":
                parent.remove(node)
            elif what == "doubled":
                parent.insert(index, etree.fromstring(etree.tostring(node)))
            elif what == "moved" and index + 1 < len(parent):
                parent.insert(index + 2, node)
            elif what == "renamed":
                node.tag = "{urn:other}x"
            else:
                node.tail = "words"
            yield f"{node.tag} {what}", etree.tostring(root)


# Where we refuse what the schema lets pass: it cannot say that a code is listed twice, and libxml2 checks no IDREF.
STRICTER = {"globalconf.duplicate", "globalconf.unknown_reference"}


@pytest.mark.parametrize("version", SCHEMAS)
def test_we_refuse_what_the_schema_refuses_and_hardly_more(schemas: Path, version: int) -> None:
    schema = etree.XMLSchema(file=str(schemas / f"globalconf/v{version}/shared-parameters.xsd"))
    for what, xml in _mutations(build_shared_parameters(a_full_shared_parameters(), version)):
        try:
            parse_shared_parameters(xml, version)
            refused = None
        except XRoadFault as fault:
            refused = fault.text_id
        if schema.validate(etree.fromstring(xml)):
            assert refused is None or refused in STRICTER, what
        else:
            assert refused is not None, what
