# Every recipe is silent and set-up talks on standard error, so that
# `make demo ARGS="--once --json"` leaves nothing but JSON on standard output.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
SHELL := /bin/bash

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PEERS := $(patsubst benchmarks/peers/%.txt,%,$(wildcard benchmarks/peers/*.txt))

.PHONY: help setup demo test check docs peers clean

help:  ## show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/\1|\2/' \
		| while IFS='|' read -r name text; do printf '  make %-8s %s\n' "$$name" "$$text"; done

setup: $(STAMP)  ## make .venv with Seatrial, everything it can use, and the tools (PYTHON=... chooses the interpreter)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Seatrial needs Python 3.11 or later; $(PYTHON) is " + sys.version.split()[0] + ". Choose another with: make setup PYTHON=...")' >&2
	@echo "setting up $(VENV) (once; about a minute)" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) >&2
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt -e '.[train,postgres,sql,dlt,demo,dev]' >&2
	@touch $(STAMP)

demo: $(STAMP)  ## run the whole loop on real flights (ARGS="--once --json" ends by itself and prints JSON)
	@$(BIN)/seatrial demo $(ARGS)

test: $(STAMP)  ## run all tests (ARGS="-k words" chooses some)
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(STAMP)  ## lint, format check, types, import contracts, generated pages
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/reference.py --check

docs: $(STAMP)  ## write docs/reference anew from the code
	@$(BIN)/python tools/reference.py

peers: $(addprefix .peers/,$(addsuffix /.installed,$(PEERS)))  ## make the environments of the systems compared with, one each in .peers/

.peers/%/.installed: benchmarks/peers/%.txt
	@echo "setting up .peers/$*" >&2
	@test -x .peers/$*/bin/python || $(PYTHON) -m venv .peers/$* >&2
	@.peers/$*/bin/python -m pip --disable-pip-version-check install --quiet -r $< >&2
	@touch $@

clean:  ## remove environments, caches and builds
	@rm -rf $(VENV) .peers build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find src tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
