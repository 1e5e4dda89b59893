# Everything runs in .venv. It is created when it is first needed, and again when pyproject.toml or
# constraints.txt change. Works with GNU Make 3.81 and later.

SHELL := /bin/sh
BIN := .venv/bin
READY := .venv/.ready
# Passed on: make test ARGS='-m slow', make bench ARGS=start
ARGS :=
# The interpreter .venv is made with; the newest found unless named: make PYTHON=python3.12 test
PYTHON :=
# Third-party clients and test suites, through npm
INTEROP := tests/interop
CLIENTS := $(INTEROP)/node_modules/.ready
# An identity provider, for the service's tests and its demo
PROVIDER := tests/service/provider
IDENTITY := $(PROVIDER)/node_modules/.ready
# Assistants as users have them
HOSTS := $(INTEROP)/hosts
ASSISTANTS := $(HOSTS)/node_modules/.ready

LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header --no-python-downloads --quiet
EVERYTHING := --extra postgres --extra keyring --extra service --group lock --upgrade

.DEFAULT_GOAL := help
.PHONY: help demo service-demo test interop interop-hosts bundle check contract spec docs pictures bench metrics mutants lock interop-lock release-check clean

help:
	@echo 'make demo      a tour of the server on a sandbox account; needs no key'
	@echo 'make service-demo  the service for a team on this machine, and a payment that two people make'
	@echo 'make test      run the tests; ARGS goes to pytest'
	@echo 'make interop   run the conformance suite and third-party clients; needs npm, takes two minutes'
	@echo 'make interop-hosts  try real assistants, such as Claude Code; needs npm, and two gigabytes'
	@echo 'make bundle    dist/telnyx-account-mcp.mcpb, for Claude Desktop; needs npm'
	@echo 'make check     lint, format, types, and the published contract against the code'
	@echo 'make contract  generate tools/ and the book of the front from the code'
	@echo 'make spec      generate tests/spec/*.json from the OpenAPI document, where that is'
	@echo 'make docs      generate server.json and parts of README and docs from the code'
	@echo 'make pictures  record the demo again for README and docs'
	@echo 'make bench     measure start-up, calls, the pace, memory and tokens; takes several minutes'
	@echo 'make metrics   measure the code: sizes, comments, types, repetition'
	@echo 'make mutants   change one thing in the code at a time: do the tests notice? takes an hour'
	@echo 'make lock      update the pinned versions in constraints.txt'
	@echo 'make interop-lock  update the pinned versions of npm packages'
	@echo 'make release-check  everything for a release up to the upload; takes two minutes'
	@echo 'make clean     remove everything that these commands created, .venv included'

$(READY): pyproject.toml constraints.txt scripts/setup
	@scripts/setup .venv '$(PYTHON)'
	@touch $(READY)

demo: $(READY)
	@$(BIN)/telnyx-account-mcp demo $(ARGS)

# Needs PostgreSQL, HAProxy and Node.js.
service-demo: $(READY) $(IDENTITY)
	@$(BIN)/python -m scripts.service_demo $(ARGS)

# Where the environment keeps Python from writing bytecode, every process of a test would compile the sources.
test: $(READY)
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto $(ARGS)

interop: $(READY) $(CLIENTS) $(IDENTITY)
	@$(BIN)/python -m pytest -m interop $(ARGS) $(INTEROP) tests/service

$(CLIENTS): $(INTEROP)/package.json $(INTEROP)/package-lock.json
	@command -v npm >/dev/null || { echo 'interop: needs npm; it comes with Node.js' >&2; exit 1; }
	@cd $(INTEROP) && npm ci
	@touch $(CLIENTS)

$(IDENTITY): $(PROVIDER)/package.json $(PROVIDER)/package-lock.json
	@command -v npm >/dev/null || { echo 'interop: needs npm; it comes with Node.js' >&2; exit 1; }
	@cd $(PROVIDER) && npm ci
	@touch $(IDENTITY)

interop-hosts: $(READY) $(ASSISTANTS)
	@$(BIN)/python -m pytest -m interop $(ARGS) $(INTEROP)/test_hosts.py

$(ASSISTANTS): $(HOSTS)/package.json $(HOSTS)/package-lock.json
	@command -v npm >/dev/null || { echo 'interop-hosts: needs npm; it comes with Node.js' >&2; exit 1; }
	@cd $(HOSTS) && npm ci
	@touch $(ASSISTANTS)

# A bundle for Claude Desktop, validated and packed by the tool of its makers.
bundle: $(READY) $(CLIENTS)
	@rm -rf build/bundle && mkdir -p dist
	@$(BIN)/python -m scripts.generate.manifests bundle build/bundle
	@$(INTEROP)/node_modules/.bin/mcpb validate build/bundle/manifest.json
	@$(INTEROP)/node_modules/.bin/mcpb pack build/bundle dist/telnyx-account-mcp.mcpb

check: $(READY)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m scripts.check_words
	$(BIN)/python -m scripts.generate.contract --check
	$(BIN)/python -m scripts.generate.book --check

docs: $(READY)
	@$(BIN)/python -m scripts.generate.manifests
	@$(BIN)/python -m scripts.generate.docs
	@$(BIN)/python -m scripts.generate.tokens
	@$(BIN)/python -m scripts.generate.faults
	@$(BIN)/python -m scripts.generate.security
	@$(BIN)/python -m scripts.generate.hosts
	@$(BIN)/python -m scripts.generate.client_pages
	@$(BIN)/python -m scripts.generate.plugin

pictures: $(READY)
	@$(BIN)/python -m scripts.generate.pictures

contract: $(READY)
	@$(BIN)/python -m scripts.generate.contract
	@$(BIN)/python -m scripts.generate.book

spec: $(READY)
	@$(BIN)/python -m scripts.generate.spec $(ARGS)

bench: $(READY)
	@$(BIN)/python -m benchmarks $(ARGS)

metrics: $(READY)
	@$(BIN)/python -m scripts.metrics $(ARGS)

mutants: $(READY)
	@$(BIN)/python -m scripts.mutants $(ARGS)

# Names, versions and hashes for every supported Python on Linux, macOS and Windows: no addresses.
# requirements.txt is the part of it that the server itself needs, for the bundle; with the service's,
# for the image, requirements-service.txt.
lock: $(READY)
	@command -v uv >/dev/null || $(BIN)/python -m pip install --disable-pip-version-check -qq uv
	@PATH="$(BIN):$$PATH" $(LOCK) $(EVERYTHING) --output-file .venv/constraints.txt
	@PATH="$(BIN):$$PATH" $(LOCK) --constraints .venv/constraints.txt --output-file .venv/requirements.txt
	@PATH="$(BIN):$$PATH" $(LOCK) --extra service --constraints .venv/constraints.txt \
		--output-file .venv/requirements-service.txt
	@if grep -n '://' .venv/*.txt; then echo 'lock: an address has got in' >&2; exit 1; fi
	@{ echo '# Every dependency, its version and its hashes. Written by `make lock`.'; \
		cat .venv/constraints.txt; } > constraints.txt
	@{ echo '# What the server itself needs, out of constraints.txt. Written by `make lock`.'; \
		cat .venv/requirements.txt; } > requirements.txt
	@{ echo '# What the server and the service need, out of constraints.txt. Written by `make lock`.'; \
		cat .venv/requirements-service.txt; } > requirements-service.txt
	@echo "lock: $$(grep -c '==' constraints.txt) packages in constraints.txt"

# The same for npm, in a folder without node_modules: npm would keep the versions found there.
interop-lock: $(READY)
	@for each in $(INTEROP) $(HOSTS) $(PROVIDER); do \
		rm -rf .venv/interop && mkdir .venv/interop && \
		cp $$each/package.json $$each/.npmrc .venv/interop && \
		(cd .venv/interop && npm install --package-lock-only) && \
		$(BIN)/python -m tests.interop.lock .venv/interop/package-lock.json $$each/package-lock.json || exit 1; \
	done

release-check: $(READY)
	@$(BIN)/python -m scripts.release_check

clean:
	rm -rf $(INTEROP)/node_modules $(HOSTS)/node_modules $(PROVIDER)/node_modules .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis dist build
	find telnyx_mcp tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
