# Where this torch comes from: README "Install". A plain `torch` would bring gigabytes of CUDA.
TORCH ?= torch==2.13.0
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: help demo test check format clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

# What runs stitchedit; and what tests and checks it, beside.
$(VENV)/.runs: pyproject.toml scripts/install
	PYTHON="$(PYTHON)" VENV="$(VENV)" TORCH="$(TORCH)" scripts/install .
	touch $@

$(VENV)/.installed: $(VENV)/.runs
	PYTHON="$(PYTHON)" VENV="$(VENV)" TORCH="$(TORCH)" scripts/install '.[dev]'
	touch $@

demo: $(VENV)/.runs ## install what runs it, then invert and edit the small clip of tests/data
	PATH="$(abspath $(BIN)):$$PATH" scripts/demo

test: $(VENV)/.installed ## install, then run every test
	PATH="$(abspath $(BIN)):$$PATH" scripts/test

check: $(VENV)/.installed ## formatting, lint, types
	PATH="$(abspath $(BIN)):$$PATH" scripts/check

format: $(VENV)/.installed ## format the code in place
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

clean: ## remove what the targets made
	rm -rf $(VENV) build demo *.egg-info
