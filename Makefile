# Everything here works from a bare clone: it needs Python 3.11+ with venv, make, and a package registry.

BIN := .venv/bin
# Processes that `make test` runs its files in; most tests wait for others more than they work: two leave half of two
# cores idle.
TESTERS ?= 3
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-systemd lint format bench performance peers-setup peers chaos lock clean

help:  ## Show these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 14

setup: .venv/.installed  ## Make .venv with the locked versions, and ganger in it

demo: .venv/.installed  ## Index Python's standard library with three saboteurs among the jobs
	@$(BIN)/ganger demo

test: lint  ## Check style, types and rules, then run every test
	$(BIN)/python -m pytest -q -n $(TESTERS) --dist loadfile --no-loadscope-reorder

test-systemd: .venv/.installed  ## Check the service on a real systemd, in a machine made for it (root, Debian)
	@PYTHONPATH=tests $(BIN)/python -m systemd_lab

lint: .venv/.installed  ## Check style and types only
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: .venv/.installed  ## Lay the code out, and fix what ruff can fix
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: .venv/.installed  ## Measure throughput, latency, memory ... (twelve minutes; wants a quiet machine)
	@$(BIN)/ganger bench

performance: .venv/.installed  ## The same, written into docs/performance.md
	@$(BIN)/ganger bench --out docs
	@$(BIN)/python benchmarks/fill_page.py

peers-setup:  ## Install Celery, RQ, Dramatiq, Huey, taskiq, SAQ, BullMQ and Sidekiq for `make peers`
	@benchmarks/peers/setup

peers:  ## Measure those beside ganger, into docs/performance.md (twelve minutes; PEERS=--quick: three, no page)
	@test -x benchmarks/peers/.venv/bin/python || benchmarks/peers/setup
	@benchmarks/peers/.venv/bin/python benchmarks/peers/run.py $(PEERS)

chaos: .venv/.installed  ## Inject faults for MINUTES (3) and account for every job; SEED= repeats a schedule
	@$(BIN)/ganger chaos --minutes $(or $(MINUTES),3) $(if $(SEED),--seed $(SEED))

lock: .venv/.installed  ## Resolve pyproject.toml's requirements anew into requirements.lock
	$(BIN)/python .ci/lock.py

clean:  ## Remove .venv, caches and the embedded servers' data
	rm -rf .venv .ganger .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build

.venv/.installed: requirements.lock pyproject.toml .ci/make-venv
	@.ci/make-venv
