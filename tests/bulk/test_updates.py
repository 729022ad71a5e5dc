"""Updates: what is checked before anything is sent, and by what a later run recognises them."""

from __future__ import annotations

import pickle
from types import MappingProxyType
from typing import Any

import pytest

from neptun_sdk import ArgumentError, NeptunClient
from neptun_sdk.bulk import Update, updates
from neptun_sdk.bulk.updates import Checker, canonical, digest, field_names, operation_of
from neptun_sdk.operations import Operations

WRONG: Any = {"text": "1", "a list": [1], "no mapping": ["name"], "a number": {"name": 7}}
REFUSED: dict[str, tuple[Update, str]] = {
    "an id of text": (Update(WRONG["text"]), "update_project: project_id must be a positive int, not str"),
    "an id without a hash": (Update(WRONG["a list"]), "update_project: project_id must be a positive int, not list"),
    "an import's id": (Update(1, 0, {"title": "a"}), "update_project_import: import_id must be a positive int"),
    "no mapping": (Update(1, fields=WRONG["no mapping"]), "update_project: fields must be a mapping, not list"),
    "no field": (Update(1), "no field was given: pass at least one of name, description"),
    "only None": (Update(1, fields={"name": None}), "no field was given"),
    "a field of the other": (Update(1, 2, {"name": "a"}), "there is no field 'name', only source_type, source_path"),
    "a number": (Update(1, fields=WRONG["a number"]), "name must be a str, not int"),
    "a lone surrogate": (Update(1, fields={"name": "\ud800"}), "name has a lone surrogate"),
}


@pytest.mark.parametrize(("update", "text"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_right_is_refused(update: Update, text: str) -> None:
    with pytest.raises(ArgumentError, match=text) as caught:
        Checker("documented").fields(update)
    assert caught.value.applied is False
    assert caught.value.operation == operation_of(update).name
    assert len(digest(canonical(update))) == 16, "a later run recognises it too"


def test_a_field_that_a_deployed_server_has_not_is_refused() -> None:
    update = Update(1, 2, {"title": "a"})
    assert Checker("documented").fields(update) == {"title": "a"}
    with pytest.raises(ArgumentError, match="a deployed server has no title: leave it out"):
        Checker("deployed").fields(update)


def test_a_field_that_was_left_out_is_not_known_to_be_right() -> None:
    """A row with null where a later one has a value: the later one would end the run when it is sent."""
    checker = Checker("deployed")
    assert checker.fields(Update(1, 2, {"title": None, "source_path": "a"})) == {"source_path": "a"}
    with pytest.raises(ArgumentError, match="a deployed server has no title: leave it out"):
        checker.fields(Update(1, 2, {"title": "a", "source_path": "a"}))


def test_only_the_fields_given_are_sent() -> None:
    assert Checker("documented").fields(Update(1, fields={"name": "", "description": None})) == {"name": ""}


@pytest.mark.parametrize(("update", "text"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_right_is_refused_after_a_row_with_the_same_fields(update: Update, text: str) -> None:
    """What depends on the names of the fields is checked once; each value is checked."""
    checker = Checker("documented")
    for right in (Update(1, fields={"name": "a"}), Update(1, 2, {"title": "a"}), Update(1, 2, {"source_path": "a"})):
        assert checker.fields(right) == checker.fields(right) == right.fields
    with pytest.raises(ArgumentError, match=text):
        checker.fields(update)
    assert checker.fields(Update(2, fields={"name": "b"})) == {"name": "b"}


def test_the_names_of_the_fields_are_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million rows of a file are checked before the first one is sent."""
    checked: list[object] = []
    monkeypatch.setattr(updates, "prepare", lambda *arguments, **_: checked.append(arguments))
    checker = Checker("documented")
    for number in range(1, 1_000):
        checker.fields(Update(number, fields={"name": f"Name {number}"}))
        checker.fields(Update(number, number, {"title": f"Title {number}"}))
    assert len(checked) == 2


def test_a_secret_is_refused_in_any_row() -> None:
    checker = Checker("documented", lambda text: text.replace("secret", "***"))
    for name in ("a", "b"):
        assert checker.fields(Update(1, fields={"name": name})) == {"name": name}
    with pytest.raises(ArgumentError, match="name holds the session cookie"):
        checker.fields(Update(1, fields={"name": "a secret"}))


def test_the_fields_are_the_parameters_of_the_methods() -> None:
    assert field_names(Operations.UPDATE_PROJECT) == ("name", "description", "project_type", "programming_language")
    for operation in (Operations.UPDATE_PROJECT, Operations.UPDATE_PROJECT_IMPORT):
        assert callable(getattr(NeptunClient, operation.name))


DIFFERENT = [
    Update(1, fields={"name": "a"}),
    Update(2, fields={"name": "a"}),
    Update(1, 1, {"name": "a"}),
    Update(1, fields={"name": "b"}),
    Update(1, fields={"name": ""}),
    Update(1, fields={"description": "a"}),
    Update(1, fields={1: "a", "b": "c"}),  # type: ignore[dict-item]
]


def test_different_updates_have_different_digests() -> None:
    assert len({digest(canonical(update)) for update in DIFFERENT}) == len(DIFFERENT)


def test_a_mapping_of_any_class_is_the_same_update() -> None:
    fields = MappingProxyType({"name": "a"})
    assert canonical(Update(1, fields=fields)) == canonical(Update(1, fields={"name": "a"}))
    assert Checker("documented").fields(Update(1, fields=fields)) == {"name": "a"}


def test_an_update_is_a_value() -> None:
    update = Update(1, 2, {"title": "a"})
    assert pickle.loads(pickle.dumps(update)) == update  # noqa: S301 - our own
    assert hash(update) == hash(Update(1, 2, {"title": "a"}))
    assert str(update) == "project 1, import 2"
    assert str(Update(1)) == "project 1"
