# Causeway. `make` lists what there is; README.md says what it is for.
SHELL := /bin/bash
PYTHON ?= python3
PLATFORM := $(PYTHON) localstack/platform.py
CARGO ?= cargo
# Functions that are deployed: the folders under functions/.
FUNCTIONS := $(notdir $(wildcard functions/*))
BINS := $(foreach f,$(FUNCTIONS),--bin $(f))

.DEFAULT_GOAL := help
export SEED SEEDS FROM COUNT
.PHONY: help install build up down status logs demo test simulate check release tf-check tf-local bench chaos restore-drill deny contracts-check fmt

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: ## the local platform's tools into .local/ (pinned)
	@$(PLATFORM) install

build: ## every function and the command line, as the local stack runs them
	@$(CARGO) build $(BINS) --bin causeway

up: build ## the local stack: emulator, chain, everything in infra/topology.yaml
	@$(PLATFORM) up

down: ## take the local stack down; nothing is left running
	@$(PLATFORM) down

status: ## what is up, queue depths, functions
	@$(PLATFORM) status

logs: ## logs of the local stack (make logs NAME=send)
	@$(PLATFORM) logs $(NAME)

demo: ## 20 mixed withdrawals through the public API, live to finality, then everything down
	@bash scripts/demo

test: ## the whole suite, with a table of what took how long
	@$(PYTHON) scripts/suite.py

simulate: ## the fault simulation: SEEDS=n of them (FROM=s), or SEED=s with its log
	@$(CARGO) run --profile simulate --package causeway-simulation --bin simulate

check: ## format, lints and docs
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --workspace --all-targets --all-features --quiet -- -D warnings
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --quiet

fmt: ## format the code
	@$(CARGO) fmt --all

deny: ## licences, yanked crates, banned crates (needs cargo-deny)
	@$(CARGO) deny check

release: ## release zips for AWS (glibc <= 2.34; ARCH=arm64 or x86_64)
	@$(PYTHON) scripts/release.py $(if $(ARCH),--arch $(ARCH))

bench: ## measure the local stack with release builds (docs/benchmarks.md)
	@$(PLATFORM) install
	@.local/venv/bin/python tests/bench/run.py

chaos: build ## 1,000 withdrawals while calls fail, workers die and the chain turns (COUNT=n, SEED=s)
	@$(PLATFORM) install
	@.local/venv/bin/python tests/chaos/run.py

restore-drill: build ## all tables go back to an earlier moment while the chain goes on, and the product recovers
	@$(PLATFORM) install
	@.local/venv/bin/python tests/restore/run.py

tf-check: ## Terraform: fmt, validate, test
	@$(PYTHON) infra/terraform/check.py check

tf-local: build ## apply the Terraform to an emulator of its own and run the end-to-end tests on it
	@$(PYTHON) infra/terraform/check.py local

