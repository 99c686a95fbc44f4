# The two commands of a newcomer are `make demo` and `make test`; both set up what they need.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
LOCK := requirements.lock
# Nothing but the interpreter that is there: uv must not look for another one to download.
export UV_PYTHON_DOWNLOADS := never
export UV_LINK_MODE := copy
# Bytecode at once for what is installed, and later for the project itself also where Python is told
# to write none: tests and demo start many processes, each of which would compile it anew.
unexport PYTHONDONTWRITEBYTECODE
UV := $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraints $(LOCK)

.PHONY: demo test test-fast soak servers lint types hooks bench bench-quality bench-serving pictures lock \
	clean

demo: $(VENV)/.demo
	$(BIN)/ds-assets demo $(ARGS)

# The tests of what is computed must cover it, without any help. The others, of which many run the
# whole graph, are not slowed down by measuring what they cover; and where they wait for servers, one
# more than there are processors works meanwhile. In the order of files, none that is long comes last.
CORE := ds_assets_tests/core
TESTS := $(BIN)/python -m pytest --dist loadfile
test: lint types servers
	$(TESTS) -n 2 --cov --cov-report=term $(CORE)
	$(TESTS) -n 3 --no-loadscope-reorder --ignore=$(CORE) $(ARGS)

test-fast: $(VENV)/.test
	$(BIN)/ruff check --quiet .
	$(TESTS) -q -n 2 -m "not slow and not server" --hypothesis-profile quick $(ARGS)

# The API under load while what it rests on goes away and comes back; a minute, or as many as said.
MINUTES ?= 1
soak: servers
	$(BIN)/python -m ds_assets_tests.soak --minutes $(MINUTES)

# Programs of the private servers that tests start: what is missing is installed.
servers: $(VENV)/.test
	$(BIN)/python -m ds_assets.local_servers
	$(BIN)/python -m benchmarks.programs

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/python docs/prose.py

types: $(VENV)/.test
	$(BIN)/mypy

# Lint and types before each commit.
hooks: $(VENV)/.dev
	$(BIN)/pre-commit install

bench: $(VENV)/.bench
	$(BIN)/python -m ds_assets.local_servers
	$(BIN)/python -m benchmarks.programs
	$(BIN)/python -m benchmarks $(ARGS)

# How good the predictions are; needs no servers.
bench-quality: $(VENV)/.bench
	$(BIN)/python -m benchmarks quality $(ARGS)

# Under load. PEERS=1 also measures Feast, BentoML and MLflow, which need an environment of their own.
bench-serving: $(VENV)/.bench $(if $(PEERS),$(VENV)/.peers)
	$(BIN)/python -m benchmarks.programs
	$(BIN)/python -m benchmarks serving $(ARGS)

# The pictures of README and docs, made from the running UI.
pictures: $(VENV)/.pictures
	command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium; }
	$(BIN)/python docs/pictures.py

lock: $(VENV)/.uv
	$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --all-extras \
		--no-emit-index-url --no-header --output-file $(LOCK) pyproject.toml

clean:
	rm -rf $(VENV) .demo

$(VENV)/.uv: $(LOCK)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint $(LOCK) uv
	touch $@

# One stamp for each use; a change of the lock or of the project's file installs again.
$(VENV)/.demo: EXTRAS := demo,services
$(VENV)/.test: EXTRAS := demo,test
$(VENV)/.dev: EXTRAS := demo,test,dev
$(VENV)/.bench: EXTRAS := demo,services,bench
$(VENV)/.pictures: EXTRAS := demo,pictures
$(VENV)/.demo $(VENV)/.test $(VENV)/.dev $(VENV)/.bench $(VENV)/.pictures: $(VENV)/.uv pyproject.toml
	$(UV) --editable ".[$(EXTRAS)]"
	touch $@

$(VENV)/.peers: benchmarks/peers.txt $(VENV)/.uv
	$(PYTHON) -m venv --clear $(VENV)/peers
	$(BIN)/uv pip install --quiet --python $(VENV)/peers/bin/python --requirement benchmarks/peers.txt
	touch $@
