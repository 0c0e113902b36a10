# The daily commands. Each sets up what it needs; a second run starts at once.
SHELL := /bin/bash
.DEFAULT_GOAL := help
STAMP := .venv/.ready
PY := .venv/bin/python
ARGS ?=
ONLY ?=
FOR ?=

.PHONY: help setup demo test lint types bench fuzz crash counter lock packages

help:  ## List the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

setup: $(STAMP)  ## Make .venv from requirements.lock

$(STAMP): requirements.lock pyproject.toml config/setup.sh
	@bash config/setup.sh
	@touch $(STAMP)

demo: setup  ## Run a whole federation on this machine; Ctrl-C stops it
	@exec .venv/bin/surma demo $(ARGS)

packages: setup
	@bash config/test-packages.sh

test: setup packages  ## Run the tests, two processes side by side
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: setup  ## Check style
	@.venv/bin/ruff check . && .venv/bin/ruff format --check .

types: setup  ## Check types
	@.venv/bin/mypy

bench: setup  ## Measure; ONLY=chain for one; results in build/bench
	@$(PY) -m tests.benchmarks $(ONLY) $(ARGS)

fuzz: setup  ## Feed the parsers; FOR=60 for a minute each
	@$(PY) -m tests.fuzz --seconds $(or $(FOR),30) $(ARGS)

crash: setup packages  ## Kill gateways under load, and the log's writers at every kind of write
	@SURMA_CRASH_KILLS=$${SURMA_CRASH_KILLS:-10} SURMA_CRASH_POINTS=$${SURMA_CRASH_POINTS:-300} \
	  $(PY) -m pytest tests/scenarios/test_crash.py tests/scenarios/test_evidence_crash.py $(ARGS)

counter: setup packages  ## Every life event in a browser, each registry in turn down, slow and contradicting
	@SURMA_COUNTER_MATRIX=1 $(PY) -m pytest tests/registry_adapters/snap/test_matrix.py -n 2 $(ARGS)

lock: setup  ## Renew requirements.lock from pyproject.toml
	@.venv/bin/python -m pip install --quiet uv 2>/dev/null || true
	@.venv/bin/uv pip compile pyproject.toml --extra dev --generate-hashes --universal --python-version 3.11 \
	  --no-header --no-annotate --no-emit-index-url --quiet -o requirements.lock $(ARGS)
