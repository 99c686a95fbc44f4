# Start with `make demo` and `make test`; every target sets up what it needs.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
LOCK := requirements.lock
# Use the interpreter that is installed; uv must not download another one.
export UV_PYTHON_DOWNLOADS := never
export UV_LINK_MODE := copy
# Compile packages at installation, and let Python write bytecode for the project even if the
# environment forbids it: tests and demo start many processes, and each would compile everything again.
unexport PYTHONDONTWRITEBYTECODE
UV := $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraints $(LOCK)

.PHONY: demo ui test test-fast fuzz soak rehearsal strangers servers lint types hooks bench bench-quality bench-growth bench-promotions bench-serving bench-uplift pictures \
	diagram reference docs lock clean

demo: $(VENV)/.demo
	$(BIN)/ds-assets demo $(ARGS)

# The UI of an installation: that of DS_ASSETS_HOME, or of ds_assets_home.
ui: $(VENV)/.demo
	$(BIN)/ds-assets ui $(ARGS)

# The tests of core/ must cover it on their own. The other tests, many of which run the whole graph,
# run without measuring coverage, which would slow them down, and with one process more than there are
# processors, because they wait for servers. In the order of files no long one comes last.
CORE := ds_assets_tests/core
TESTS := $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder
test: lint types servers
	$(TESTS) -n 2 --cov --cov-report=term $(CORE)
	$(TESTS) -n 3 --ignore=$(CORE) $(ARGS)

test-fast: $(VENV)/.test
	$(BIN)/ruff check --quiet .
	$(TESTS) -q -n 2 -m "not slow and not server" --hypothesis-profile quick $(ARGS)

# Look for inputs that break a rule among many that no run has tried, mostly in core/: half an hour.
fuzz: $(VENV)/.test
	$(TESTS) -q -n 2 -m "hypothesis and not server" --hypothesis-profile many $(ARGS)

# Load-test the API while its dependencies fail and recover.
MINUTES ?= 1
soak: servers
	$(BIN)/python -m ds_assets_tests.soak --minutes $(MINUTES)

# Simulate a year of operation in which everything goes wrong sooner or later. SEED=N repeats one.
DAYS ?= 365
rehearsal: servers
	$(BIN)/python -m ds_assets_tests.rehearsal --servers --days $(DAYS) $(if $(SEED),--seed $(SEED))

# From each kind of export to predictions, from a wheel, as a stranger would: minutes for each.
strangers: $(VENV)/.test
	$(BIN)/python -m ds_assets_tests.strangers $(ARGS)

# Install the programs of the private servers that tests start, where they are missing.
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
	$(BIN)/python -m benchmarks.programs peers
	$(BIN)/python -m benchmarks $(ARGS)

# Quality of the predictions; needs no servers.
bench-quality: $(VENV)/.bench
	$(BIN)/python -m benchmarks quality $(ARGS)

# How seconds and memory of a day's run grow with events, history, users, games and targets: an hour and
# 30 GB of disk.
bench-growth: $(VENV)/.bench
	$(BIN)/python -m benchmarks growth $(ARGS)

# Whether the measurement of promotions can be trusted; needs no servers.
bench-promotions: $(VENV)/.bench
	$(BIN)/python -m benchmarks promotions $(ARGS)

# Whom to treat, on simulated trials; FILE and ARGS measure a table of a randomised test. ECONML=1 also
# measures econml, in an environment of its own.
bench-uplift: $(VENV)/.bench $(if $(ECONML),$(VENV)/.econml)
	$(BIN)/python -m benchmarks uplift $(FILE) $(ARGS)

# The API under load. PEERS=1 also measures Feast, BentoML and MLflow, in their own environment, and
# webdis.
bench-serving: $(VENV)/.bench $(if $(PEERS),$(VENV)/.peers)
	$(BIN)/python -m benchmarks.programs $(if $(PEERS),peers)
	$(BIN)/python -m benchmarks serving $(ARGS)

# Take the README's pictures from the running UI, and draw the stored results of bench-growth.
pictures: $(VENV)/.pictures
	command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium; }
	$(BIN)/python docs/pictures.py
	$(BIN)/python -m benchmarks.growth_pictures

# The picture in docs/architecture.md, drawn from the code.
diagram: $(VENV)/.test
	$(BIN)/python -m docs.diagram

# Write the pages of the reference from the code.
reference: $(VENV)/.test
	PYTHONPATH=docs $(BIN)/python -m reference_pages

# Build the documentation as a site. Whatever Sphinx warns of is an error, such as a link to a heading
# that does not exist.
docs: $(VENV)/.test
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -c docs -d build/doctrees . build/site

lock: $(VENV)/.uv
	$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --all-extras \
		--no-emit-index-url --no-header --output-file $(LOCK) pyproject.toml

clean:
	rm -rf $(VENV) .demo

$(VENV)/.uv: $(LOCK)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint $(LOCK) uv
	touch $@

# One stamp per set of extras; a change of the lock or of pyproject.toml installs again.
$(VENV)/.demo: EXTRAS := demo,services
$(VENV)/.test: EXTRAS := demo,test
$(VENV)/.dev: EXTRAS := demo,test,dev
$(VENV)/.bench: EXTRAS := demo,services,bench,spark
$(VENV)/.pictures: EXTRAS := demo,pictures
$(VENV)/.demo $(VENV)/.test $(VENV)/.dev $(VENV)/.bench $(VENV)/.pictures: $(VENV)/.uv pyproject.toml
	$(UV) --editable ".[$(EXTRAS)]"
	touch $@

$(VENV)/.peers: benchmarks/peers.txt $(VENV)/.uv
	$(PYTHON) -m venv --clear $(VENV)/peers
	$(BIN)/uv pip install --quiet --python $(VENV)/peers/bin/python --requirement benchmarks/peers.txt
	touch $@

$(VENV)/.econml: benchmarks/econml.txt $(VENV)/.uv
	$(PYTHON) -m venv --clear $(VENV)/econml
	$(BIN)/uv pip install --quiet --python $(VENV)/econml/bin/python --requirement benchmarks/econml.txt
	touch $@
