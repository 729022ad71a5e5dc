"""Make one request per row of the table in docs/tasks/endpoint.md, through one framework; print what came back as JSON.

The files of the page lie beside this script's working folder: ``python endpoint_rows.py FastAPI``.
"""

import importlib
import json
import logging
import sys
from collections.abc import Callable
from typing import Any

import httpx

from neptun_sdk import NeptunClient
from neptun_sdk.sandbox import Sandbox

logging.disable()
gateway: Any = importlib.import_module("gateway")
PATH = "/users/1/projects/789/name?name=Mine"
OTHER_NAME: dict[str, Any] = {
    "project": {
        "id": 789, "name": "Another", "project_type": "web-site", "programming_language": "go", "neptun_user_id": 1,
        "created_at": "2025-02-16T17:42:11Z", "updated_at": "2025-02-16T17:42:11Z",
    }
}  # fmt: skip
INVALID = {"statusCode": 400, "message": "no", "data": {"issues": [{"path": ["name"], "message": "Too long"}]}}


def respond(neptun: Sandbox, **response: Any) -> None:
    """Script the next response."""
    httpx.post(f"{neptun.base_url}/_sandbox/respond", json=response).raise_for_status()


# What Neptun does, and what our user asks for.
ROWS: dict[str, tuple[Callable[[Sandbox], object], str]] = {
    "BadRequestError": (lambda neptun: respond(neptun, status=400, body=INVALID), PATH),
    "AuthenticationError": (lambda neptun: neptun.fail_next(status=401), PATH),
    "PermissionDeniedError": (lambda neptun: neptun.fail_next(status=403), PATH),
    "NotFoundError": (lambda _: None, PATH.replace("789", "999")),
    "RateLimitError": (lambda neptun: neptun.fail_next(status=429, retry_after=60), PATH),
    "ServerError": (lambda neptun: neptun.fail_next(status=500), PATH),
    "NeptunConnectionError": (lambda neptun: neptun.fail_next(disconnect=True), PATH),
    "ResponseError": (lambda neptun: respond(neptun, body="a page"), PATH),
    "StatusError": (lambda neptun: neptun.fail_next(status=418), PATH),
    "NeptunTimeoutError": (lambda neptun: neptun.fail_next(delay=2), PATH),
    "UpdateNotVerifiedError": (lambda neptun: respond(neptun, body=OTHER_NAME), PATH),
    "no session": (lambda _: None, PATH),
    "no name": (lambda _: None, PATH.partition("?")[0]),
    "an id of 0": (lambda _: None, PATH.replace("789", "0")),
    "success": (lambda _: None, PATH),
    "ArgumentError": (lambda _: gateway.neptun.close(), PATH),
}
Answer = tuple[int, Any, str | None]


def fastapi(path: str, cookies: dict[str, str]) -> Answer:
    from fastapi.testclient import TestClient

    app = importlib.import_module("service").app
    response = TestClient(app, cookies=cookies, raise_server_exceptions=False).put(path)
    return response.status_code, body_of(response.text), response.headers.get("Retry-After")


def flask(path: str, cookies: dict[str, str]) -> Answer:
    web = importlib.import_module("flask_service").app.test_client()
    for name, value in cookies.items():
        web.set_cookie(name, value)
    response = web.put(path)
    return response.status_code, body_of(response.text), response.headers.get("Retry-After")


def django(path: str, cookies: dict[str, str]) -> Answer:
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(ROOT_URLCONF="django_service", ALLOWED_HOSTS=["testserver"], SECRET_KEY="x")
        django.setup()
    from django.test import Client

    web = Client(raise_request_exception=False)
    web.cookies.load(cookies)
    response = web.put(path)
    return response.status_code, body_of(response.content.decode()), response.headers.get("Retry-After")


def body_of(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


if __name__ == "__main__":
    ask = {"FastAPI": fastapi, "Flask": flask, "Django": django}[sys.argv[1]]
    with Sandbox() as neptun:
        gateway.neptun = NeptunClient.shared(base_url=neptun.base_url, max_retries=0, timeout=1)
        found: dict[str, Answer] = {}
        for name, (prepare, path) in ROWS.items():
            neptun.reset()
            prepare(neptun)
            found[name] = ask(path, {} if name == "no session" else {"neptun-session": neptun.session_cookie})
    print(json.dumps(found))
