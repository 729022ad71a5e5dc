"""The same update in every way that one would write it today: each makes a call that can be repeated."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime

import httpx
import pydantic
import requests
import urllib3

from bench.harness import BASE, OURS
from bench.server import NAME
from neptun_openapi import Client
from neptun_openapi.api.projects import update_project
from neptun_openapi.models import UpdateProjectRequest
from neptun_sdk import NeptunClient
from neptun_sdk.transport import LIMITS

COOKIE = "Fe26.2**a-session-cookie-of-the-usual-form"
HEADERS = {"Accept": "application/json", "Content-Type": "application/json", "Cookie": f"neptun-session={COOKIE}"}

Call = Callable[[], object]
# Opens what it needs on the stack, and returns the call.
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
    """The model of the published example; its two mistakes that keep it from running are repaired."""

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


def published_example(base_url: str, project_id: int, stack: ExitStack) -> Call:
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


def with_stripe(base_url: str, project_id: int, stack: ExitStack) -> Call:
    import stripe

    client = stripe.StripeClient("sk_test_none", base_addresses={"api": base_url})
    return lambda: client.v1.customers.update("1", params={"name": NAME})


def with_openai(base_url: str, project_id: int, stack: ExitStack) -> Call:
    import openai

    client = stack.enter_context(openai.OpenAI(api_key="none", base_url=base_url))
    return lambda: client.moderations.create(input=NAME)


CONTENDERS: dict[str, Contender] = {
    BASE: bare_httpx,
    OURS: neptun_sdk,
    "the generated client alone": generated_client,
    "urllib3": with_urllib3,
    "requests": with_requests,
    "the published example": published_example,
}
VENDORS: dict[str, Contender] = {"stripe": with_stripe, "openai": with_openai}
