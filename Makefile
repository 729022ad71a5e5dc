# The front door. `make` alone lists every target. Each target installs what it needs into .venv, once.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-contract sandbox generate check-generated record check-server lint-spec lint types check
.PHONY: mutation bench bench-quick profile lock build clean

VENV := .venv
BIN := $(VENV)/bin
# PYTHON=… chooses another interpreter for .venv.
PYTHON ?= $(shell scripts/find-python)
REDOCLY := @redocly/cli@2.77.0

#: Start here
help: ## list the targets
	@awk -F ':.*## ' '/^#: / {printf "%s%s\n", sep, substr($$0, 4); sep = "\n"} \
		/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## both updates, over HTTP, against the embedded Neptun
	@$(BIN)/python scripts/demo.py

test: $(VENV)/.test $(VENV)/.wheels ## every test, with coverage
	$(BIN)/pytest --cov --cov-report=term-missing

#: Develop
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

lint-spec: $(VENV)/.check ## lint openapi.yaml: its validator, Redocly's strict rules
	$(BIN)/openapi-spec-validator openapi.yaml
	PATH="$(CURDIR)/$(BIN):$$PATH" REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true \
		npx --yes $(REDOCLY) lint --extends recommended-strict openapi.yaml

check-generated: $(VENV)/.generate ## fail if generated/ is not what openapi.yaml gives
	@$(BIN)/python scripts/generate.py --check

check: lint types lint-spec check-generated ## every static check

bench-quick: $(VENV)/.bench ## what a call costs, roughly; writes nothing
	@PYTHONPATH=scripts $(BIN)/python -m bench --quick

profile: $(VENV)/.demo ## where the time of one call goes
	@PYTHONPATH=scripts $(BIN)/python scripts/profile_call.py

#: Maintain
generate: $(VENV)/.generate ## write generated/ from openapi.yaml
	$(BIN)/python scripts/generate.py

record: $(VENV)/.test ## record the cassettes again (or from $NEPTUN_BASE_URL)
	$(BIN)/python scripts/record.py

check-server: $(VENV)/.demo ## which dialect a server speaks; CONFIRM=yes writes to it
	@CONFIRM="$(CONFIRM)" $(BIN)/python scripts/check_server.py

mutation: $(VENV)/.mutation ## does a test notice each change of the code? (40 minutes)
	rm -rf mutants
	$(BIN)/mutmut run
	$(BIN)/python scripts/mutation.py

bench: $(VENV)/.vendors ## what a call costs, beside others; writes docs/
	@PYTHONPATH=scripts $(BIN)/python -m bench

lock: $(VENV)/.python ## newest versions of every dependency: constraints.txt
	$(BIN)/pip install --quiet uv==0.13.9
	$(BIN)/uv pip compile pyproject.toml --upgrade --universal --python-version 3.11 --extra sandbox --group check --group mutation \
		--group bench --group vendors --group integrations \
		--no-header --no-annotate --no-emit-index-url --quiet --output-file constraints.txt

build: $(VENV)/.test ## the wheel and the sdist, into dist/
	$(BIN)/python -m build --no-isolation

clean: ## remove .venv and everything that was built
	rm -rf $(VENV) dist mutants .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache

# A failure leaves no environment behind, which later calls would use.
$(VENV)/.python:
	@test -n "$(PYTHON)" && scripts/find-python $(PYTHON) >/dev/null || { \
		echo "neptun-sdk needs Python 3.11 or newer, and $(if $(PYTHON),$(PYTHON) is older or does not run,found none). Install it, or say where it is: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "setting up $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); echo "Python's venv module does not work here; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
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
