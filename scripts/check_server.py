"""Tell which dialect a server speaks, and where it departs from the contract.

The contract has no operation that reads, so this writes: to a scratch project and a scratch import, named by
``NEPTUN_PROJECT_ID`` and ``NEPTUN_IMPORT_ID``, of the user of ``NEPTUN_USER_ID`` and ``NEPTUN_SESSION_COOKIE``, on the
server at ``NEPTUN_BASE_URL``; and only where ``CONFIRM=yes``. It exits with 1 on a difference that the SDK does not
know, and with 2 where it cannot tell.
"""

import os
import sys
from collections.abc import Callable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, cast

import attrs
import httpx

from neptun_sdk import NeptunClient, NeptunError
from neptun_sdk.arguments import check_id
from neptun_sdk.session import Session

PLAN = """\
This will write to {base_url} as user {user_id}:
  project {project_id}: name, description, project_type and programming_language (a scratch project is needed)
  import  {import_id}: source_type, source_path, title and description (a scratch import is needed)
What they hold now is overwritten and cannot be restored. Nothing else is changed.
"""
NAMES = ("BASE_URL", "SESSION_COOKIE", "USER_ID", "PROJECT_ID", "IMPORT_ID")
MISSING_ID = 2_000_000_000
# A jar that stays empty: a 401 may bring a fresh anonymous session, which must not be adopted.
NO_COOKIES = CookieJar(DefaultCookiePolicy(allowed_domains=[]))

# Every answer is told in a word or two, such as "200 envelope", so that it can be compared.
Tell = Callable[[httpx.Response], str]


@attrs.frozen
class Probe:
    """One request, with what the contract says of it and what a deployed server is known to do instead."""

    case: str
    contract: str
    deployed: str
    path: str
    body: Any
    tell: Tell
    session: Session | None


def settings() -> dict[str, str]:
    """Read the environment, or exit with what is missing."""
    found = {name.lower(): os.environ.get(f"NEPTUN_{name}", "") for name in NAMES}
    missing = [f"NEPTUN_{name.upper()}" for name, value in found.items() if not value]
    if missing:
        print(f"check-server: set {', '.join(missing)}.", file=sys.stderr)
        sys.exit(2)
    return found


def probes(found: Mapping[str, str], session: Session) -> list[Probe]:
    """Every row of the differences that can be asked for from outside."""
    user = f"/api/users/{found['user_id']}"
    project = f"{user}/projects/{found['project_id']}"
    imported = f"{project}/resources/imports/{found['import_id']}"
    other = f"/api/users/{int(found['user_id']) + 1}/projects/{found['project_id']}"
    stranger = Session("neptun-sdk-check-server", session.user_id)
    missing = f"{user}/projects/{MISSING_ID}"
    missing_import = f"{project}/resources/imports/{MISSING_ID}"
    name, kind, language = {"name": "neptun-sdk check"}, {"project_type": "web-app"}, {"programming_language": "go"}
    texts = {"title": "neptun-sdk check", "description": "Scratch"}
    path = {"source_path": "octocat/hello-world"}
    refused, large = {"source_type": "no-such"}, {"source_path": "x" * 2_000_000}
    mine: list[tuple[str, str, str, str, Any, Tell]] = [
        (
            "PATCH name, description",
            "200 envelope",
            "200 bare row",
            project,
            name | {"description": ""},
            form("project"),
        ),
        ("PATCH name, project_type", "200 applied", "200 dropped", project, name | kind, applied(kind)),
        ("PATCH name, programming_language", "200 applied", "200 dropped", project, name | language, applied(language)),
        ("PATCH project_type alone", "200 applied", "500", project, kind, applied(kind)),
        ("PATCH unknown fields only", "200", "500", project, {"neptun_sdk_check": "x"}, status),
        ("PATCH unknown project_type", "400", "200", project, name | {"project_type": "no-such"}, status),
        ("PATCH name of the wrong type", "400", "400", project, {"name": 5}, status),
        ("PATCH malformed JSON", "400", "400", project, b"{", status),
        ("PATCH a list", "400", "400", project, b"[]", status),
        ("PUT title, description", "200 envelope", "500", imported, texts, form("import")),
        ("PUT source_type github", "200 envelope", "400", imported, path | {"source_type": "github"}, form("import")),
        ("PUT source_path", "200 envelope", "200 bare row", imported, path, form("import")),
        ("PUT unknown source_type", "400", "400", imported, refused, status),
        ("PUT of 2,000,000 bytes", "200 or 400", "413", imported, large, status),
        ("PATCH project_id 0", "400", "400", f"{user}/projects/0", name, status),
        ("PATCH project_id abc", "400", "400", f"{user}/projects/abc", name, status),
        ("PATCH project_id 2147483648", "404", "500", f"{user}/projects/2147483648", name, status),
        ("PATCH missing project", "404 message", "401 no message", missing, name, error),
        ("PUT missing import", "404 message", "401 no message", missing_import, path, error),
        ("PATCH another user's id", "403 message", "401 no message", other, name, error),
    ]
    no_session = ("401 message", "401 message, Set-Cookie")
    return [
        *(Probe(*row, session) for row in mine),
        Probe("PATCH garbage session", *no_session, project, name, error, stranger),
        Probe("PUT no session", *no_session, imported, path, error, None),
    ]


def status(response: httpx.Response) -> str:
    return str(response.status_code)


def content(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return cast("dict[str, Any]", body) if isinstance(body, dict) else {}


def form(envelope: str) -> Tell:
    def tell(response: httpx.Response) -> str:
        body = content(response)
        if response.status_code != 200:
            return status(response)
        return f"200 {'envelope' if envelope in body else 'bare row' if 'id' in body else 'of another form'}"

    return tell


def applied(sent: Mapping[str, str]) -> Tell:
    def tell(response: httpx.Response) -> str:
        if response.status_code != 200:
            return status(response)
        row = content(response).get("project", {})
        return f"200 {'applied' if row == {**row, **sent} else 'dropped'}"

    return tell


def error(response: httpx.Response) -> str:
    shape = "message" if "message" in content(response) else "no message"
    return f"{response.status_code} {shape}{', Set-Cookie' if 'set-cookie' in response.headers else ''}"


def ask(http: httpx.Client, probe: Probe) -> str:
    """Send a probe and tell the answer."""
    method = "PUT" if "/imports/" in probe.path else "PATCH"
    body: dict[str, Any] = {"content": probe.body} if isinstance(probe.body, bytes) else {"json": probe.body}
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    try:
        return probe.tell(http.request(method, probe.path.lstrip("/"), headers=headers, auth=probe.session, **body))
    except httpx.HTTPError as fault:
        return type(fault).__name__


def verdict(probe: Probe, did: str) -> str:
    if did in probe.contract.split(" or "):
        return "same"
    return "different, known" if did == probe.deployed else "different, NOT KNOWN"


def main() -> None:
    found = settings()
    print(PLAN.format(**found))
    if os.environ.get("CONFIRM") != "yes":
        print("check-server: nothing was sent. Set CONFIRM=yes if they may be changed.", file=sys.stderr)
        sys.exit(2)
    try:
        # The client refuses what cannot be right, plain http to a host that is not loopback among it.
        session = Session(found["session_cookie"], int(found["user_id"]))
        NeptunClient(found["session_cookie"], int(found["user_id"]), base_url=found["base_url"]).close()
        for name in ("project_id", "import_id"):
            check_id(f"NEPTUN_{name.upper()}", int(found[name]))
    except (NeptunError, ValueError) as refused:
        print(f"check-server: {refused}", file=sys.stderr)
        sys.exit(2)
    with httpx.Client(base_url=found["base_url"], timeout=30, cookies=NO_COOKIES) as http:
        told = [(probe, ask(http, probe)) for probe in probes(found, session)]
    print(f"{'case':34} {'the contract says':20} {'the server did':26} verdict")
    for probe, did in told:
        print(f"{probe.case:34} {probe.contract:20} {did:26} {verdict(probe, did)}")
    first = told[0][1]
    dialect = {"200 envelope": "documented", "200 bare row": "deployed"}.get(first)
    if dialect is None:
        print(f"\nThe first update was not answered as either dialect would ({first}): check the session and the ids.")
        sys.exit(2)
    print(f"\nThe server speaks the {dialect} dialect: use dialect={dialect!r}, or NEPTUN_DIALECT={dialect}.")
    unknown = [probe.case for probe, did in told if "NOT KNOWN" in verdict(probe, did)]
    if unknown:
        print(f"The SDK does not know {len(unknown)} of the differences: {', '.join(unknown)}.")
        sys.exit(1)


if __name__ == "__main__":
    main()
