# The commands of this repository; `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
export CARGO_TARGET_DIR ?= $(or $(OTEL_TRADING_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/otel-trading)/cargo
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
ARGS ?=
TESTS_AT_ONCE ?= 4# most of them wait for processes rather than compute
WORKSPACE := --quiet --locked --workspace --manifest-path native/Cargo.toml
NATIVE = $(wildcard native/Cargo.* native/*/Cargo.toml) $(shell find native/src native/*/src -name '*.rs')

.PHONY: help setup services browser checkout demo test soak bench stack check miri loom fuzz format generate lock clean

help:  ## List the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: checkout .venv/.ready  ## Make .venv with everything in it

# One cache serves every checkout, and cargo tells their sources apart by nothing but their age.
checkout:
	@mkdir -p $(CARGO_TARGET_DIR)
	@grep -qsxF "$(CURDIR)" $(CARGO_TARGET_DIR)/.checkout \
		|| { git ls-files -z native otel_trading otel_trading_pytest | xargs -0 touch --no-create --no-dereference; \
			echo "$(CURDIR)" >$(CARGO_TARGET_DIR)/.checkout; }

.venv/.packages: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "otel_trading needs Python 3.11 or newer; set PYTHON=")'
	@command -v cargo >/dev/null || { echo "otel_trading needs Rust: https://rustup.rs"; exit 1; }
	@echo "Making .venv (Python packages, then the native core; two or three minutes the first time)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	@touch $@

.venv/.ready: .venv/.packages pyproject.toml native/build_backend.py $(NATIVE)
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup  ## Watch a bot trade on two simulated venues; ARGS="--seconds 60 --summary-json out.json" are handed on
	@$(BIN)/otel-trading demo $(ARGS)

stack: setup  ## Start Collector, Prometheus, Jaeger, Loki and Alertmanager
	@$(BIN)/otel-trading stack up $(ARGS)

# The live page is looked at in a real browser; where it may not be installed its tests say how to.
browser:
	@command -v chromium chromium-browser google-chrome >/dev/null || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null \
		|| { echo "Installing Chromium for the tests of the live page"; apt-get update -qq \
			&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } \
		|| echo "Chromium could not be installed"

# Tests of checks ask a Redis and a PostgreSQL: where they cannot be installed, these are skipped.
services:
	@if command -v redis-server >/dev/null && ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Redis and PostgreSQL for the tests"; \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends redis-server postgresql; } \
			>/dev/null 2>&1 || echo "they cannot be installed: their tests are skipped"; \
	fi

test: setup services browser  ## Build the backends once, then run every check and test
	@$(BIN)/otel-trading stack build
	@$(MAKE) --no-print-directory check
	@cargo test $(WORKSPACE)
	@$(BIN)/python -m pytest --numprocesses $(TESTS_AT_ONCE) --dist loadfile --max-worker-restart 0 $(ARGS) \
		|| { [ $$? = 1 ] && echo "What failed once more, one at a time: what passes now wants more of the machine than it got" \
			&& $(BIN)/python -m pytest --last-failed; }

soak: setup  ## Optional: what only shows after very many spans, many minutes
	@$(BIN)/python -m pytest -m soak -s $(ARGS)

check: setup  ## Lint, types, layers, generated files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/basedpyright --warnings >$(CARGO_TARGET_DIR)/types.txt || { cat $(CARGO_TARGET_DIR)/types.txt; exit 1; }
	@$(BIN)/stubtest otel_trading._native >$(CARGO_TARGET_DIR)/types.txt || { cat $(CARGO_TARGET_DIR)/types.txt; exit 1; }
	@$(BIN)/lint-imports
	@cargo fmt --all --check --manifest-path native/Cargo.toml
	@cargo clippy $(WORKSPACE) --all-targets -- --deny warnings
	@$(BIN)/python -m tests.generated --check

miri:  ## Optional: the lock-free parts under Miri, an hour; rustup toolchain install nightly --component miri,rust-src
	@CARGO_TARGET_DIR=$(CARGO_TARGET_DIR)-miri cargo +nightly miri test --quiet --locked --lib \
		--manifest-path native/Cargo.toml --package aggregate --package files --package flight --package ring $(ARGS)

loom:  ## Optional: all orders in which two threads can meet in the lock-free parts
	@CARGO_TARGET_DIR=$(CARGO_TARGET_DIR)-loom RUSTFLAGS="--cfg loom" cargo test --quiet --locked --release --lib \
		--manifest-path native/Cargo.toml --package aggregate --package flight --package ring -- loom spsc::model handshake::model $(ARGS)

fuzz:  ## Optional: made-up snapshots through the encoders (TARGET=recording, segment: damaged files); ARGS="-max_total_time=300"; needs cargo-fuzz, Rust nightly
	@cd native && CARGO_TARGET_DIR=$(CARGO_TARGET_DIR)-fuzz \
		cargo +nightly fuzz run $(or $(TARGET),encode) -- $(or $(ARGS),-max_total_time=60)

format: setup  ## Format the code
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .
	@cargo fmt --all --manifest-path native/Cargo.toml

generate: setup  ## Write the generated parts of the documentation
	@$(BIN)/python -m tests.generated

PYTHONS ?= python3.11 python3.12 python3.13
BENCH := $(dir $(CARGO_TARGET_DIR))bench
SOURCES = $(NATIVE) $(shell find otel_trading otel_trading_pytest -name '*.py')

bench: checkout  ## What telemetry costs here, on each Python of PYTHONS="python3.11 ..."; ARGS="--quick --only record" are handed on
	@for python in $(PYTHONS); do \
		found=$$(PYENV_VERSION=$${python#python} $$python -c \
			'import sys; print(sys.executable, "%d.%d" % sys.version_info[:2])' 2>/dev/null) \
			|| { echo "$$python is not there: left out"; continue; }; \
		set -- $$found; \
		$(MAKE) --no-print-directory $(BENCH)/$$2/.ready PYTHON=$$1 || exit; \
		$(BENCH)/$$2/bin/otel-trading bench $(ARGS) $(if $(JSON),--json "$(JSON)-$$2.json") || exit; \
		echo; \
	done

$(BENCH)/%/.ready: requirements.lock pyproject.toml $(SOURCES)
	@echo "Making the environment for Python $* (a minute or two the first time)"
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --require-hashes --requirement requirements.lock
	@CARGO_TARGET_DIR=$(@D)/cargo PATH=$(@D)/bin:$$PATH \
		$(@D)/bin/python -m pip install --quiet --no-deps --no-build-isolation --force-reinstall .
	@touch $@

lock:  ## Resolve requirements.lock anew
	@$(BIN)/python -m pip install --quiet pip-tools
	@$(BIN)/pip-compile --quiet --upgrade --extra all --extra dev --generate-hashes --allow-unsafe --strip-extras \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options --no-annotate --no-header \
		--unsafe-package pip --output-file requirements.lock pyproject.toml
	@sed -i '/^otel-trading @/d; /^#/d' requirements.lock  # the project itself is installed from the checkout

clean:  ## Remove .venv and what the tools left; the caches outside stay
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist
