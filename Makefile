# Two commands do all the set-up they need: `make demo` and `make test`. Everything goes into .venv, nothing is global.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

# Real daemons, relays and clocks beside each other on few cores: what fails among the others must pass alone, and is told.
twice = $(BIN)/python -m pytest $(1) || { [ $$? = 1 ] && echo "== once more, alone, what failed above" && \
	$(BIN)/python -m pytest $(2) -n 0 --last-failed --last-failed-no-failures none; }

.DEFAULT_GOAL := help
.PHONY: help demo test lab check format lint types imports bench bench-peers clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: $(READY) ## sixty days of a demo shop in under a minute; mail stays on this machine
	@$(BIN)/nurture demo

test: $(READY) ## the whole test suite, on SQLite and PostgreSQL
	@echo "Running the tests (SQLite and a real PostgreSQL, real SMTP servers, real daemons) ..."
	@$(call twice,-n 2 -q,-q)

lab: $(READY) ## the slow crash laboratories; needs the Debian packages in .ci/lab-packages
	@$(call twice,-n 2 --dist worksteal -q -m lab --timeout 900,-q -m lab --timeout 900)

check: $(READY) ## format, lint, types, import contracts, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory test

format: $(READY) ## put the code into the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY) ## measure what has a threshold, and write benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

bench-peers: $(READY) ## install what the benchmarks compare with, into benchmarks/.peers
	$(BIN)/python -m venv benchmarks/.peers/python
	benchmarks/.peers/python/bin/pip install -q Django==5.2.19 django-post_office==3.12.0
	npm install --silent --no-audit --no-fund --prefix benchmarks/.peers/node nodemailer@10.6.0

clean: ## remove the environment and everything the demo made
	rm -rf .venv demo

$(READY): pyproject.toml
	@echo "Setting up .venv: the package and what its tests need (about a minute, once) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "nurture needs Python 3.11 or newer; run: make PYTHON=python3.13 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	@touch $@
