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
	@echo "setup: the locked Python environment, in $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: lock
lock: ## write requirements/*.txt anew from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --all-extras $(LOCKED) -o requirements/dev.txt
	$(BIN)/uv pip compile pyproject.toml --extra gateway -c requirements/dev.txt $(LOCKED) -o requirements/gateway.txt
	$(BIN)/uv pip compile pyproject.toml --extra operator -c requirements/dev.txt $(LOCKED) -o requirements/operator.txt
	$(BIN)/uv pip compile pyproject.toml --extra login -c requirements/dev.txt $(LOCKED) -o requirements/login.txt
	echo openai | $(BIN)/uv pip compile - -c requirements/dev.txt $(LOCKED) -o requirements/e2e-client.txt
	echo hatchling | $(BIN)/uv pip compile - -c requirements/dev.txt $(LOCKED) -o requirements/build.txt

.PHONY: settings
settings: setup ## write .env.example and the tables of docs/gateway.md anew from the settings
	$(BIN)/lingma-gateway settings --env-example > .env.example.new && mv .env.example.new .env.example
	$(BIN)/lingma-gateway settings --markdown docs/gateway.md > docs/gateway.md.new && mv docs/gateway.md.new docs/gateway.md

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

CLIENTS := tests/clients

.PHONY: clients
clients: ## the released clients of the tests (Claude Code, Codex, the JavaScript SDKs), as locked; needs npm
	@if command -v npm >/dev/null; then $(MAKE) -s $(CLIENTS)/node_modules/.locked; \
	else echo "clients: there is no npm: their tests are skipped (in CI they fail)"; fi

$(CLIENTS)/node_modules/.locked: $(CLIENTS)/package-lock.json
	@echo "clients: installing the released clients of the tests, in $(CLIENTS)/node_modules"
	@cd $(CLIENTS) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: test
test: lint browser clients e2e-ready ## everything: lint, types, contracts, unit, protocol, and end-to-end on a real cluster
	KUBE_CONTEXT="$(KUBE_CONTEXT)" $(BIN)/pytest $(PYTEST_ARGS)

# What takes minutes the first time, before pytest, which would hide its progress. Where it cannot be had, the
# end-to-end tests say why: a failure in CI, a skip elsewhere.
.PHONY: e2e-ready
e2e-ready: setup
	-@test -n "$(KUBE_CONTEXT)" || $(BIN)/python -m tests.cluster up
	-@$(BIN)/python -m tests.cluster.images

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

# ---- the chart and the demo ----

.PHONY: crds
crds: setup ## the CRD anew from the operator's models, for the repository and the chart
	$(BIN)/lingma-operator crd > crds/lingmaaccounts.lingma.dev.yaml
	cp crds/lingmaaccounts.lingma.dev.yaml charts/lingma-operator/files/

.PHONY: demo
demo: setup ## two accounts and a chat on a real Kubernetes; KUBE_CONTEXT=name [REGISTRY=host/path] takes yours
	@$(BIN)/python -m demo up --context "$(KUBE_CONTEXT)" --registry "$(REGISTRY)"

.PHONY: demo-down
demo-down: setup ## remove what `make demo` made
	@$(BIN)/python -m demo down --context "$(KUBE_CONTEXT)"
