# `make` alone lists the targets.
PYTHON ?= python3
STACK ?= dev
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
# Makes .venv, or repairs it, and fills it: run, dev or bench.
INSTALL := $(PYTHON) -m installation

ifeq ($(OS),Windows_NT)
$(error piray needs Linux or macOS: on Windows, install WSL2 (wsl --install in PowerShell as administrator) and run make in its Ubuntu)
endif

.DEFAULT_GOAL := help
.PHONY: help run test check bench up preview down sandbox sandbox-down lock clean install-run install-dev install-bench

help: ## list the targets
	@grep -hE '^[a-z -]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z -]+):.*## /  make \1\t/' | expand -t 28

run: install-run ## draw the Mandelbrot picture and print the speed-up table, on this machine
	$(BIN)/piray run mandelbrot $(ARGS)

test: install-dev ## run every test that this machine can run
	$(BIN)/pytest -n 2 $(ARGS)

check: install-dev ## check format, lint, types, imports, shell scripts, workflows
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/shellcheck -x infra/*/*.sh infra/*/*/*.sh $(wildcard sandbox/*/*.sh) .ci/run .ci/packages .github/scripts/*.sh
	$(BIN)/zizmor --offline --quiet .github

up preview down: install-run ## apply, preview or remove a stack, for example: make up STACK=home
	@$(BIN)/python -m infra.pulumi_cli $@ "$(STACK)" $(ARGS)

bench: install-bench ## measure what the project promises, against other programs in the same run
	$(BIN)/python -m bench

sandbox: install-run ## make simulated Pis on this machine, apply the program to them, run the benchmark
	@$(BIN)/python -m sandbox up $(ARGS)

sandbox-down: install-run ## remove the simulated Pis and all that belongs to them
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
	echo uv | uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	  --no-annotate --python-version 3.11 - -o requirements-installer.lock

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info

install-run install-dev install-bench:
	@command -v $(PYTHON) >/dev/null || { echo 'piray: there is no $(PYTHON): install Python 3.11, 3.12 or 3.13' \
	  '(Debian, Ubuntu: sudo apt install python3-venv; Fedora: sudo dnf install python3; macOS: brew install python@3.12)' \
	  >&2; exit 1; }
	@$(INSTALL) $(@:install-%=%)
