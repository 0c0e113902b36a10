from __future__ import annotations

import subprocess
import sys

import pytest

import registry_adapters.sdk as sdk


@pytest.mark.parametrize("name", sdk.__all__)
def test_name_is_there(name: str) -> None:
    assert getattr(sdk, name).__name__ == name


def test_unknown_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="Registri"):
        _ = sdk.Registri


def test_package_alone_loads_nothing_of_it() -> None:
    counted = "sum(name.startswith('registry_adapters.sdk.') for name in sys.modules)"
    said = f"import sys, registry_adapters.sdk; print({counted})"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "0\n"
