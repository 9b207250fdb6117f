# The words a person needs: make demo, make test, make check, make trial, make bench.
# Everything is installed into .venv; nothing outside this folder is touched.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES := $(shell nproc 2>/dev/null || echo 2)
export PIP_DISABLE_PIP_VERSION_CHECK = 1
.DEFAULT_GOAL := help

.PHONY: help demo test check trial bench format clean browser
help: ## show the words
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/digest: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Council Digest needs Python 3.11 or newer; this is " + sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (once, about a minute) ..."
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.dev: $(BIN)/digest pyproject.toml constraints.txt
	@echo "Installing what tests and checks need ..."
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(BIN)/digest ## sample councils from feed to letter, in ./demo
	@$(BIN)/digest demo --directory demo

test: $(VENV)/.dev ## every test at small size (minutes)
	@$(BIN)/python -m pytest -n $(CORES) --dist loadgroup

check: $(VENV)/.dev ## formatting, lint, types, layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest tests/unit/test_layers.py

format: $(VENV)/.dev ## put the code in form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

trial: $(VENV)/.dev ## crash, scale and long-time tests at full size
	@$(BIN)/python -m tests.trial

bench: $(VENV)/.dev ## each figure beside its floor, in one run
	@$(BIN)/python -m tests.benchmarks

clean: ## remove what make made
	rm -rf $(VENV) demo build dist
