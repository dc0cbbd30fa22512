# `make` prints what you can do. Every target sets itself up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
T ?= tests
# Processes that run tests: twice as many as cores, for half of what tests take is waiting.
N ?= 4

.DEFAULT_GOAL := help
.PHONY: help setup up demo test chaos lint bench migration examples schema lock image clean

help: ## print this
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## .venv with ogel, its embedded servers and the test tools in it

$(STAMP): requirements-dev.lock requirements-build.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Ogel needs Python 3.11 or newer; set PYTHON=…"; exit 1; }
	@test -x $(BIN)/python || { echo "making $(VENV) …"; $(PYTHON) -m venv $(VENV); }
	@echo "installing into $(VENV) …"
	@$(PYTHON) make/install.py $(BIN)/python requirements-dev.lock
	@$(BIN)/python -m compileall -q -j 0 ogel
	@touch $@

up: $(STAMP) ## the whole suite in one process, on servers of its own; Ctrl-C ends it
	@$(BIN)/ogel up

demo: $(STAMP) ## boot, publish, deliver, verify, print a table; leaves nothing behind
	@$(BIN)/python docs/examples/demo.py

test: $(STAMP) ## every test but the long ones; one folder with T=tests/unit
	@$(BIN)/python -m pytest -n $(N) --dist worksteal -q $(T)

chaos: $(STAMP) ## the long tests: 50 kills, 100,000 replayed, 10,000 mixed jobs, 1,000 connections; wants a quiet machine
	@$(BIN)/python -m pytest -q -s -m long $(T)

lint: $(STAMP) ## ruff, mypy, import walls
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

SHIPPED := build/shipped

# What users install, without the test tools: some of our libraries import what they happen to find.
$(SHIPPED)/.installed: requirements.lock requirements-build.lock pyproject.toml
	@test -x $(SHIPPED)/bin/python || $(PYTHON) -m venv $(SHIPPED)
	@echo "installing into $(SHIPPED) …"
	@$(PYTHON) make/install.py $(SHIPPED)/bin/python requirements.lock
	@$(SHIPPED)/bin/python -m compileall -q -j 0 ogel
	@touch $@

PEERS := build/peers

# Servers that the benchmark measures an empty app on; nothing of ours needs them.
$(PEERS)/.installed: requirements-bench.lock
	@test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	@echo "installing into $(PEERS) …"
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

bench: $(STAMP) $(SHIPPED)/.installed $(PEERS)/.installed ## measure requests, deliveries, memory and start; see bench/README.md
	@$(BIN)/python -m bench --python $(SHIPPED)/bin/python

migration: ## make migration NAME=add_webhook_labels
	@test -n "$(NAME)" || { echo "say NAME=what_and_why"; exit 1; }
	@f=sql/migrations/$$(date -u +%Y%m%d%H%M)_$(NAME).sql; \
	  printf -- '-- Why, and what running code of the version before makes of it.\n' > $$f; echo $$f

examples: $(STAMP) ## record the examples of /openapi.json anew, from a running suite
	@$(BIN)/python -m tests.support.exchanges

schema: $(STAMP) ## rewrite sql/schema.sql from the migrations
	@$(BIN)/python -m tests.support.schema > sql/schema.sql.new && mv sql/schema.sql.new sql/schema.sql

UV_COMPILE = build/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-header --no-annotate

lock: ## pin every dependency anew, for all Pythons and platforms, with hashes and without an index address
	@test -x build/uv/bin/uv || { $(PYTHON) -m venv build/uv && build/uv/bin/python -m pip install --quiet uv; }
	@$(UV_COMPILE) --extra test pyproject.toml -o requirements-dev.lock
	@$(UV_COMPILE) --constraint requirements-dev.lock --extra embedded --extra images --extra mongo --extra s3 --extra sentry pyproject.toml -o requirements.lock
	@echo 'setuptools>=77' | $(UV_COMPILE) - -o requirements-build.lock
	@printf '%s\n' granian httptools 'hypercorn==0.18.*' uvicorn uvloop | $(UV_COMPILE) - -o requirements-bench.lock

image: ## build the container image as ogel:dev
	docker build -t ogel:dev .

clean: ## remove .venv and caches; data in .ogel stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build *.egg-info
