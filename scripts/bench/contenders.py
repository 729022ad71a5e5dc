"""The same update, written in every way that a caller has today."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime

import httpx
import pydantic
import requests
import urllib3

from bench.harness import BASE, GENERATED, OURS
from bench.server import NAME
from neptun_openapi import Client
from neptun_openapi.api.projects import update_project
from neptun_openapi.models import UpdateProjectRequest
from neptun_sdk import NeptunClient

COOKIE = "Fe26.2**a-session-cookie-of-the-usual-form"
HEADERS = {"Accept": "application/json", "Content-Type": "application/json", "Cookie": f"neptun-session={COOKIE}"}

# As many idle connections as neptun-sdk keeps. With httpx's default of 20, 64 threads would open new ones all the time.
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=100)

# Makes the update; can be repeated.
Call = Callable[[], object]
# Opens a client on the stack for a base URL and a project id, and returns its call.
Contender = Callable[[str, int, ExitStack], Call]


def path(project_id: int) -> str:
    return f"/api/users/1/projects/{project_id}"


def bare_httpx(base_url: str, project_id: int, stack: ExitStack) -> Call:
    client = stack.enter_context(httpx.Client(limits=LIMITS))
    url = base_url + path(project_id)
    return lambda: client.patch(url, json={"name": NAME}, headers=HEADERS).json()


def generated_client(base_url: str, project_id: int, stack: ExitStack) -> Call:
    client = Client(base_url=base_url, headers={"Cookie": HEADERS["Cookie"]})
    stack.callback(lambda: client.get_httpx_client().close())
    return lambda: update_project.sync(1, project_id, client=client, body=UpdateProjectRequest(name=NAME))


def neptun_sdk(base_url: str, project_id: int, stack: ExitStack) -> Call:
    client = stack.enter_context(NeptunClient(COOKIE, 1, base_url=base_url))
    return lambda: client.update_project(project_id, name=NAME)


class Project(pydantic.BaseModel):
    """The model of the published example, without the two mistakes that keep it from running."""

    id: int
    name: str
    description: str | None
    project_type: str
    programming_language: str
    created_at: datetime
    updated_at: datetime
    neptun_user_id: int


class ApiResponse(pydantic.BaseModel):
    project: Project


def published_example(base_url: str, project_id: int, _: ExitStack) -> Call:
    async def update() -> ApiResponse:
        async with httpx.AsyncClient() as client:
            response = await client.patch(base_url + path(project_id), json={"name": NAME}, headers=HEADERS)
            response.raise_for_status()
            return ApiResponse(**response.json())

    return lambda: asyncio.run(update())


def with_urllib3(base_url: str, project_id: int, stack: ExitStack) -> Call:
    pool = stack.enter_context(urllib3.PoolManager())
    url = base_url + path(project_id)
    return lambda: pool.request("PATCH", url, json={"name": NAME}, headers=HEADERS).json()


def with_requests(base_url: str, project_id: int, stack: ExitStack) -> Call:
    session = stack.enter_context(requests.Session())
    url = base_url + path(project_id)
    return lambda: session.patch(url, json={"name": NAME}, headers=HEADERS, timeout=30).json()


def with_stripe(base_url: str, _project_id: int, _: ExitStack) -> Call:
    import stripe

    client = stripe.StripeClient("sk_test_none", base_addresses={"api": base_url})
    return lambda: client.v1.customers.update("1", params={"name": NAME})


def with_openai(base_url: str, _project_id: int, stack: ExitStack) -> Call:
    import openai

    client = stack.enter_context(openai.OpenAI(api_key="none", base_url=base_url))
    return lambda: client.moderations.create(input=NAME)


CONTENDERS: dict[str, Contender] = {
    BASE: bare_httpx,
    OURS: neptun_sdk,
    GENERATED: generated_client,
    "urllib3": with_urllib3,
    "requests": with_requests,
    "the published example": published_example,
}
VENDORS: dict[str, Contender] = {"stripe": with_stripe, "openai": with_openai}


def programs(base_url: str) -> dict[str, str]:
    """Return whole programs that make a client and one update, as one would write them."""
    return {
        BASE: f"""
import httpx
client = httpx.Client()
client.patch({base_url + path(1)!r}, json={{"name": {NAME!r}}}, headers={HEADERS!r}).json()
""",
        OURS: f"""
from neptun_sdk import NeptunClient
client = NeptunClient({COOKIE!r}, 1, base_url={base_url!r})
client.update_project(1, name={NAME!r})
""",
        # For https, the CAs are loaded besides; bare httpx and the generated client load them in any case.
        f"{OURS}, loading the CAs": f"""
from neptun_sdk import NeptunClient
NeptunClient({COOKIE!r}, 1, base_url="https://127.0.0.1")
client = NeptunClient({COOKIE!r}, 1, base_url={base_url!r})
client.update_project(1, name={NAME!r})
""",
        GENERATED: f"""
from neptun_openapi import Client
from neptun_openapi.api.projects import update_project
from neptun_openapi.models import UpdateProjectRequest
client = Client(base_url={base_url!r}, headers={{"Cookie": {HEADERS["Cookie"]!r}}})
update_project.sync(1, 1, client=client, body=UpdateProjectRequest(name={NAME!r}))
""",
    }
