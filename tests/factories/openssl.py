"""The independent judge: OpenSSL's command line, or a skip with the reason."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def openssl(*words: str | Path, stdin: bytes = b"") -> str:
    """Run openssl, require success, and return everything it said."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    done = subprocess.run([program, *map(str, words)], input=stdin, capture_output=True, timeout=30)
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.returncode == 0, said
    return said
