# Everything a developer or a machine runs. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV ?= .venv
BIN := $(VENV)/bin
PROTOS ?= protos
BUILD := build/proto
PYTEST_ARGS ?=
BENCH_ARGS ?=
# The newest supported interpreter that is installed; override with PYTHON=/path/to/python3.12.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
DEMO_DIR ?= demo
DATA_DIR ?= data

.PHONY: help setup setup-dev demo serve test check format lint types imports \
	proto proto-lint proto-breaking proto-drift proto-baseline stress bench bench-gpu openapi schemas env-example lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

# ---------------------------------------------------------------------------- set-up
setup: $(VENV)/.stamp-suite ## Create .venv with everything that `demo` and `serve` need

setup-dev: $(VENV)/.stamp-dev ## Create .venv with the test servers and tools as well

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || deploy/apt-install.sh python3-venv
	$(PYTHON) -m venv $(VENV)

# pip compiles on one core what it installs, 19,000 files for the tests: they do it on all of them
# below, and the suite alone at its first start, which needs a tenth of them.
PIP = PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt
SITE = $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')

$(VENV)/.stamp-suite: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[suite]'
	@touch $@

$(VENV)/.stamp-dev: pyproject.toml constraints.txt | $(BIN)/python
	@deploy/apt-install.sh libatomic1 fonts-dejavu-core chromium
	$(PIP) -e '.[suite,dev]'
	@deploy/pip-engines.sh $(BIN)/python
	@$(BIN)/python -m compileall -q -q -j 0 $(SITE) || true # some packages carry templates that are no Python
	@touch $@ $(VENV)/.stamp-suite

# ---------------------------------------------------------------------------- run
demo: setup ## Make one video from a prompt: no key, no GPU, no server to install
	$(BIN)/reelmesh demo

serve: setup ## Run every service in one process, data in ./data
	$(BIN)/reelmesh serve --data-dir $(DATA_DIR)

# ---------------------------------------------------------------------------- verify
test: check ## Every check and every test, on real servers; the failed ones once more, alone
	$(BIN)/python -m tests.run $(PYTEST_ARGS)

check: setup-dev ## Format, lint, types, import contracts, protos, two at a time
	@$(MAKE) --jobs 2 --output-sync=target types imports lint proto-lint proto-breaking proto-drift

lint: setup-dev ## Formatting and ruff's rules
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .

types: setup-dev ## mypy --strict
	$(BIN)/mypy

imports: setup-dev ## Who may import whom
	$(BIN)/lint-imports

format: setup-dev ## Rewrite the sources in the house format
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

stress: setup-dev ## Kill, flood and starve the services; slow
	$(BIN)/python -m pytest -q -m stress --timeout 600 -n 0 $(PYTEST_ARGS)

bench: setup-dev ## Measure what we promise, print the table
	$(BIN)/python -m benchmarks

bench-gpu: setup-dev ## Local models against stock diffusers on this machine's GPU
	$(BIN)/python -m benchmarks.gpu $(BENCH_ARGS)

# ---------------------------------------------------------------------------- contract
PROTOC = $(BIN)/python -m grpc_tools.protoc -I$(PROTOS) -I"$(SITE)"
PROTO_FILES = $$(cd $(PROTOS) && find reelmesh -name '*.proto' | LC_ALL=C sort)

.PHONY: generated
generated: setup-dev
	@rm -rf $(BUILD)/generated && mkdir -p $(BUILD)/generated
	@PATH="$(abspath $(BIN)):$$PATH" $(PROTOC) --python_out=$(BUILD)/generated --mypy_out=quiet:$(BUILD)/generated \
		--grpc_python_out=$(BUILD)/generated --mypy_grpc_out=quiet:$(BUILD)/generated $(PROTO_FILES)
	@find $(BUILD)/generated/reelmesh -type d -exec touch {}/__init__.py \;
	@touch $(BUILD)/generated/reelmesh/py.typed

proto: generated ## Regenerate reelmesh/ from protos/
	rm -rf $(BUILD)/old && { test ! -e reelmesh || mv reelmesh $(BUILD)/old; }
	mv $(BUILD)/generated/reelmesh reelmesh

$(BUILD):
	@mkdir -p $@

.PHONY: described
described: setup-dev | $(BUILD)
	@$(PROTOC) --include_imports --include_source_info --descriptor_set_out=$(BUILD)/source.binpb $(PROTO_FILES)

proto-lint: described ## buf STANDARD + COMMENTS on the protos
	$(BIN)/buf lint $(BUILD)/source.binpb --config buf.yaml

proto-breaking: described ## Changes against protos/baseline.binpb that would break a client
	$(BIN)/buf breaking $(BUILD)/source.binpb --against protos/baseline.binpb --config buf.yaml

proto-drift: generated ## Does reelmesh/ still match protos/?
	diff -r --brief --exclude=__pycache__ $(BUILD)/generated/reelmesh reelmesh

proto-baseline: setup-dev ## Accept the present protos as what clients rely on
	$(PROTOC) --include_imports --descriptor_set_out=protos/baseline.binpb $(PROTO_FILES)

# ---------------------------------------------------------------------------- housekeeping
openapi: setup-dev ## Write the gateway's OpenAPI document from the protos
	$(BIN)/python -m services.gateway.openapi

schemas: setup-dev | $(BUILD) ## Write the JSON schemas of the files that people write
	$(BIN)/python -m services.orchestrator.convert.shot_list > $(BUILD)/shots.json && mv $(BUILD)/shots.json docs/schemas/shots.schema.json

env-example: setup-dev | $(BUILD) ## Write .env.example from the settings classes
	$(BIN)/python -m tests.env_example > build/env.example && mv build/env.example .env.example

lock: setup-dev ## Write the versions installed now to constraints.txt
	$(BIN)/python -m pip freeze --exclude-editable | grep -v -i -E '^(pip|setuptools|torch|nvidia-.*|triton)==' > constraints.tmp
	mv constraints.tmp constraints.txt && touch $(VENV)/.stamp-suite $(VENV)/.stamp-dev

clean: ## Remove what was built; keep .venv and data
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis $(DEMO_DIR)
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
