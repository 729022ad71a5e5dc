# The front door. `make` alone lists every target. Each target installs what it needs into .venv, once.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test sandbox generate check-generated record check-server lint-spec lint types check
.PHONY: mutation bench bench-quick profile lock build clean

VENV := .venv
BIN := $(VENV)/bin
# PYTHON=… chooses another interpreter for .venv.
PYTHON ?= $(shell scripts/find-python)
REDOCLY := @redocly/cli@2.77.0

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F '\t' '{printf "  make %-16s %s\n", $$1, $$2}'

demo: $(VENV)/.demo ## run both updates through the SDK, over HTTP, against the embedded Neptun
	@$(BIN)/python scripts/demo.py

test: $(VENV)/.test $(VENV)/.wheels ## run every test, with coverage
	$(BIN)/pytest --cov --cov-report=term-missing

sandbox: $(VENV)/.demo ## start the embedded Neptun in the foreground (DIALECT=deployed: the deployed one)
	@$(BIN)/neptun-sandbox --dialect "$(or $(DIALECT),documented)"

generate: $(VENV)/.generate ## regenerate generated/ from openapi.yaml
	$(BIN)/python scripts/generate.py

check-generated: $(VENV)/.generate ## fail with a diff where generated/ is not what openapi.yaml gives
	@$(BIN)/python scripts/generate.py --check

record: $(VENV)/.test ## record the cassettes anew, from the embedded Neptun or from $NEPTUN_BASE_URL
	$(BIN)/python scripts/record.py

check-server: $(VENV)/.demo ## tell which dialect the server at $NEPTUN_BASE_URL speaks; changes a scratch project and import
	@CONFIRM="$(CONFIRM)" $(BIN)/python scripts/check_server.py

lint-spec: $(VENV)/.check ## lint openapi.yaml: openapi-spec-validator, and Redocly's strict rules
	$(BIN)/openapi-spec-validator openapi.yaml
	PATH="$(CURDIR)/$(BIN):$$PATH" REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true \
		npx --yes $(REDOCLY) lint --extends recommended-strict openapi.yaml

lint: $(VENV)/.check ## lint and format-check the Python code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.check ## check types: mypy --strict, pyright strict, and that every public name has one
	$(BIN)/mypy
	$(BIN)/pyright
	PATH="$(CURDIR)/$(BIN):$$PATH" pyright --ignoreexternal --verifytypes neptun_sdk

check: lint types lint-spec check-generated ## every static check

mutation: $(VENV)/.mutation ## change the code in every small way, and see that a test notices (40 minutes)
	rm -rf mutants
	$(BIN)/mutmut run
	$(BIN)/python scripts/mutation.py

bench: $(VENV)/.vendors ## measure what a call costs beside httpx, urllib3, requests, stripe and openai; writes docs/
	@PYTHONPATH=scripts $(BIN)/python -m bench

bench-quick: $(VENV)/.bench ## the same, short, without the vendors' SDKs; writes nothing
	@PYTHONPATH=scripts $(BIN)/python -m bench --quick

profile: $(VENV)/.demo ## show where the time of one call goes
	@PYTHONPATH=scripts $(BIN)/python scripts/profile_call.py

lock: $(VENV)/.python ## resolve the newest versions of every dependency into constraints.txt
	$(BIN)/pip install --quiet uv==0.13.9
	$(BIN)/uv pip compile pyproject.toml --upgrade --universal --python-version 3.11 --extra sandbox --group check --group mutation \
		--group bench --group vendors \
		--no-header --no-annotate --no-emit-index-url --quiet --output-file constraints.txt

build: $(VENV)/.test ## build the wheel and the sdist into dist/
	$(BIN)/python -m build --no-isolation

clean: ## remove .venv and everything that was built
	rm -rf $(VENV) dist mutants .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache

$(VENV)/.python:
	@test -n "$(PYTHON)" || { echo "neptun-sdk needs Python 3.11 or newer, and found none. Install it, or say where it is: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "setting up $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv --clear $(VENV) || { echo "Python's venv module does not work here; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check pip==26.3
	@touch $@

# One stamp for each dependency group: setting up again is a no-op until one of the two files changes.
$(addprefix $(VENV)/.,demo generate test check mutation bench vendors): $(VENV)/.python pyproject.toml constraints.txt
	@echo "installing what '$(subst .,,$(notdir $@))' needs"
	@$(BIN)/pip install --quiet --group $(subst .,,$(notdir $@)) --constraint constraints.txt --editable '.[sandbox]'
	@touch $@

# What a plain installation downloads, so that the test of the wheel needs no network.
$(VENV)/.wheels: $(VENV)/.python pyproject.toml constraints.txt
	@rm -rf $(VENV)/wheels
	@$(BIN)/pip download --quiet --constraint constraints.txt --dest $(VENV)/wheels .
	@rm -f $(VENV)/wheels/neptun_sdk-*
	@touch $@
