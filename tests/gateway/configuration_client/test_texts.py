"""Every sentence that the configuration can say exists in both languages and asks for facts that are given."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.runtime.texts import LANGUAGES, catalogue

ROOT = Path(__file__).parents[3] / "gateway"
USED = {
    text_id
    for folder in ("xroad/globalconf", "configuration_client")
    for path in (ROOT / folder).glob("*.py")
    for text_id in re.findall(r'"((?:globalconf|configuration)\.[a-z0-9_]+)"', path.read_text())
}


def test_every_text_that_is_used_exists_in_every_language() -> None:
    assert USED
    assert not {text_id for text_id in USED if set(catalogue().get(text_id, {})) != set(LANGUAGES)}


def test_no_text_is_left_over() -> None:
    ours = {text_id for text_id in catalogue() if text_id.split(".")[0] in ("globalconf", "configuration")}
    assert ours == USED
