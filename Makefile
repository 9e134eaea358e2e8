# make demo: the whole loop on synthetic X-rays.   make test: every test.   make check: style and types.
# Each makes .venv and installs into it first, once; a changed pyproject.toml installs again.

BIN := .venv/bin
WORKERS := 2
PYTHONS := $(PYTHON) python3.11 python3.12 python3.13 python3
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test check docs clean
.DELETE_ON_ERROR:

demo: .venv/.installed-train
	$(BIN)/cxreason demo

# The file is what is shared out, so that its fixtures are made once; what holds a limit of time runs alone.
# Both processes and the many that tests start keep what they compile, also where the environment says no.
test: export PYTHONDONTWRITEBYTECODE =
test: .venv/.installed-dev
	$(BIN)/python -m pytest -m 'not timing' -n $(WORKERS) --dist loadfile --no-loadscope-reorder
	$(BIN)/python -m pytest -m timing

check: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

docs: .venv/.installed-dev
	$(BIN)/python docs/write_cli.py
	$(BIN)/python docs/write_datasets.py
	$(BIN)/python docs/write_rewards.py
	$(BIN)/python docs/write_tasks.py

clean:
	rm -rf .venv

.venv/.installed-train: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing cxreason with PyTorch; the first time takes some minutes."
	$(INSTALL) -e '.[train]'
	@touch $@

# The dev extra holds the train extra, so this stamp stands for both.
.venv/.installed-dev: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing cxreason with its development tools; the first time takes some minutes."
	$(INSTALL) -e '.[dev]'
	@touch $@ .venv/.installed-train

# Order of the search: PYTHON=... where given, then the versions that the tests run on.
$(BIN)/python:
	@for python in $(PYTHONS); do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    if ! "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
	      echo "error: $$python has no venv module. Install it (Debian, Ubuntu: apt install python3-venv) and run make again." >&2; \
	      exit 1; \
	    fi; \
	    echo "Creating .venv with $$($$python --version)."; \
	    "$$python" -m venv .venv && exit 0; \
	    rm -rf .venv; \
	    exit 1; \
	  fi; \
	done; \
	echo "error: cxreason needs Python 3.11 or newer, and none of these is: $(PYTHONS). Name one: make PYTHON=/path/to/python" >&2; \
	exit 1
