"""What data frames hand in, and what serialisers make of a result."""

import importlib
from typing import Any

import pytest

from neptun_sdk import ArgumentError, NeptunClient, Project
from neptun_sdk.sandbox import Sandbox
from tests.needs import require


@pytest.mark.parametrize("kind", ["int64", "int32", "uint8", "uint64"])
def test_an_integer_of_numpy_is_an_id(kind: str, neptun: Sandbox) -> None:
    require("numpy")
    number: Any = getattr(importlib.import_module("numpy"), kind)
    project_id = neptun.project_id if kind != "uint8" else 1
    with NeptunClient(neptun.session_cookie, number(neptun.user_id), base_url=neptun.base_url) as client:
        if kind == "uint8":
            with pytest.raises(Exception, match=r"^update_project\(user_id=1, project_id=1\): 404"):
                client.update_project(number(project_id), name="x")
        else:
            project = client.with_options(max_retries=number(1)).update_project(number(project_id), name="x")
            assert (type(project.id), project.id) == (int, project_id)


WRONG = (
    "numpy.bool_(True)",
    "numpy.float64(789)",
    "numpy.int64(0)",
    "numpy.array([789])",
    "True",
    "789.0",
    "'789'",
)


@pytest.mark.parametrize("expression", WRONG)
def test_what_is_not_an_integer_is_refused(expression: str, client: NeptunClient) -> None:
    names: dict[str, Any] = {}
    if "numpy" in expression:
        require("numpy")
        names["numpy"] = importlib.import_module("numpy")
    wrong = eval(expression, names)  # noqa: S307 - an expression of this file
    with pytest.raises(ArgumentError, match="project_id must be a positive int"):
        client.update_project(wrong, name="x")
    with pytest.raises(ArgumentError, match="user_id must be a positive int"):
        client.with_session("a-session", wrong)


def test_cattrs_structures_a_project(neptun: Sandbox, client: NeptunClient) -> None:
    require("cattrs")
    preconf: Any = importlib.import_module("cattrs.preconf.json")
    converter = preconf.make_converter()
    project = client.update_project(neptun.project_id, name="x")
    written = converter.unstructure(project)
    assert "response_headers" not in str(written)
    assert converter.structure(written, Project) == project


def test_msgspec_writes_and_reads_a_project(neptun: Sandbox, client: NeptunClient) -> None:
    require("msgspec")
    msgspec: Any = importlib.import_module("msgspec")
    project = client.update_project(neptun.project_id, name="x")
    written = msgspec.json.encode(project)
    assert b"response_headers" not in written
    assert msgspec.json.decode(written, type=Project) == project
