# The commands of this repository; `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
export CARGO_TARGET_DIR ?= $(or $(OTEL_TRADING_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/otel-trading)/cargo
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
ARGS ?=

.PHONY: help setup demo test bench stack check format generate lock clean

help:  ## List the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.ready  ## Make .venv with everything in it

.venv/.ready: requirements.lock pyproject.toml native/Cargo.toml native/Cargo.lock $(wildcard native/src/*.rs)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "otel_trading needs Python 3.11 or newer; set PYTHON=")'
	@command -v cargo >/dev/null || { echo "otel_trading needs Rust: https://rustup.rs"; exit 1; }
	@echo "Making .venv (Python packages, then the native core; a minute or two the first time)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup  ## Watch a bot trade on two simulated venues; ARGS="--seconds 60 --summary-json out.json" are handed on
	@$(BIN)/otel-trading demo $(ARGS)

stack: setup  ## Start Collector, Prometheus, Jaeger, Loki and Alertmanager
	@$(BIN)/otel-trading stack up $(ARGS)

test: setup  ## Build the backends once, then run every check and test
	@$(BIN)/otel-trading stack build
	@$(MAKE) --no-print-directory check
	@cargo test --quiet --locked --manifest-path native/Cargo.toml
	@$(BIN)/python -m pytest $(ARGS)

check: setup  ## Lint, types, layers, generated files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/basedpyright --warnings >$(CARGO_TARGET_DIR)/types.txt || { cat $(CARGO_TARGET_DIR)/types.txt; exit 1; }
	@$(BIN)/stubtest otel_trading._native >$(CARGO_TARGET_DIR)/types.txt || { cat $(CARGO_TARGET_DIR)/types.txt; exit 1; }
	@$(BIN)/lint-imports
	@cargo fmt --check --manifest-path native/Cargo.toml
	@cargo clippy --quiet --locked --all-targets --manifest-path native/Cargo.toml -- --deny warnings
	@$(BIN)/python -m tests.generated --check

format: setup  ## Format the code
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .
	@cargo fmt --manifest-path native/Cargo.toml

generate: setup  ## Write the generated parts of the documentation
	@$(BIN)/python -m tests.generated

bench: setup  ## What telemetry costs on this machine, beside opentelemetry-sdk and prometheus_client
	@$(BIN)/python -m benchmarks $(ARGS)

lock:  ## Resolve requirements.lock anew
	@$(BIN)/python -m pip install --quiet pip-tools
	@$(BIN)/pip-compile --quiet --upgrade --extra all --extra dev --generate-hashes --allow-unsafe --strip-extras \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options --no-annotate --no-header \
		--unsafe-package pip --output-file requirements.lock pyproject.toml
	@sed -i '/^otel-trading @/d; /^#/d' requirements.lock  # the project itself is installed from the checkout

clean:  ## Remove .venv and what the tools left; the caches outside stay
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist
