# `make` sets up .venv and runs the main job; `make test` checks everything; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed

.PHONY: all test check bench clean help

all: $(STAMP)  ## set up, and classify digits on the generated array
	@$(VENV)/bin/polymac run digits

$(STAMP): pyproject.toml
	@echo "setting up $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

check: $(STAMP)  ## lint, layout, types, import rules
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/basedpyright
	@$(VENV)/bin/lint-imports --no-cache > build-lint.log || { cat build-lint.log; rm build-lint.log; exit 1; }; rm -f build-lint.log

test: check  ## check, then every test on every core
	@mkdir -p build
	@$(VENV)/bin/pytest -q -n auto --junitxml build/junit.xml

bench: $(STAMP)  ## evaluations per second of the native simulator and of golden
	@$(VENV)/bin/python tests/bench.py

clean:  ## remove the environment and everything generated
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'
