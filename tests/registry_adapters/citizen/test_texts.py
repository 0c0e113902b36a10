"""Every sentence that a page shows is there in both languages, and none lies about unused."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from gateway.runtime import texts
from gateway.runtime.texts import fields_of
from registry_adapters.citizen.model import Source, State
from registry_adapters.citizen.settings import DEMO_REGISTRIES

ROOT = Path(__file__).parents[3] / "registry_adapters"
NAMED = re.compile(r"""["'](citizen|identity)\.([a-z_A-Z]+)["']""")
NUMBERED = re.compile(r"""tn\(["'](citizen|identity)\.([a-z_]+)["']""")
FORMS = ("one", "few", "many")
# Names that are put together: by a state, a source, a column, an operation.
COMPOSED = {
    "citizen": {
        *(f"source_{source.value}" for source in Source if source is not Source.SELF),
        *(f"{what}_{state.value}" for what in ("correction", "step") for state in State),
        *(f"column_{name}" for name in ("registry", "when", "organisation", "system", "why", "what", "ground",
                                        "case_number", "message_id", "remark")),
        "state_silent", "file_sealed",
    },
    "identity": set(),
}  # fmt: skip


def sources() -> str:
    files = [path for area in ("citizen", "citizen_identity") for path in sorted((ROOT / area).rglob("*"))]
    return "\n".join(path.read_text(encoding="utf-8") for path in files if path.suffix in (".py", ".html"))


def used(area: str) -> set[str]:
    written = sources()
    numbered = {name for found, name in NUMBERED.findall(written) if found == area}
    plain = {name for found, name in NAMED.findall(written) if found == area} - numbered - {"css"}
    prefixes = {"source_", "correction_", "step_"}
    return {
        *(name for name in plain if name not in prefixes),
        *(f"{name}_{form}" for name in numbered for form in FORMS),
        *COMPOSED[area],
    }


@pytest.mark.parametrize("area", ["citizen", "identity"])
def test_the_catalogue_holds_what_is_used_and_nothing_else(area: str) -> None:
    held = tomllib.loads((ROOT / "catalogues" / f"{area}.toml").read_text(encoding="utf-8"))
    names = {name for name in held if not name.startswith("operation_")}
    shown = {"site"} if area == "identity" else set()  # the title block of its layout
    assert used(area) | shown == names


@pytest.mark.parametrize("area", ["citizen", "identity"])
def test_both_languages_say_the_same_with_the_same_facts(area: str) -> None:
    held = tomllib.loads((ROOT / "catalogues" / f"{area}.toml").read_text(encoding="utf-8"))
    for name, sentence in held.items():
        assert set(sentence) == set(texts.LANGUAGES), name
        assert fields_of(sentence["en"]) == fields_of(sentence["uk"]), name
        assert sentence["en"] != sentence["uk"], name


def test_every_operation_of_the_registries_is_put_into_words() -> None:
    from registry_adapters.cli.serving import load_registry
    from registry_adapters.settings import RegistriesSettings

    held = tomllib.loads((ROOT / "catalogues" / "citizen.toml").read_text(encoding="utf-8"))
    for registry in DEMO_REGISTRIES:
        declared = load_registry(registry.name, getattr(RegistriesSettings(), registry.name))
        missing = {name for name in declared.soap.operations if f"operation_{name}" not in held}
        assert missing == set(), registry.name
