"""The SDK in an application that has put httpx2 in the place of httpx."""

import json
from typing import Any

import httpx2

httpx2.alias_httpx()

import httpx  # noqa: E402

from neptun_sdk import NeptunClient, NeptunError  # noqa: E402

mock: Any = httpx2.MockTransport  # a type checker takes it for another class than httpx's


def described(call: Any) -> list[Any]:
    try:
        return ["returned", call().name]
    except NeptunError as error:
        return [type(error).__name__, error.applied, error.attempts]


def update(client: NeptunClient) -> list[Any]:
    return described(lambda: client.update_project(789, name="x"))


def raising(exc: Exception) -> Any:
    def respond(_: Any) -> Any:
        raise exc

    return NeptunClient(transport=mock(respond), max_retries=0)


assert vars(httpx)["Client"] is vars(httpx2)["Client"]
found = {
    "updated": update(NeptunClient()),
    "refused": update(NeptunClient(base_url="http://127.0.0.1:9", max_retries=0)),
    "late": update(raising(httpx2.ReadTimeout("late"))),
    "reset": update(raising(httpx2.ReadError("reset"))),
    "404": update(NeptunClient(transport=mock(lambda _: httpx2.Response(404)))),
    "retried": described(lambda: NeptunClient().with_options(headers={"X-A": "b"}).update_project(789, name="y")),
}
print(json.dumps(found))
