# `make` sets up .venv and runs the main job; `make test` checks everything; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
# What a type checker needs, since it does not see through the finder of an editable install.
LINK := build/python/polymac
PYTEST = $(VENV)/bin/pytest -q -n auto --dist worksteal --junitxml build/junit.xml

.PHONY: all test test-all check oracles exhaustive faults qor page docs-figures bench clean help

# build/ is this checkout's own: what an older polymac wrote there may be replaced.
all: $(STAMP)  ## set up, and classify digits on the generated array
	@$(VENV)/bin/polymac run digits --force

$(STAMP): pyproject.toml
	@echo "setting up $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[browser,digits,page,plot,test]'
	@touch $@

$(LINK):
	@mkdir -p $(@D)
	@ln -s ../.. $@

check: $(STAMP) $(LINK)  ## lint, layout, types, import rules
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/basedpyright
	@$(VENV)/bin/lint-imports --no-cache > build/imports.log || { cat build/imports.log; exit 1; }

test: check  ## check, then the tests on every core
	@$(PYTEST)

test-all: check  ## check, then all tests, the slow ones too
	@$(PYTEST) -m 'slow or not slow'

oracles: $(STAMP)  ## compare golden with implementations by others, some 6 GB of packages, and on all 2^32 products of 16-bit floats
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[browser,digits,page,plot,test,oracles]'
	@$(VENV)/bin/pytest -q -n auto -m 'slow or not slow' tests/golden -k 'oracle or softposit or titanfp or accelerators or published'

exhaustive: $(STAMP)  ## multipliers on all 2^32 operand pairs; an hour or more, resumes where it was stopped
	@$(VENV)/bin/python tests/campaigns/exhaustive.py

faults: $(STAMP)  ## break Verilog and golden in hundreds of ways, and say what nobody noticed; an hour
	@$(VENV)/bin/python tests/campaigns/faults.py
	@$(VENV)/bin/python tests/campaigns/faults_golden.py

qor: $(STAMP)  ## fail if a unit has grown by more than 3 % over tests/bench/qor_baseline.json
	@$(VENV)/bin/python tests/bench/qor.py

page: $(STAMP)  ## the page of the default comparison, build/front.html; minutes, seconds when its results are kept
	@$(VENV)/bin/polymac compare --matched --accuracy --digits --output build/front.csv --html build/front.html --force

docs-figures: page  ## write the figures of README and docs: docs/figures/
	@mkdir -p docs/figures
	@cp build/front.csv docs/figures/front.csv
	@$(VENV)/bin/polymac report docs/figures/front.csv --svg docs/figures --markdown docs/figures/front.md --force

bench: $(STAMP)  ## speed of simulator and golden as ratios to others, areas beside others, and how all have changed; an hour
	@$(VENV)/bin/python tests/bench/simulator.py
	@$(VENV)/bin/python tests/bench/golden.py
	@$(VENV)/bin/python tests/bench/gemm.py
	@$(VENV)/bin/python tests/bench/area.py
	@$(VENV)/bin/python tests/bench/area.py --fpga
	@$(VENV)/bin/python tests/bench/area_sums.py
	@$(VENV)/bin/python tests/bench/generate.py
	@$(VENV)/bin/python tests/bench/history.py build/bench_history.jsonl --table
	@$(VENV)/bin/python tests/bench/history.py build/bench_history.jsonl --plot build/bench_history.svg

clean:  ## remove the environment and everything generated
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10
