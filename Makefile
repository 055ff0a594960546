# Everything works on a fresh clone: the first target that needs it makes .venv.
VENV   := .venv
BIN    := $(VENV)/bin
# The first that runs and is new enough: a name on the PATH may be a shim for nothing.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
STAMP  := $(VENV)/.installed
JOBS   ?= 2

.PHONY: help install demo test lint smoke bench check clean

help:  ## show this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## */\t/' | expand -t 12

install: $(STAMP)  ## make .venv and install kappa with all extras into it

$(STAMP): pyproject.toml
	@test -n "$(PYTHON)" || { echo "kappa needs Python 3.11 or newer: make PYTHON=/path/to/python"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing kappa and its extras into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev,demo]"
	@touch $(STAMP)

demo: $(STAMP)  ## a year of New York's flights: load, run, kill, replay, promote, report
	@$(BIN)/python -m examples.flights

test: $(STAMP)  ## all tests: package, doctests, examples, documentation
	$(BIN)/python -m pytest -q -n $(JOBS) tests
	$(BIN)/python -m pytest -q -n $(JOBS) --doctest-modules kappa examples

lint: $(STAMP)  ## style, formatting, types, layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy --strict examples benchmarks
	$(BIN)/lint-imports

smoke: $(STAMP)  ## every benchmark at its smallest size, so that none rots
	$(BIN)/python -m benchmarks --size smoke
	$(BIN)/python -m benchmarks.lake --size smoke

bench: $(STAMP)  ## every benchmark at its real size, each beside a plain loop
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.lake

check: lint test smoke  ## what runs before a merge

clean:  ## remove what was made, .venv included
	rm -rf $(VENV) demo-output build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
