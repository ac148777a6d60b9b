# `make` alone lists the targets.
PYTHON ?= python3
STACK ?= dev
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help run test check bench up preview down sandbox sandbox-down lock clean

help: ## list the targets
	@grep -hE '^[a-z -]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z -]+):.*## /  make \1\t/' | expand -t 28

run: $(VENV)/.installed ## draw the Mandelbrot picture and print the speed-up table, on this machine
	$(BIN)/piray run mandelbrot $(ARGS)

test: $(VENV)/.installed-dev ## run every test that this machine can run
	$(BIN)/pytest -n 2 $(ARGS)

check: $(VENV)/.installed-dev ## check format, lint, types, imports, shell scripts, workflows
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/shellcheck -x infra/*/*.sh infra/*/*/*.sh $(wildcard sandbox/*/*.sh) .ci/run .ci/packages .github/scripts/*.sh
	$(BIN)/zizmor --offline --quiet .github

up preview down: $(VENV)/.installed ## apply, preview or remove a stack, for example: make up STACK=home
	@$(BIN)/python -m infra.pulumi_cli $@ "$(STACK)" $(ARGS)

bench: $(VENV)/.installed-bench ## measure what the project promises, against other programs in the same run
	$(BIN)/python -m bench

sandbox: $(VENV)/.installed ## make simulated Pis on this machine, apply the program to them, run the benchmark
	@$(BIN)/python -m sandbox up $(ARGS)

sandbox-down: $(VENV)/.installed ## remove the simulated Pis and all that belongs to them
	@$(BIN)/python -m sandbox down

lock: ## resolve the dependencies anew (needs uv)
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	  --no-annotate --python-version 3.11 --extra build pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	  --no-annotate --python-version 3.11 --extra build --extra dev -c requirements.lock pyproject.toml \
	  -o requirements-dev.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	  --no-annotate --python-version 3.11 --extra build --extra bench -c requirements.lock pyproject.toml \
	  -o requirements-bench.lock

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else \
	  "piray: %s is Python %d.%d; it needs 3.11, 3.12 or 3.13: make … PYTHON=python3.12" % (sys.executable, *v))'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.installed-bench: requirements-bench.lock $(VENV)/.installed
	$(BIN)/pip install --quiet --require-hashes -r requirements-bench.lock
	@touch $@
