# Two commands on a machine that has Python, make and git: `make compare` and `make test`.
# Everything is installed into .venv, from the locked requirements.txt; nothing outside it changes.

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
# A uv of the machine's, else one that the environment brings itself.
UV := $(or $(shell command -v uv 2>/dev/null),$(BIN)/uv)

DOCUMENTS := README.md CHANGELOG.md CONTRIBUTING.md docs examples findings studies benchmarks

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help compare test quick check docs commands format environment lock clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

compare: environment ## compare the three models and write the report; flags in ARGS="--seeds 20"
	$(BIN)/fashionbench compare $(ARGS)

test: check docs ## everything that must hold: the checks, the documents, the tests
	$(BIN)/pytest --numprocesses auto --dist loadfile

quick: check ## the checks, and the tests that together take less than a minute on two cores
	$(BIN)/pytest --numprocesses auto --dist loadfile -m "not slow"

check: environment ## style, types and layers, without the tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/oxlint --deny-warnings src/fashionbench/serve/web

# The pages are copied with all that they link to: a link works in the site as it does in the folder.
docs: environment ## build the documents' site into build/docs/site; a broken link is an error
	rm -rf build/docs
	mkdir -p build/docs/source
	cp -R $(DOCUMENTS) build/docs/source
	$(BIN)/zensical build --strict --clean

format: environment ## put the code into the house's format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

commands: environment ## write docs/commands.md from the help of the commands
	$(BIN)/typer fashionbench.cli.app utils docs --name fashionbench --title Commands \
	  --output docs/commands.md

environment: .venv/installed ## create or update .venv, if anything has changed

lock: $(UV) ## bring requirements.txt up to date with pyproject.toml and the newest releases
	$(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --group dev --group docs \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
	  --output-file requirements.txt pyproject.toml

clean: ## remove the environment and every cache; runs are kept
	rm -rf .venv .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find src tests examples benchmarks -name __pycache__ -type d -exec rm -rf {} +

# The lock is complete, so nothing is resolved here: --no-deps. Bytecode is compiled once, now,
# where the downloads are waited for anyway, instead of in the first command.
.venv/installed: requirements.txt pyproject.toml | .venv/pyvenv.cfg $(UV)
	$(UV) pip install --python $(BIN)/python --no-deps --compile-bytecode \
	  --requirements requirements.txt --editable .
	@touch $@

$(BIN)/uv: | .venv/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

.venv/pyvenv.cfg:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "$(PYTHON) is not installed. Install Python 3.11, 3.12 or 3.13, or name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else "fashionbench runs on Python 3.11, 3.12 or 3.13, and $(PYTHON) is %d.%d. Name another: make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv .venv
