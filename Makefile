# Everything starts from a Python of 3.11 or newer with its venv module; nothing else is assumed.
# Another interpreter: make run PYTHON=python3.13

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV ?= uv

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup run test check format soak calendar bench lock clean

help: ## say what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(VENV)/.installed ## make the virtual environment from the hash-pinned lock

run: setup ## run everything: database, Stripe sandbox, server, worker, a small living marketplace
	@exec $(BIN)/marketplace run

test: setup ## run every test
	@$(BIN)/pytest -n auto --maxprocesses 4 --dist loadscope

check: setup ## lint, formatting, types and the rules of the architecture
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/pytest tests/test_architecture.py

format: setup ## put the sources into the project's format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

soak: setup ## live through many more faults, and kill the real processes, try three million orders: half an hour
	@$(BIN)/pytest -m soak tests/faults tests/rules

calendar: setup ## let the stories begin shortly before midnight and around the end of a month
	@for at in $$($(BIN)/python -m tests.clocks); do echo "The stories of $$at"; TESTS_BEGIN_AT=$$at \
	    $(BIN)/pytest -n auto --maxprocesses 4 --dist loadscope tests/stories || exit 1; done

bench: setup ## measure the two jobs that matter beside their bare limits
	@$(BIN)/python -m tests.benchmarks

lock: ## pin the newest allowed dependencies by hash; needs uv (pip install uv)
	@command -v $(UV) >/dev/null || { echo "make lock needs uv: pip install uv"; exit 1; }
	$(UV) pip compile --quiet --universal --generate-hashes --upgrade --no-header --no-annotate \
	    --no-emit-index-url pyproject.toml --output-file requirements.lock
	$(UV) pip compile --quiet --universal --generate-hashes --upgrade --no-header --no-annotate \
	    --no-emit-index-url --group dev --constraint requirements.lock pyproject.toml \
	    --output-file requirements-dev.lock

clean: ## remove the environment and every cache; the data in .data stays
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The dependencies and the project itself are installed apart: a change of pyproject.toml alone
# does not visit the package index.
$(VENV)/.installed: $(VENV)/.dependencies pyproject.toml
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dependencies: requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1)."; \
	    echo "Install one and name it: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) -V), once; this takes a minute or two."
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --require-hashes --requirement requirements-dev.lock
	@touch $@
