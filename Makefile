# The front door. `make` alone lists every target. Each target installs what it needs into .venv, once.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-contract sandbox generate check-generated pages record check-server lint-spec lint types prose check
.PHONY: record-bulk changes release portability languages mutation bench bench-quick profile docs docs-serve
.PHONY: matrix lock build contract clean

VENV := .venv
BIN := $(VENV)/bin
# Without bytecode, each of the many processes would compile everything again.
unexport PYTHONDONTWRITEBYTECODE
# PYTHON=… chooses another interpreter for .venv.
PYTHON ?= $(shell scripts/find-python)
NODE_TOOLS := @redocly/cli@2.77.0 typescript@5.9.3 @stoplight/spectral-cli@6.16.3 \
	@stoplight/spectral-owasp-ruleset@2.0.1 swagger-ui-dist@5.35.0
# Its one file is complete: what it would install beside it is 237 MB.
SCALAR := @scalar/api-reference@1.72.1
OASDIFF := github.com/oasdiff/oasdiff@v1.36.0
VALE := github.com/errata-ai/vale/v3/cmd/vale@v3.18.0

#: Start here
help: ## list the targets
	@awk -F ':.*## ' '/^#: / {printf "%s%s\n", sep, substr($$0, 4); sep = "\n"} \
		/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## both updates, over HTTP, against the embedded Neptun
	@$(BIN)/python scripts/demo.py

test: $(VENV)/.test $(VENV)/.wheels $(VENV)/.node $(VENV)/.oasdiff ## every test, with coverage
	$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder --cov --cov-report=term-missing

#: Develop
matrix: $(VENV)/.matrix ## the SDK on every Python here, lowest and newest versions
	$(BIN)/nox $(if $(SESSIONS),--session $(SESSIONS)) -- $(OPTIONS)

test-contract: $(VENV)/.test ## in seconds: what does not fit openapi.yaml, and where
	$(BIN)/pytest -q tests/contract --ignore=tests/contract/test_schemathesis.py

sandbox: $(VENV)/.demo ## the embedded Neptun in the foreground (DIALECT=deployed)
	@$(BIN)/neptun-sandbox --dialect "$(or $(DIALECT),documented)"

lint: $(VENV)/.check ## lint the Python code, and check its format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.check ## check types: mypy, pyright, pyrefly, the public names
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/pyrefly check --preset strict tests/typing/api.py
	PATH="$(CURDIR)/$(BIN):$$PATH" pyright --ignoreexternal --verifytypes neptun_sdk

lint-spec: $(VENV)/.check $(VENV)/.node ## lint openapi.yaml: a validator, Spectral, Redocly
	$(BIN)/openapi-spec-validator openapi.yaml
	PATH="$(CURDIR)/$(BIN):$$PATH" spectral lint --ruleset scripts/spectral.yaml --fail-severity hint openapi.yaml
	PATH="$(CURDIR)/$(BIN):$$PATH" REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true \
		redocly lint --extends recommended-strict openapi.yaml

check-generated: $(VENV)/.generate ## fail if generated/ is not what openapi.yaml gives
	@$(BIN)/python scripts/generate.py --check

# Both run, whether or not the first one fails.
DIFFS = echo "The Python interface since the last release:"; \
	$(BIN)/python scripts/api_diff.py --check-version interfaces/released.txt interfaces/python.txt; status=$$?; \
	echo "The contract since the last release:"; \
	$(BIN)/python scripts/spec_diff.py --check-version interfaces/released.yaml openapi.yaml && exit $$status

changes: $(VENV)/.check $(VENV)/.node $(VENV)/.oasdiff ## both interfaces since the release: whom changes break
	@$(BIN)/python scripts/api_snapshot.py
	@$(DIFFS)

prose: $(VENV)/.check $(VENV)/.vale ## lint the words of pages, docstrings and help texts
	@mkdir -p docs/_build/help
	@for each in neptun-bulk neptun-sandbox; do COLUMNS=1000 $(BIN)/$$each --help >docs/_build/help/$$each.md || exit 1; done
	$(BIN)/vale --output=line *.md docs interfaces/*.md neptun_sdk

check: lint types prose lint-spec check-generated $(VENV)/.oasdiff ## every static check
	@$(BIN)/python scripts/api_snapshot.py --check
	@$(DIFFS)

portability: $(VENV)/.test ## clients of other languages, through the vectors
	@$(BIN)/python tests/portability/run.py --page docs/portability.md

languages: $(VENV)/.test $(VENV)/.node ## the pages of other languages, run as printed
	@$(BIN)/python scripts/try_languages.py $(PAGE)

bench-quick: $(VENV)/.bench ## what a call costs, roughly; writes nothing
	@PYTHONPATH=scripts $(BIN)/python -m bench --quick

docs: $(VENV)/.docs ## the site, into docs/_build/html
	@$(BIN)/sphinx-build -E -n -W --keep-going -q -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html, or: make docs-serve"

docs-serve: docs ## the site on loopback (PORT=8000)
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory docs/_build/html "$(or $(PORT),8000)"

profile: $(VENV)/.demo ## where the time of one call goes
	@PYTHONPATH=scripts $(BIN)/python scripts/profile_call.py

#: Maintain
generate: $(VENV)/.generate ## write generated/ from openapi.yaml
	$(BIN)/python scripts/generate.py

pages: $(VENV)/.test ## write the reference pages that follow from the code
	@$(BIN)/python scripts/write_pages.py

record: $(VENV)/.test ## record the cassettes again (or from $NEPTUN_BASE_URL)
	$(BIN)/python scripts/record.py

record-bulk: $(VENV)/.test ## docs/tasks/bulk.svg: neptun-bulk on a terminal
	$(BIN)/python scripts/record_bulk.py

check-server: $(VENV)/.demo ## which dialect a server speaks; CONFIRM=yes writes to it
	@CONFIRM="$(CONFIRM)" $(BIN)/python scripts/check_server.py

mutation: $(VENV)/.mutation ## does a test notice each change of the code? (two hours)
	rm -rf mutants
	$(BIN)/mutmut run --max-children 6
	$(BIN)/python scripts/mutation.py

bench: $(VENV)/.vendors ## what a call costs, beside others; writes docs/
	@PYTHONPATH=scripts $(BIN)/python -m bench

lock: $(VENV)/.python ## newest versions of every dependency: constraints.txt
	$(BIN)/pip install --quiet uv==0.13.9
	$(BIN)/uv pip compile pyproject.toml --upgrade --universal --python-version 3.11 --extra sandbox --extra bulk --extra dask \
		--group docs --group check --group mutation \
		--group bench --group vendors --group integrations --group matrix \
		--no-header --no-annotate --no-emit-index-url --quiet --output-file constraints.txt

release: $(VENV)/.check $(VENV)/.wheels $(VENV)/.node $(VENV)/.oasdiff ## VERSION=x.y.z: check, build, try, commit, tag
	@$(BIN)/python scripts/release.py "$(VERSION)"

contract: $(VENV)/.check ## the contract, with its vectors, into dist/
	@$(BIN)/python scripts/contract.py

build: $(VENV)/.test ## the wheel and the sdist, into dist/
	$(BIN)/python -m build --no-isolation

clean: ## remove .venv and everything that was built
	rm -rf $(VENV) .nox dist docs/_build mutants .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache \
		tests/portability/*/.build*

# A failure leaves no environment behind, which later calls would use.
$(VENV)/.python:
	@test -n "$(PYTHON)" && scripts/find-python $(PYTHON) >/dev/null || { \
		echo "neptun-sdk needs Python 3.11 or newer, and $(if $(PYTHON),$(PYTHON) is older or does not run,found none). Install it, or say where it is: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "setting up $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); echo "Python's venv module does not work here; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check pip==26.3
	@touch $@

# One stamp for each dependency group: setting up again is a no-op until one of the two files changes. compileall uses
# every core, and pip one. It fails for the templates of some packages, which are no Python.
$(addprefix $(VENV)/.,demo generate test matrix docs check mutation bench vendors): $(VENV)/.python pyproject.toml constraints.txt
	@echo "installing what '$(subst .,,$(notdir $@))' needs"
	@$(BIN)/pip install --quiet --no-compile --group $(subst .,,$(notdir $@)) --constraint constraints.txt --editable '.[sandbox]'
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	@touch $@

# What an installation of the wheel or the sdist downloads, so that their tests need no network.
$(VENV)/.wheels: $(VENV)/.python pyproject.toml constraints.txt
	@rm -rf $(VENV)/wheels
	@$(BIN)/pip download --quiet --constraint constraints.txt --dest $(VENV)/wheels . hatchling
	@rm -f $(VENV)/wheels/neptun_sdk-*
	@touch $@

# Redocly, Spectral and TypeScript become commands of .venv/bin like the rest; Swagger UI and Scalar are files that a test
# opens. Without them their tests are skipped by name.
$(VENV)/.node: $(VENV)/.test Makefile
	@PATH="$(CURDIR)/$(BIN):$$PATH"; mkdir -p $(VENV)/lib/scalar; \
		npm install --global --silent --prefix $(VENV) $(NODE_TOOLS) && \
		tar xzf "$(VENV)/lib/scalar/$$(npm pack --silent --pack-destination $(VENV)/lib/scalar $(SCALAR))" \
			-C $(VENV)/lib/scalar --strip-components 3 package/dist/browser/standalone.js && touch $@ || \
		echo "npm is missing or failed: there is no Redocly, Spectral, TypeScript, Swagger UI and Scalar" >&2

# Vale takes minutes to compile, once. Without Go there is none: `make prose` then fails and says so.
$(VENV)/.vale: $(VENV)/.python Makefile
	@if GOBIN="$(CURDIR)/$(BIN)" go install $(VALE); then touch $@; \
	else echo "vale is not built, because Go is missing or failed: prose cannot lint the words" >&2; exit 1; fi

# Without Go there is no oasdiff: `make changes` then fails and says so, and its tests are skipped.
$(VENV)/.oasdiff: $(VENV)/.python Makefile
	@if GOBIN="$(CURDIR)/$(BIN)" go install $(OASDIFF); then touch $@; \
	else echo "oasdiff is not built, because Go is missing or failed: make changes cannot compare contracts" >&2; fi
