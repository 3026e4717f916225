# One word per task. Each makes .venv by itself, from pyproject.toml and constraints.txt, and uses nothing outside
# this directory. The demo's steps stand here, not in a script, so that `make -n demo` shows what it does.

PYTHON ?= python3
STORY ?= demo
WORKERS ?= auto
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
DEV := $(VENV)/.installed-dev
# Where the developer's tools are installed, the demo uses that installation and keeps it fresh.
DEMO := $(if $(wildcard $(DEV)),$(DEV),$(VENV)/.installed-demo)

# Empty means off: byte code is then cached at first use, which is faster than compiling everything at set-up.
export PYTHONDONTWRITEBYTECODE :=

# An environment works only where it was made, and as long as its interpreter is there.
READY = test "$$(cat $(VENV)/.made-in 2>/dev/null)" = "$(CURDIR)" && $(BIN)/python -c ''
ifneq ($(shell { $(READY); } 2>/dev/null && echo yes),yes)
REMAKE := remake
endif

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo test test-slow test-bluez check style types bench clean remake

help: ## list these targets
	@echo "usage: make TARGET"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' Makefile | while IFS="$$(printf '\t')" read -r name text; \
	do printf '  %-10s %s\n' "$$name" "$$text"; done

demo: $(DEMO) ## a simulated sensor, live; then its report, and CSV (STORY=demo ARGS="--set alert.delay=60s")
	@set -e; trap : INT; umask 077; mkdir -p demo-output; \
	output=$$(mktemp -d "$(CURDIR)/demo-output/$$(date -u +%Y-%m-%dT%H%M%SZ)-XXXXXX"); \
	POSTURE_DATA_DIR="$$output/data"; export POSTURE_DATA_DIR; \
	$(BIN)/posture monitor --simulated '$(STORY)' $(ARGS); \
	recording=$$(find "$$output/data" -type f -name '*.posture'); \
	if ! test -f "$$recording"; then echo "The demo left no recording in $$output/data." >&2; exit 1; fi; \
	$(BIN)/posture export "$$recording" --out "$$output/csv"; \
	if ! test -d "$$output/csv"; then echo "The demo left no CSV files in $$output/csv." >&2; exit 1; fi; \
	report=$$($(BIN)/posture report "$$recording" --out "$$output/report.html"); \
	echo "report: $$report"; echo "recording: $$recording"; echo "CSV: $$output/csv"

test: $(DEV) ## the tests, without the slow ones (ARGS="-k words")
	@$(BIN)/python -m pytest -n $(WORKERS) -m 'not slow' $(ARGS)

test-slow: $(DEV) ## only those: over ten seconds each, or in a browser
	@$(BIN)/python -m pytest -n $(WORKERS) -m slow -o faulthandler_timeout=1800 $(ARGS)

# Its exit code is make's; what came of it (passed, failed, skipped) stands in .bluez-guest/verdict.
test-bluez: $(DEV) ## those on Linux's own Bluetooth, in a virtual machine that is built first (ARGS="-k words")
	@$(BIN)/python tests/bluez/guest $(ARGS)

check: style types test ## what must pass before a change lands: format, lint, types, tests

style: $(DEV) ## format and lint, without changing anything
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: $(DEV) ## the strict type checker over both packages
	@$(BIN)/mypy --strict

bench: $(DEV) ## every script in benchmarks/, one after the other
	@set -e; for script in $$(grep -l '__main__' benchmarks/*.py); do \
	echo "== $$script"; $(BIN)/python "$$script" $(ARGS); done

clean: ## remove .venv and every cache; recordings in demo-output/ stay
	@rm -rf $(VENV) .bluez-guest .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed-%: pyproject.toml constraints.txt $(REMAKE)
	@$(PYTHON) -c 'import sys; found = sys.version_info; sys.exit(None if found >= (3, 11) else \
	"posture needs Python 3.11 or later; %s is %d.%d. Name another: make PYTHON=python3.12 ..." % \
	(sys.executable, found[0], found[1]))'
	@{ $(READY); } 2>/dev/null || $(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); \
	echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Setting up $(VENV) (about half a minute) ..." >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
	--constraint constraints.txt --editable '.[$*]'
	@printf '%s\n' "$(CURDIR)" > $(VENV)/.made-in
	@touch $@
