"""What an operation does by default, derived from its method, its path and the bodies of the contract."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

from neptun_sdk.sandbox.resources import Kind, Target, success_schema
from neptun_sdk.sandbox.spec import Issue, Operation
from neptun_sdk.sandbox.state import OWNER, TIMES, Account, Row, State, now

Rules = Callable[[Target, Row, Row], list[Issue]]  # takes the target, the row after the change, and the fields given
Answer = tuple[object, Mapping[str, str]]  # the body of a success, and its headers

_SEARCHES = ("q", "query", "search")
_SIZES = ("per_page", "page_size", "limit")


class Refusal(Exception):
    """A request that fails: the status and message of the error, and the problems of fields."""

    def __init__(
        self, status: int, message: str, issues: Sequence[Issue] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.message = message
        self.issues = issues
        self.headers = headers
        super().__init__(message)


@dataclass(frozen=True)
class Call:
    """A request that passed every check.

    Attributes:
        target: What its operation is about.
        account: The user of its session.
        parents: The stored rows that its path names, in their order.
        parameters: Its parameters, by name.
        body: Its decoded body; empty for an operation without one.
        state: All that is stored.
        columns: The names in a row of the fields of the contract, where these differ; None if rows have no such field.
        rules: What the fields must fulfill besides their schemas.
    """

    target: Target
    account: Account
    parents: Sequence[Row]
    parameters: Mapping[str, Any]
    body: Row
    state: State
    columns: Mapping[str, str | None]
    rules: Rules

    @property
    def row(self) -> Row:
        """The stored row that its path names."""
        return self.parents[-1]


def respond(call: Call) -> Answer:
    """Perform the operation, and return the body and the headers of the success."""
    key = next((each for name, each in call.parameters.items() if name.lower() == "idempotency-key"), None)
    again = (call.target.operation.operation_id, call.account.user_id, key)
    if key is not None and again in call.state.answers:
        return call.state.answers[again]
    answer = _BY_KIND[call.target.kind](call)
    if key is not None:
        call.state.answers[again] = answer
    return answer


def _item(call: Call) -> Answer:
    return _about(call, call.row, deletes=call.target.operation.path.endswith("}"))


def _one(call: Call) -> Answer:
    state, resource, links = call.state, call.target.resource, _links(call)
    row = next(iter(state.owned(resource, links)), None) or state.add(resource, state.new_row(resource, links))
    return _about(call, row, deletes=True)


def _about(call: Call, row: Row, *, deletes: bool) -> Answer:
    """Read, change or delete a row."""
    method = call.target.operation.method
    _check_version(call, row)
    headers = _headers(call, row)
    if method == "DELETE" and deletes:
        call.state.delete(call.target.resource, row)
    elif method != "GET":
        _change(call, row)
        headers = _headers(call, row)
    return _body(call, [row]), headers


def _create(call: Call) -> Answer:
    state, resource = call.state, call.target.resource
    given = _given(call)
    row = state.new_row(resource, {**_links(call), **_columns(call, given)})
    row |= dict.fromkeys((name for name in TIMES if not isinstance(row[name], int)), now())
    _check_rules(call, row, given)
    state.add(resource, row)
    return _body(call, [row]), _headers(call, row)


def _list(call: Call) -> Answer:
    state, resource = call.state, call.target.resource
    rows = state.owned(resource, _links(call))
    if call.target.operation.method == "DELETE":
        for row in rows:
            state.delete(resource, row)
    return _body(call, [row for row in rows if _is_wanted(call, row)]), {}


_BY_KIND: Mapping[Kind, Callable[[Call], Answer]] = {
    Kind.ITEM: _item,
    Kind.ONE: _one,
    Kind.CREATE: _create,
    Kind.LIST: _list,
}


def _links(call: Call) -> Row:
    """Return the fields that tie a row to the user, and to the rows that the path names."""
    parents = zip(call.target.steps, call.parents, strict=True)
    return {OWNER: call.account.user_id, **{step.resource.path_id: row["id"] for step, row in parents}}


def _given(call: Call) -> Row:
    """Return the fields to set; ignore those that the contract does not let a request set."""
    content = call.target.operation.body
    fields = content.schema.fields if content and content.schema else {}
    return {name: call.body[name] for name in fields if name in call.body}


def _columns(call: Call, given: Row) -> Row:
    """Return fields of the contract under their names in a row."""
    named = {call.columns.get(name, name): value for name, value in given.items()}
    return {column: value for column, value in named.items() if column is not None}


def _change(call: Call, row: Row) -> None:
    given = _given(call)
    changes = _columns(call, given)
    _check_rules(call, {**row, **changes}, given)
    call.state.update(row, changes)


def _check_rules(call: Call, row: Row, given: Row) -> None:
    table = call.state.tables[call.target.resource]
    # The contract may let a request set a value that its response may not contain.
    fields = [(name, table.fields[name]) for name in given if name in table.fields]
    wrong = [Issue(name, issue.message) for name, schema in fields for issue in schema.issues(given[name])]
    if issues := wrong or call.rules(call.target, row, given):
        raise Refusal(invalid_status(call.target.operation), "Invalid request body", issues)
    for key in table.keys:
        others = [each for each in call.state.find_all(call.target.resource, key, row[key]) if each["id"] != row["id"]]
        if key in given and others:
            status = 409 if call.target.operation.reply(409) else 400
            raise Refusal(status, f"There is another {call.target.resource.name} with this {key}")


def invalid_status(operation: Operation) -> int:
    """Return the status for valid JSON that breaks the schema: 422 if the contract has it, else 400."""
    return 422 if "422" in operation.responses else 400


def _check_version(call: Call, row: Row) -> None:
    """Refuse a request for another version of a row than the stored one."""
    for parameter in call.target.operation.parameters:
        if parameter.is_if_match and parameter.name in call.parameters:
            tags = [tag.strip() for tag in str(call.parameters[parameter.name]).split(",")]
            if "*" not in tags and call.state.tag(call.target.resource, row) not in tags:
                raise Refusal(412, f"The {call.target.resource.name} has changed: read it again")


def _is_wanted(call: Call, row: Row) -> bool:
    """Tell whether a row passes the filters of a query: parameters with the name of a field, and a search for words."""
    shown = _shown(call, row, call.state.tables[call.target.resource].fields)
    for parameter in call.target.operation.parameters:
        wanted: object = call.parameters.get(parameter.name)
        if parameter.place != "query" or wanted is None:
            continue
        if parameter.name in _SEARCHES:
            texts = [value for value in shown.values() if isinstance(value, str)]
            if not any(str(wanted).lower() in text.lower() for text in texts):
                return False
        for name in (parameter.name, f"{call.target.resource.name}_{parameter.name}"):
            options = cast("list[object]", wanted) if isinstance(wanted, list) else [wanted]
            if name in shown and not isinstance(shown[name], list) and shown[name] not in options:
                return False
    return True


def _body(call: Call, rows: list[Row]) -> object:
    """Return the body of a success: the rows where the contract has them, in the envelope that its schema requires."""
    schema, place = success_schema(call.target.operation), call.target.place
    if schema is None:
        return None
    if place is None:
        return schema.sample()
    # A row of a deployed server may lack what the contract requires.
    shown = [_shown(call, row, place.row.fields) for row in rows]
    for row in shown:
        row |= {name: place.row.fields[name].sample() for name in place.row.required if name not in row}
    facts = _paging(call, len(shown))
    page = shown[(facts["page"] - 1) * facts["per_page"] :][: facts["per_page"]]
    found: object = page if place.many else shown[0]
    if place.envelope is None:
        return found
    others: Row = schema.sample(facts) if len(schema.fields) > 1 else {}
    return {**others, place.envelope: found}


def _paging(call: Call, total: int) -> dict[str, Any]:
    """Return the totals that an envelope may hold, under their usual names."""
    numbers = {name: value for name, value in call.parameters.items() if isinstance(value, int)}
    size = next((numbers[name] for name in _SIZES if numbers.get(name)), max(total, 1))
    page = max(numbers.get("page", 1), 1)
    pages = math.ceil(total / size)
    return {
        **dict.fromkeys(("total", "count", "total_count", "total_items"), total),
        **dict.fromkeys(("pages", "page_count", "total_pages"), pages),
        **dict.fromkeys(("next", "next_cursor", "next_page_token", "previous", "previous_cursor")),
        **dict.fromkeys(("has_more", "has_next"), page < pages),
        **dict.fromkeys(_SIZES, size),
        "page": page,
    }


def _shown(call: Call, row: Row, names: Iterable[str]) -> Row:
    """Return a row under the names of the contract."""
    columns = {name: call.columns.get(name, name) for name in names}
    return {name: row[column] for name, column in columns.items() if column in row}


def _headers(call: Call, row: Row) -> dict[str, str]:
    """Return the headers of the success in the contract; for a single row, ``ETag`` is its version."""
    operation = call.target.operation
    reply = operation.reply(operation.success)
    headers = {name: str(schema.sample()) for name, schema in reply.headers.items()} if reply else {}
    by_name = {name.lower(): name for name in headers}
    if "location" in by_name:
        table = call.state.tables[call.target.resource]
        path = re.sub(r"{([^{}]+)}", lambda found: quote(str(call.parameters[found[1]]), safe=""), operation.path)
        key = "id" if "id" in table.fields else next(iter(table.keys), "id")
        headers[by_name["location"]] = f"{path}/{quote(str(row[key]), safe='')}"
    if "etag" in by_name or call.state.tables[call.target.resource].version:
        headers[by_name.get("etag", "ETag")] = call.state.tag(call.target.resource, row)
    return headers
