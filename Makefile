# make up and make test are the two commands of the README; make help lists the others.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help up test soak bench bench-compare profile fuzz test-transcoding test-properties test-power-cut test-corruption \
	test-clients test-spark test-containers lint format types gen docs proto-image client-wheel lock clean check-python check-java

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

up: $(VENV)/.installed ## serve the Events API on 127.0.0.1:8080; stop it with Ctrl-C
	@exec $(BIN)/sluice up $(ARGS)

test: lint types ## every check and every test
	$(BIN)/pytest -n auto --dist worksteal $(ARGS)

test-transcoding: $(VENV)/.installed-dev ## 10,000 generated bodies through both transcodings; takes some minutes
	SLUICE_TEST_BODIES=10000 $(BIN)/pytest tests/service/test_transcoding.py $(ARGS)

test-properties: $(VENV)/.installed-dev ## 100,000 generated requests against the contract; takes some minutes
	SLUICE_TEST_REQUESTS=100000 SLUICE_TEST_BODIES_CHECKED=5000 SLUICE_TEST_SCHEMATHESIS=200 $(BIN)/pytest -s \
	  tests/ingest/test_generated_bodies.py tests/ingest/test_checked_bodies.py tests/service/test_generated_requests.py tests/service/test_openapi.py $(ARGS)

test-power-cut: $(VENV)/.installed-dev ## the power fails 20 times as often as in make test; takes about 10 minutes
	SLUICE_TEST_POWER_CUTS=20 $(BIN)/pytest tests/power_cut --timeout 0 $(ARGS)

test-corruption: $(VENV)/.installed-dev ## each flip and truncation of a segment, through every door; takes some minutes
	SLUICE_TEST_ALL_DAMAGE=1 $(BIN)/pytest --timeout 3600 tests/log/test_corruption_sealed.py tests/log/test_corruption_open.py \
	  tests/lake/test_corruption.py $(ARGS)

test-clients: $(VENV)/.installed-dev ## every SDK in Node, Chromium, Python, Go and Java, also in trouble; writes docs/sdks.md
	@$(BIN)/python -m tests.clients.prepare
	@$(BIN)/pytest tests/clients/test_grpc_go_program.py $(ARGS)
	@$(BIN)/python -m tests.support.loopback $(BIN)/pytest tests/clients --verbose --deselect tests/clients/test_grpc_go_program.py $(ARGS)

test-containers: $(VENV)/.installed-dev ## docs/containers.md with a Docker engine: builds both images, runs compose.yaml
	WITH_AN_ENGINE=1 $(BIN)/pytest tests/containers $(ARGS)

bench: $(VENV)/.installed-bench ## events per CPU-second, latencies, memory and bytes, for each way in and size of request
	@$(BIN)/python -m bench.matrix $(ARGS)

profile: $(VENV)/.installed-bench ## flame graphs of a worker and of the lake writer under load, in build/profile/
	@$(BIN)/python -m bench.profile $(ARGS)

bench-compare: $(VENV)/.installed-dev ## ratios of two results of make bench: make bench-compare A=before.json B=after.json
	@$(BIN)/python -m bench.compare $(A) $(B)

soak: $(VENV)/.installed-dev ## a service under load dies 500 times, at every step; is each 202 in the lake once?
	@$(BIN)/python -m tests.soak $(ARGS)

fuzz: $(VENV)/.installed-fuzz ## any bytes into each reader, guided by what they reach; a minute each
	@$(BIN)/python -m tests.fuzz $(ARGS)

test-spark: check-java $(VENV)/.installed-dev build/spark-3.5/.installed build/spark-4/.installed ## Spark 3.5 and 4 read the lake; needs Java 17
	$(BIN)/pytest tests/spark/check_readers.py $(ARGS)

lint: $(VENV)/.installed-dev ## style, order of imports, protobuf rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/python tools/generate.py --googleapis-only
	$(BIN)/buf format --diff --exit-code proto
	$(BIN)/buf lint proto
	$(BIN)/buf breaking proto --against proto/released.binpb

types: $(VENV)/.installed-dev ## mypy, strict
	$(BIN)/mypy

format: $(VENV)/.installed-dev ## let ruff and buf mend what they can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/buf format --write proto

gen: $(VENV)/.installed-dev ## write gen/ from proto/
	$(BIN)/python tools/generate.py

docs: $(VENV)/.installed-dev ## write from the program what of docs/ and of the served documents it says of itself
	$(BIN)/python tools/write_docs.py
	$(BIN)/python tools/document_lake.py
	$(BIN)/python tools/document_api.py
	$(BIN)/python -m tests.support.error_document

proto-image: $(VENV)/.installed-dev ## after a release: keep its schemas as what later ones must not break
	$(BIN)/python tools/generate.py --googleapis-only
	$(BIN)/buf build proto --exclude-source-info -o proto/released.binpb

client-wheel: $(VENV)/.installed-dev ## build dist/sluice_client-….whl: the Python client alone, for services that send
	cd packaging/client && $(CURDIR)/$(BIN)/python -m hatchling build --target wheel --directory $(CURDIR)/dist

lock: $(VENV)/.installed-dev ## write constraints.txt anew, with the newest versions that pyproject.toml allows
	$(BIN)/python tools/lock.py

clean: ## remove the environment and what was built; never data
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# The file says that pip and uv have run to their ends; a change of the versions runs them again.
$(VENV)/.installed: pyproject.toml constraints.txt tools/install.py
	@$(MAKE) --no-print-directory check-python
	@echo "installing into $(VENV) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python tools/install.py
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "installing the tools of tests and checks into $(VENV) ..."
	@$(BIN)/python tools/install.py --dev
	@touch $@

$(VENV)/.installed-fuzz: $(VENV)/.installed-dev
	@echo "installing the fuzzer into $(VENV) ..."
	@$(BIN)/python tools/install.py --dev --fuzz
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed-dev
	@echo "installing what make bench compares with into $(VENV) ..."
	@$(BIN)/python tools/install.py --dev --bench
	@touch $@

build/spark-%/.installed: tools/install_spark.py | $(VENV)/.installed
	@echo "installing Spark $* into build/spark-$* ..."
	@$(BIN)/python tools/install_spark.py $*
	@touch $@

check-java:
	@$${JAVA_HOME:+$$JAVA_HOME/bin/}java -XshowSettings:properties -version 2>&1 | \
	  grep -qE 'java\.specification\.version = (1[7-9]|[2-9][0-9])' || { \
	  echo "error: Spark needs Java 17 or later; there is none, or an older one" >&2; \
	  echo "  hint: apt-get install openjdk-17-jre-headless    (or set JAVA_HOME)" >&2; exit 2; }

check-python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || { \
	  echo "error: Sluice needs Python 3.11, 3.12 or 3.13; \"$(PYTHON)\" is $$($(PYTHON) --version 2>&1 | head -n 1)" >&2; \
	  echo "  hint: apt-get install python3 python3-venv    (or: make PYTHON=/path/to/python3.12 ...)" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "error: this Python has no venv or no ensurepip" >&2; \
	  echo "  hint: apt-get install python3-venv" >&2; exit 2; }
