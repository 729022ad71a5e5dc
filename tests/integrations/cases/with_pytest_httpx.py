"""Tests of a service with pytest-httpx."""

import httpx
import pytest
from pytest_httpx import HTTPXMock

from neptun_sdk import NeptunClient, NotFoundError

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


def test_a_request_is_matched_by_what_the_sdk_sends(httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(
        method="PATCH",
        url="https://neptun.test/api/users/1/projects/789",
        match_headers={"Cookie": COOKIE},
        match_json={"name": "New name"},
        json={"project": PROJECT},
    )
    assert client.update_project(789, name="New name").id == 789


def test_a_request_that_is_kept_has_no_cookie(httpx_mock: HTTPXMock) -> None:
    """The SDK takes it off again when a request was sent."""
    httpx_mock.add_response(json={"project": PROJECT})
    client.update_project(789, name="New name")
    (request,) = httpx_mock.get_requests()
    assert "Cookie" not in request.headers


def test_a_status_becomes_its_error(httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(status_code=404, json={"statusCode": 404, "message": "no such project"})
    with pytest.raises(NotFoundError, match="no such project"):
        client.update_project(789, name="New name")


def test_each_attempt_is_a_request(httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(status_code=503)
    httpx_mock.add_exception(httpx.ConnectError("refused"))
    httpx_mock.add_response(json={"project": PROJECT})
    client.update_project(789, name="New name")
    assert len(httpx_mock.get_requests()) == 3


@pytest.mark.httpx_mock(assert_all_requests_were_expected=False)
def test_a_request_that_is_not_mocked_raises_the_refusal_of_pytest_httpx(httpx_mock: HTTPXMock) -> None:
    with pytest.raises(httpx.TimeoutException, match="No response can be found for PATCH request"):
        client.update_project(789, name="New name")
    assert len(httpx_mock.get_requests()) == 1, "not retried"
