#!/usr/bin/env bash
# Make .venv from the hash-pinned requirements.lock: with uv where pip can bring it, else with pip alone.
set -euo pipefail
cd "$(dirname "$0")/.."
export UV_PYTHON_DOWNLOADS=never PIP_DISABLE_PIP_VERSION_CHECK=1

python=""
for candidate in python3.11 python3 python3.12 python3.13; do
  if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  echo "Surma needs Python 3.11 or newer: apt-get install -y python3.11 python3.11-venv" >&2
  exit 1
fi

version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  line="apt-get install -y ${version}-venv python3-pip"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Python's venv or pip is missing; running: $line" >&2
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive $line >/dev/null
  else
    echo "Python's venv or pip is missing. Install it with: sudo $line" >&2
    exit 1
  fi
fi

[ -x .venv/bin/python ] && .venv/bin/python -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear .venv
if .venv/bin/python -m pip install --quiet uv 2>/dev/null; then
  .venv/bin/uv pip install --quiet --compile-bytecode --python .venv/bin/python --require-hashes -r requirements.lock
  .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e . 2>/dev/null \
    || .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps -e .
else
  .venv/bin/python -m pip install --quiet --require-hashes -r requirements.lock
  .venv/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
fi
.venv/bin/python -m compileall -q gateway central_services registry_adapters
echo "Surma is set up in .venv ($version)."
