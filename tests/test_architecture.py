"""Who may import whom, read from the sources with `ast`; a rule changes here, in the open."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("gateway", "central_services", "registry_adapters")

# The core's tiers: each imports only itself and what stands before it.
CORE_TIERS = (
    ("facts", "forms", "faults", "identifiers", "digests", "bodies", "xml", "mime"),
    ("soap", "rest", "pki"),
    ("globalconf",),
    ("signature",),
    ("transport", "asic", "management", "metadata", "monitoring", "ledger", "checkpoint"),
)
CORE_LIBRARIES = {"cryptography", "lxml"}

# Area of gateway -> areas it may import. `X.model` is allowed to everybody above the core, see below.
AREAS = {
    "xroad": set(),
    "runtime": set(),
    "serverconf": {"xroad", "runtime"},
    "signer": {"xroad", "runtime"},
    "configuration_client": {"xroad", "runtime"},
    "messagelog": {"xroad", "runtime"},
    "exchange": {"xroad", "runtime"},
    "consumer": {"exchange", "xroad", "runtime"},
    "provider": {"exchange", "xroad", "runtime"},
    # The pages and commands of auditors: over the log of a server, or over archives alone.
    "auditing": {"messagelog", "configuration_client", "xroad", "runtime"},
    "admin": {"auditing", "serverconf", "signer", "configuration_client", "messagelog", "exchange", "xroad", "runtime"},
    "migrations": {"serverconf", "signer", "messagelog", "xroad", "runtime"},
    "landscape": {"runtime"},
    "settings": {"messagelog", "runtime"},
    "paths": {"runtime", "settings"},
    "listeners": {"exchange", "xroad", "runtime"},
    "initialisation": {"paths", "runtime"},
    "main": {"*"},
    "archiving": {"*"},
    "cli": {"*"},
}
# The access rule is pure, and the provider asks it of the snapshot it holds.
PURE_EXCEPTIONS = {("provider", "gateway.serverconf.access")}

# Types that prove something are made in one module each.
MADE_ONLY_IN = {
    "VerifiedMessage": "gateway/xroad/signature/verify.py",
    "AuthorisedRequest": "gateway/provider/access.py",
    "BuiltInRequest": "gateway/provider/access.py",
}


def sources(package: str) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def imports_of(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_part_of(module: str, parent: str) -> bool:
    return module == parent or module.startswith(parent + ".")


def is_area_import(module: str) -> bool:
    parts = module.split(".")
    return parts[0] == "gateway" and len(parts) > 1


def test_gateway_package_itself_is_empty() -> None:
    assert (ROOT / "gateway" / "__init__.py").read_text() == ""


def test_core_imports_only_the_standard_library_cryptography_and_lxml() -> None:
    import sys

    allowed = set(sys.stdlib_module_names) | CORE_LIBRARIES
    wrong = [
        f"{path}: {module}"
        for path, tree in sources("gateway/xroad")
        for module in imports_of(tree)
        if not is_part_of(module, "gateway.xroad") and module.split(".")[0] not in allowed
    ]
    assert wrong == []


def test_core_tiers_import_only_to_their_left() -> None:
    tier_of = {name: number for number, names in enumerate(CORE_TIERS) for name in names}
    wrong = []
    for path, tree in sources("gateway/xroad"):
        mine = path.parts[2].removesuffix(".py")
        if mine in ("__init__", "schemas"):
            continue
        for module in imports_of(tree):
            parts = module.split(".")
            if parts[:2] == ["gateway", "xroad"] and len(parts) > 2 and tier_of[parts[2]] > tier_of[mine]:
                wrong.append(f"{path}: {module}")
    assert wrong == []


def test_core_does_no_input_or_output() -> None:
    forbidden = {"socket", "asyncio", "logging", "sqlite3", "subprocess", "tempfile", "pathlib", "time", "os", "random"}
    wrong = [
        f"{path}: {module}"
        for path, tree in sources("gateway/xroad")
        for module in imports_of(tree)
        if module.split(".")[0] in forbidden
    ]
    assert wrong == []


@pytest.mark.parametrize("area", sorted(AREAS))
def test_area_imports_only_what_the_table_allows(area: str) -> None:
    allowed = AREAS[area] | {area}
    if "*" in allowed:
        return
    wrong = []
    for path, tree in sources("gateway"):
        if path.parts[1].removesuffix(".py") != area:
            continue
        for module in imports_of(tree):
            if not is_area_import(module):
                continue
            target = module.split(".")[1]
            is_model = is_part_of(module, f"gateway.{target}.model")
            is_package = module.split(".") == ["gateway", target] or module == f"gateway.{target}"
            excepted = any(area == who and is_part_of(module, what) for who, what in PURE_EXCEPTIONS)
            if target not in allowed and not is_model and not excepted and not is_package:
                wrong.append(f"{path}: {module}")
    assert wrong == []


def test_every_area_of_the_gateway_stands_in_the_table() -> None:
    areas = {path.parts[1].removesuffix(".py") for path, _ in sources("gateway")} - {"__init__", "__main__"}
    assert areas <= set(AREAS)


@pytest.mark.parametrize("package", ["central_services", "registry_adapters"])
def test_other_packages_use_only_the_core_and_the_runtime(package: str) -> None:
    others = {name for name in PACKAGES if name != package}
    wrong = []
    for path, tree in sources(package):
        for module in imports_of(tree):
            top = module.split(".")[0]
            if top not in others:
                continue
            if not (is_part_of(module, "gateway.xroad") or is_part_of(module, "gateway.runtime")):
                wrong.append(f"{path}: {module}")
    assert wrong == []


@pytest.mark.parametrize("name", sorted(MADE_ONLY_IN))
def test_types_that_prove_something_are_made_in_one_module(name: str) -> None:
    makers = {
        str(path)
        for package in PACKAGES
        for path, tree in sources(package)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (getattr(node.func, "id", None) == name or getattr(node.func, "attr", None) == name)
    }
    assert makers == {MADE_ONLY_IN[name]}


def test_runtime_knows_nothing_of_xroad() -> None:
    wrong = [
        f"{path}: {module}"
        for path, tree in sources("gateway/runtime")
        for module in imports_of(tree)
        if is_part_of(module, "gateway.xroad")
    ]
    assert wrong == []
