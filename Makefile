# Two commands are all one needs: `make serve` and `make test`. Both set up what they need, once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LIBRARY ?= .library
HOST ?= 127.0.0.1
PORT ?= 8000

.PHONY: serve test check format clean

serve: $(VENV)/.installed  ## sync seeds/ into a library and serve the API and the chat page
	@$(BIN)/citespan --library $(LIBRARY) serve --host $(HOST) --port $(PORT) seeds

test: $(VENV)/.installed-dev  ## run the whole test suite
	@$(BIN)/python -m pytest

check: $(VENV)/.installed-dev  ## format, lint and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/mypy examples/*.py

format: $(VENV)/.installed-dev  ## format the code and mend what the linter can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean:  ## remove the environment and the library that `make serve` made
	rm -rf $(VENV) $(LIBRARY)

# A stamp is as new as the last install that worked, so a second run installs nothing.
$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit("Citespan needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; run: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml
	@echo "installing into $(VENV) (once, some minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "installing what the tests need"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
