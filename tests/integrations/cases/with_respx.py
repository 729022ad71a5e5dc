"""Tests of a service with respx, in both of its modes."""

from collections.abc import Iterator

import httpx
import pytest
import respx
from respx.models import AllMockedAssertionError

from neptun_sdk import NeptunClient, NotFoundError

URL = "https://neptun.test/api/users/1/projects/789"
COOKIE = "neptun-session=of-a-test"
PROJECT = {
    "id": 789,
    "name": "New name",
    "project_type": "web-site",
    "programming_language": "typescript",
    "created_at": "2025-02-16T17:42:11.000Z",
    "updated_at": "2025-02-16T18:42:11.000Z",
    "neptun_user_id": 1,
}

client = NeptunClient("of-a-test", 1, base_url="https://neptun.test")


@pytest.fixture(params=["httpcore", "httpx"])
def neptun(request: pytest.FixtureRequest) -> Iterator[respx.MockRouter]:
    with respx.mock(using=request.param) as router:
        yield router


def test_a_request_is_matched_by_what_the_sdk_sends(neptun: respx.MockRouter) -> None:
    neptun.patch(URL, json={"name": "New name"}, headers={"Cookie": COOKIE}).respond(json={"project": PROJECT})
    assert client.update_project(789, name="New name").id == 789


def test_a_status_becomes_its_error(neptun: respx.MockRouter) -> None:
    neptun.patch(URL).respond(404, json={"statusCode": 404, "message": "no such project"})
    with pytest.raises(NotFoundError, match="no such project"):
        client.update_project(789, name="New name")


def test_each_attempt_is_a_call(neptun: respx.MockRouter) -> None:
    last = httpx.Response(200, json={"project": PROJECT})
    outcomes: list[httpx.Response | Exception | type[Exception]] = [httpx.Response(503), httpx.ConnectError, last]
    route = neptun.patch(URL).mock(side_effect=outcomes)
    client.update_project(789, name="New name")
    assert route.call_count == 3


def test_a_client_made_under_the_mock_is_mocked_too(neptun: respx.MockRouter) -> None:
    neptun.patch(URL).respond(json={"project": PROJECT})
    with NeptunClient("of-a-test", 1, base_url="https://neptun.test") as another:
        assert another.update_project(789, name="New name").id == 789


@pytest.mark.usefixtures("neptun")
def test_a_request_that_is_not_mocked_fails_the_test() -> None:
    """It is neither retried nor a `NeptunError`, which the service under test may catch."""
    with pytest.raises(AllMockedAssertionError, match=r"PATCH.* not mocked"):
        client.update_project(789, name="New name")
