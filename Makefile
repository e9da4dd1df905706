# `make` installs everything with locked versions; `make demo` serves the sample production.
# Every target can be called again at any time: what is done already is skipped.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
PY := $(RUN)/python

# Loading the program compiled takes a fraction of compiling it for each command.
unexport PYTHONDONTWRITEBYTECODE

INSTALLED := $(VENV)/.installed
CLIENT_PACKAGES := client/node_modules/.installed
INTEROP_PACKAGES := tests/interop/node_modules/.installed
LOAD_PACKAGES := benchmarks/load/node_modules/.installed
PAGE := client/dist/index.html
PAGE_SOURCES := $(shell find client/src client/public client/index.html client/vite.config.ts crdt_schema/typescript -type f 2>/dev/null)

.PHONY: all install page demo wheel test test-python test-client check bench soak lock reference pictures chromium clean
.DELETE_ON_ERROR:

# In four parts at once, about as long: three wait for processes and sockets most of the time, the rest computes.
COMMANDS = tests/cli tests/simulation
PEERS = tests/sync tests/browser
SERVING = $(addprefix tests/,gateway interop plugin_host server) plugins
COMPUTING = $(filter-out $(addsuffix /,$(COMMANDS) $(PEERS) $(SERVING)),$(sort $(dir $(wildcard tests/*/test_*.py))))

all: install page

install: $(INSTALLED)

page: $(PAGE)

## Serve the sample production; made on the first call.
demo: all
	$(RUN)/openprod demo $(ARGS)

## One file that holds the program, the page and the plugins: dist/openprod-*.whl.
wheel: all
	$(PY) -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w dist .

## Everything that is tested: Python, TypeScript, real Node programs, the page in headless Chromium.
test: test-python test-client

test-python: all $(INTEROP_PACKAGES) chromium
ifeq ($(ARGS),)
	@$(PY) -m pytest $(COMMANDS) & commands=$$!; \
	  $(PY) -m pytest -p no:cacheprovider $(PEERS) & peers=$$!; \
	  $(PY) -m pytest -p no:cacheprovider $(SERVING) & serving=$$!; \
	  $(PY) -m pytest -p no:cacheprovider $(COMPUTING); computing=$$?; \
	  wait $$commands; commands=$$?; wait $$peers; peers=$$?; wait $$serving; serving=$$?; \
	  exit $$((computing | commands | peers | serving))
else
	$(PY) -m pytest $(ARGS)
endif

test-client: $(CLIENT_PACKAGES)
	cd client && npm test

## Style, types and the rings of docs/ARCHITECTURE.md.
check: install $(CLIENT_PACKAGES)
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports
	cd client && npm run check

## Benchmarks; results go to benchmarks/results.json and benchmarks/results.md with the machine they come from.
bench: install $(LOAD_PACKAGES)
	$(PY) -m benchmarks $(ARGS)

## Random editing, crashing and merging, ten minutes or ARGS="--seconds 3600".
soak: install $(INTEROP_PACKAGES)
	$(PY) -m tests.simulation.soak $(ARGS)

## Take newer versions of what pyproject.toml allows.
lock: install
	$(PY) -m pip install --quiet --disable-pip-version-check uv
	$(RUN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes --no-header \
	  --no-annotate --no-emit-index-url --no-emit-find-links --extra dev pyproject.toml -o .ci/requirements.lock

## Write the generated pages of docs/reference again.
reference: install
	$(PY) -m openprod.cli.reference > docs/reference/cli.md

## Draw the pictures of docs/images again, from real nodes and pages.
pictures: install $(PAGE) chromium
	folder="$$(mktemp -d)" && PYTHONPATH="$$PWD" node tests/browser/pictures.mjs "$$PWD/$(PY)" "$$folder" \
	  "$$(command -v chromium || command -v chromium-browser || command -v google-chrome)" \
	  && cp "$$folder"/*.png docs/images/

chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
	  || .ci/install-chromium

clean:
	rm -rf $(VENV) client/node_modules client/dist tests/interop/node_modules benchmarks/load/node_modules

# ---- what has to be there ---------------------------------------------------------------------------------

$(INSTALLED): .ci/requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Openprod needs Python 3.11 or later; name one with: make PYTHON=python3.12" >&2; exit 1; }
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r .ci/requirements.lock
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

%/node_modules/.installed: %/package-lock.json
	@node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' \
	  || { echo "Openprod's page and its tests need Node 20 or later with npm." >&2; exit 1; }
	cd $* && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(PAGE): $(CLIENT_PACKAGES) $(PAGE_SOURCES)
	cd client && npm run build -- --logLevel warn
	@touch $@
