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

.PHONY: test
test: lint ## everything: lint, types, import contracts, unit, protocol and end-to-end on a real cluster
	$(BIN)/pytest $(PYTEST_ARGS)

.PHONY: test-fast
test-fast: setup ## the tests that need no cluster
	$(BIN)/pytest -m "not e2e" $(PYTEST_ARGS)

# ---- the cluster and the images (tests/cluster) ----

.PHONY: cluster-up
cluster-up: setup ## a one-node Kubernetes on this machine (root); builds its programs the first time
	@$(BIN)/python -m tests.cluster up

.PHONY: cluster-down
cluster-down: setup ## take it away again, leaving nothing behind
	@$(BIN)/python -m tests.cluster down

.PHONY: images
images: setup ## build the images; push them too with REGISTRY=host/path [TAG=tag]
	@$(BIN)/python -m tests.cluster.images --registry "$(REGISTRY)" --tag "$(TAG)"
