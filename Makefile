# Two commands do everything: `make run` brings the hub up, `make test` proves it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: run test lint simulate bench lock translations clean
.DELETE_ON_ERROR:

run: $(VENV)/.run
	@exec $(BIN)/hub up

test: $(VENV)/.dev
	@$(BIN)/python tests/run.py

lint: $(VENV)/.dev
	@$(BIN)/python tests/run.py --lint-only

# 100,000 simulated schedules on all cores; SEED=n shows one with its history.
simulate: $(VENV)/.dev
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED)) $(if $(SCHEDULES),--schedules $(SCHEDULES))

bench: $(VENV)/.dev
	@$(BIN)/python -m benchmarks

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "kassahub needs Python 3.11 or newer, this is %d.%d: make run PYTHON=python3.12" % sys.version_info[:2])'
	@$(PYTHON) -m venv $(VENV)

# --no-deps after the locked set: hashes in a constraints file would refuse the local project.
$(VENV)/.run: requirements.lock setup.py | $(VENV)/bin/python
	@echo "Installing what the hub needs (once, a minute or so) ..."
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --require-hashes -r requirements-build.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q hub plugins templates
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	@echo "Installing what the tests need (once) ..."
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

# Needs the package `uv`; only for whoever changes the requirements.
lock:
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  requirements.in requirements-postgresql.in requirements-redis.in -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  requirements-build.in -o requirements-build.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  requirements.in requirements-postgresql.in requirements-redis.in requirements-dev.in -o requirements-dev.lock

translations: $(VENV)/.dev
	@$(BIN)/python -m hub.web.translations

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
