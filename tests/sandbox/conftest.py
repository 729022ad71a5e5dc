"""A contract with operations of every kind, which the embedded Neptun serves without a line of its own."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from neptun_sdk.dialects import DIALECTS
from neptun_sdk.models import Dialect
from neptun_sdk.sandbox import spec

KINDS = yaml.safe_load(Path(__file__).with_name("kinds.yaml").read_text(encoding="utf-8"))


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    chosen: Dialect = request.param
    return chosen


@pytest.fixture
def contract(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The contract, for a test to change."""
    changed = copy.deepcopy(spec.load_spec())
    monkeypatch.setattr(spec, "load_spec", lambda: changed)
    return changed


@pytest.fixture
def kinds(contract: dict[str, Any]) -> dict[str, Any]:
    """The contract with the operations of ``kinds.yaml``."""
    for path, item in KINDS["paths"].items():
        contract["paths"].setdefault(path, {}).update(item)
    return contract
