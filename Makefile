# Everything runs in .venv, which is made here when it is first needed and made anew when
# pyproject.toml or constraints.txt change. Works with GNU Make 3.81 and later.

SHELL := /bin/sh
BIN := .venv/bin
READY := .venv/.ready
# Handed on: make test ARGS='-m slow', make bench ARGS=start
ARGS :=
# The interpreter .venv is made with; the newest found unless named: make PYTHON=python3.12 test
PYTHON :=

LOCK := uv pip compile pyproject.toml --extra postgres --extra keyring --group lock --universal --python-version 3.11 --upgrade \
	--generate-hashes --no-annotate --no-header --no-python-downloads --quiet

.DEFAULT_GOAL := help
.PHONY: docs pictures help demo test check contract bench lock clean

help:
	@echo 'make demo      the server at work on a pretend account; needs no key'
	@echo 'make test      the tests; ARGS goes to pytest'
	@echo 'make check     lint, format, types, and the published contract against the code'
	@echo 'make contract  write tools/*.json and tools/README.md from the code'
	@echo 'make docs      write the parts of README and docs that are made from the code'
	@echo 'make pictures  record the demo again for README and docs'
	@echo 'make bench     measure start-up, calls, the pace, memory and tokens; takes six minutes'
	@echo 'make lock      refresh the pinned versions in constraints.txt'
	@echo 'make clean     remove all that the above made, .venv included'

$(READY): pyproject.toml constraints.txt scripts/setup
	@scripts/setup .venv '$(PYTHON)'
	@touch $(READY)

demo: $(READY)
	@$(BIN)/telnyx-account-mcp demo $(ARGS)

test: $(READY)
	@$(BIN)/python -m pytest -n auto $(ARGS)

check: $(READY)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m telnyx_mcp.contract --check

docs: $(READY)
	@$(BIN)/python -m tests.docs.blocks

pictures: $(READY)
	@$(BIN)/python -m tests.docs.picture

contract: $(READY)
	@$(BIN)/python -m telnyx_mcp.contract

bench: $(READY)
	@$(BIN)/python -m benchmarks $(ARGS)

# Names, versions and hashes for every supported Python on Linux, macOS and Windows: no addresses.
lock: $(READY)
	@command -v uv >/dev/null || $(BIN)/python -m pip install --disable-pip-version-check -qq uv
	@PATH="$(BIN):$$PATH" $(LOCK) --output-file .venv/constraints.txt
	@if grep -n '://' .venv/constraints.txt; then echo 'lock: an address has got in' >&2; exit 1; fi
	@{ echo '# Every dependency, its version and its hashes. Written by `make lock`.'; \
		cat .venv/constraints.txt; } > constraints.txt
	@echo "lock: $$(grep -c '==' constraints.txt) packages in constraints.txt"

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis dist build
	find telnyx_mcp tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
