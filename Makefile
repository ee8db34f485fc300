# The commands of this repository. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCKED := --generate-hashes --no-emit-index-url --python-version 3.11 --custom-compile-command "make lock" -q

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

.PHONY: setup
setup: $(VENV)/.locked ## the Python environment, exactly as locked

$(VENV)/.locked: requirements/dev.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: lock
lock: ## write requirements/*.txt anew from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --all-extras $(LOCKED) -o requirements/dev.txt
	$(BIN)/uv pip compile pyproject.toml --extra gateway -c requirements/dev.txt $(LOCKED) -o requirements/gateway.txt
	$(BIN)/uv pip compile pyproject.toml --extra operator -c requirements/dev.txt $(LOCKED) -o requirements/operator.txt
	echo hatchling | $(BIN)/uv pip compile - -c requirements/dev.txt $(LOCKED) -o requirements/build.txt

.PHONY: lint
lint: setup ## ruff, mypy --strict, the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: setup ## ruff's own form of every file
	$(BIN)/ruff check --fix -q .
	$(BIN)/ruff format -q .

.PHONY: browser
browser: ## Chromium for the tests of the login page (Debian's package; installed when missing and root)
	@if command -v chromium >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "browser: installing Debian's chromium for the tests of the login page"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	else \
	  echo "browser: there is no chromium, and installing it needs root and apt-get: its tests are skipped (in CI they fail)"; \
	fi

.PHONY: test
test: lint browser ## everything: lint, types, import contracts, unit, protocol and end-to-end on a real cluster
	$(BIN)/pytest $(PYTEST_ARGS)

.PHONY: test-fast
test-fast: setup ## the tests that need no cluster
	$(BIN)/pytest -m "not e2e" $(PYTEST_ARGS)
