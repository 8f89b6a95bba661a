# Needs make and Python 3.11 or newer. Everything else, uv included, is installed from pinned and
# hashed requirement files into .venv, by the target that first needs it.

PYTHON ?= python3
PYTHON313 ?= python3.13
MINUTES ?= 5
WORKERS ?= 3
VENV := .venv
BIN := $(VENV)/bin
CODE := functions pipectl tests

export SAM_CLI_TELEMETRY := 0
# Where byte code may not be written, every process of a test compiles its imports again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-313 test-slow test-long test-faults test-throttling test-browser coverage fuzz truth lint policies types format docs retries rights build dist release bench bench-shapes bench-infer lock upgrade clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.run ## Run the pipeline on the sample files in events/, on this machine
	$(BIN)/pipectl run events/orders-2026-02.csv events/orders-2026-03.csv \
		--dataset orders --contract events/orders.contract.json --out out

# Three processes on two cores: those of tests on a stack, of which there are three, often wait for it.
test: $(VENV)/.dev ## Run the quick tests: WORKERS=3
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder

test-313: ## Run the quick tests on Lambda's Python: PYTHON313=python3.13
	$(MAKE) test PYTHON=$(PYTHON313) VENV=.venv-3.13

test-slow: $(VENV)/.dev ## Run the tests that take seconds each, and draw three times the examples of properties
	$(BIN)/pytest -n 2 --dist loadgroup --no-loadscope-reorder -m slow
	PIPECTL_EXAMPLES_FACTOR=3 $(BIN)/pytest -n 2 --dist worksteal tests/property

test-long: $(VENV)/.dev ## Run the tests that take minutes, and draw 25 times the examples of properties
	$(BIN)/pytest -n 2 --dist worksteal -m long
	PIPECTL_EXAMPLES_FACTOR=25 $(BIN)/pytest -n 2 --dist worksteal tests/property

test-faults: $(VENV)/.dev ## Let every state of the workflow fail in every way, and rerun it
	$(BIN)/pytest -n 2 --dist worksteal tests/end_to_end/test_fault_matrix.py -m "long or not long"

test-throttling: $(VENV)/.dev ## Upload 1,000 files at once to an account with a Lambda concurrency of 10
	$(BIN)/pytest -n 0 tests/end_to_end/test_throttling.py -m "long or not long"

test-browser: $(VENV)/.browser ## Drive the console with Debian's Chromium: AXE=path/to/axe.min.js
	PIPECTL_BROWSER=1 PIPECTL_AXE="$(AXE)" $(BIN)/pytest -n 0 tests/browser -rs

coverage: $(VENV)/.dev ## Measure branch coverage of the tests that run in one process
	$(BIN)/pytest -n 2 --dist worksteal tests/unit tests/property tests/infrastructure tests/documentation \
		--cov=functions --cov=pipectl --cov-branch --cov-report=term:skip-covered --cov-report=html:out/coverage

fuzz: $(VENV)/.dev ## Read random files with the engine and an independent reader: MINUTES=5
	$(BIN)/python -m tests.fuzz $(if $(SEED),--seed $(SEED),--minutes $(MINUTES))

truth: $(VENV)/.truth build ## Run the stack on two other emulators: ENGINE=localstack, ONLY="part of a scenario's name"
	$(BIN)/python -m tests.truth $(VENV)/truth --engine "$(ENGINE)" --only "$(ONLY)"

lint: $(VENV)/.dev ## Check style, types, the template, the workflow, GitHub's workflows, and the policies
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/python -m tests.infrastructure.lint
	$(BIN)/zizmor --offline --no-progress --quiet --min-severity medium .github
	$(BIN)/mypy $(CODE)
	@$(MAKE) --no-print-directory policies

# A tool that can't be installed here is skipped, and says so. With POLICIES=required that is an error.
policies: $(VENV)/.dev ## Check the template against checkov, cdk-nag and Control Tower's rules: POLICIES=required
	@$(MAKE) --no-print-directory $(VENV)/.checkov || true
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(VENV)/.packs || true; fi
	POLICIES=$(POLICIES) $(BIN)/python -m tests.infrastructure.policy_gate $(VENV)

types: $(VENV)/.dev ## Check types only
	$(BIN)/mypy $(CODE)

format: $(VENV)/.dev ## Format the code and fix what ruff can fix
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

docs: $(VENV)/.dev ## Rewrite the generated parts of the documentation
	$(BIN)/python -m tests.documentation.generated
	$(BIN)/python -m tests.documentation.pictures
	PYTHONPATH=functions $(BIN)/python -m tests.documentation.screens
	$(BIN)/python -m tests.documentation.tutorial

rights: $(VENV)/.dev ## Record the calls of a run, with which the tests prove every statement of the template's policies
	$(BIN)/python -m tests.end_to_end.recording

retries: $(VENV)/.dev ## Write the retriers of functions/shared/steps.py into the workflow
	$(BIN)/python -m tests.infrastructure.retries

build: $(VENV)/.dev ## Build what sam deploy uploads, for arm64 and Python 3.13, check it, and run every function of it
	env -u MAKEFLAGS -u MAKELEVEL PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/sam build
	$(BIN)/python -m tests.infrastructure.packages
	PYTHON313="$(PYTHON313)" $(BIN)/python -m tests.infrastructure.packages_run

dist: $(VENV)/.dev ## Build the wheel of pipectl, and try it in clean environments
	$(BIN)/python -m tests.infrastructure.distribution

release: $(VENV)/.dev ## Collect a release in dist/: notes, wheel, SBOM, and the stack that `make build` made: TAG=v1.2.3
	TAG="$(TAG)" $(BIN)/python -m tests.infrastructure.release

bench: $(VENV)/.bench ## Measure the engine against others, large files split by split, and Parquet of many parts
	nice $(BIN)/python -m tests.benchmarks
	nice $(BIN)/python -m tests.benchmarks.splits
	nice $(BIN)/python -m tests.benchmarks.parquet_parts

bench-shapes: $(VENV)/.dev ## Measure files of all shapes, each under its function's own memory limit
	nice $(BIN)/python -m tests.benchmarks.shapes

bench-infer: $(VENV)/.dev ## Measure how many columns `pipectl contract infer` types as a careful person would
	$(BIN)/python -m tests.benchmarks.infer

lock: $(BIN)/uv ## Pin the requirement files after a change of pyproject.toml
	$(COMPILE) pyproject.toml --extra local --group build --group dev $(UPGRADE) -o requirements/dev.txt
	$(COMPILE) --group browser -c requirements/dev.txt $(UPGRADE) -o requirements/browser.txt
	$(COMPILE) pyproject.toml --extra local --group build -c requirements/dev.txt $(UPGRADE) -o requirements/run.txt
	$(COMPILE) pyproject.toml --extra local --group build --group bench -c requirements/dev.txt $(UPGRADE) -o requirements/bench.txt
	$(COMPILE) --group functions -c requirements/run.txt $(UPGRADE) -o functions/requirements.txt
	$(COMPILE) --group engine -c requirements/run.txt $(UPGRADE) -o layers/engine/requirements.txt
	$(COMPILE) --group policies $(UPGRADE) -o requirements/checkov.txt
	$(COMPILE) --group ministack $(UPGRADE) -o requirements/ministack.txt
	$(COMPILE) --group localstack $(UPGRADE) -o requirements/localstack.txt
	$(COMPILE) --group bootstrap $(UPGRADE) -o requirements/uv.txt

upgrade: ## Pin the newest versions that pyproject.toml allows
	$(MAKE) lock UPGRADE=--upgrade

clean: ## Remove everything that the other targets create
	rm -rf $(VENV) .venv-3.13 .aws-sam dist out .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Universal: one file serves every Python from 3.11 and every platform. No index address gets in.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python
INSTALL_PIPECTL = $(INSTALL) --no-deps --no-build-isolation --editable .

$(BIN)/uv: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is older than Python 3.11. Name a newer one: make PYTHON=python3.13 ..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

# The demo needs no development tools: half the packages, and less than half the time.
$(VENV)/.run: $(BIN)/uv requirements/run.txt pyproject.toml
	$(INSTALL) --require-hashes -r requirements/run.txt
	$(INSTALL_PIPECTL)
	@touch $@

$(VENV)/.dev: $(BIN)/uv requirements/dev.txt pyproject.toml
	$(INSTALL) --require-hashes -r requirements/dev.txt
	$(INSTALL_PIPECTL)
	@touch $@ $(VENV)/.run

$(VENV)/.browser: $(VENV)/.dev requirements/browser.txt
	$(INSTALL) --require-hashes -r requirements/browser.txt
	@touch $@

$(VENV)/.bench: $(BIN)/uv requirements/bench.txt pyproject.toml
	$(INSTALL) --require-hashes -r requirements/bench.txt
	$(INSTALL_PIPECTL)
	@touch $@

# cdk-nag and cfn-guard come from npm, in a folder of their own. Without a registry this ends soon.
$(VENV)/.packs: tests/infrastructure/policies/package-lock.json
	@rm -f $@
	@mkdir -p $(VENV)/packs
	cp tests/infrastructure/policies/package.json tests/infrastructure/policies/package-lock.json $(VENV)/packs
	npm ci --prefix $(VENV)/packs --ignore-scripts --no-audit --no-fund --silent \
		--fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=5000 --fetch-timeout=60000
	@touch $@

$(VENV)/.checkov: $(BIN)/uv requirements/checkov.txt
	@rm -f $@
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(VENV)/checkov
	$(BIN)/uv pip install --quiet --python $(VENV)/checkov/bin/python --require-hashes -r requirements/checkov.txt
	@touch $@

# On Lambda's Python, so that the packages of `make build` run in it. Without one, or if an engine's
# packages can't be had, there is no environment, and `make truth` says that the engine is skipped.
$(VENV)/.truth: $(BIN)/uv requirements/ministack.txt requirements/localstack.txt
	rm -rf $(VENV)/truth
	@if $(PYTHON313) -c "" 2>/dev/null; then \
		for engine in ministack localstack; do \
			$(BIN)/uv venv --quiet --python $(PYTHON313) $(VENV)/truth/$$engine && \
			$(BIN)/uv pip install --quiet --python $(VENV)/truth/$$engine/bin/python \
				--require-hashes -r requirements/$$engine.txt || rm -rf $(VENV)/truth/$$engine; \
		done; \
		touch $@; \
	fi
