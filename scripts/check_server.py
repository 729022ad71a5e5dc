"""Find out which dialect a server speaks, and where it departs from the contract.

The contract has no operation that reads, so this writes: to a scratch project and a scratch import, named by
``NEPTUN_PROJECT_ID`` and ``NEPTUN_IMPORT_ID``, of the user of ``NEPTUN_USER_ID`` and ``NEPTUN_SESSION_COOKIE``, on the
server at ``NEPTUN_BASE_URL``; and only with ``CONFIRM=yes``. The exit code is 1 if the server differs in a way that the
SDK does not know, and 2 if the dialect cannot be found out, or if there is no such import.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, cast

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

# Describes a response in a word or two, such as "200 envelope", so that it can be compared.
Describe = Callable[[httpx.Response], str]


@dataclass(frozen=True)
class Probe:
    """One request, with what the contract says of its response and what a deployed server is known to return instead.

    ``case`` begins with the method.
    """

    case: str
    contract: str
    deployed: str
    path: str
    body: Any
    describe: Describe
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
    """Return a probe for every difference that a request can show."""
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
    mine: list[tuple[str, str, str, str, Any, Describe]] = [
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


def form(envelope: str) -> Describe:
    def describe(response: httpx.Response) -> str:
        body = content(response)
        if response.status_code != 200:
            return status(response)
        return f"200 {'envelope' if envelope in body else 'bare row' if 'id' in body else 'of another form'}"

    return describe


def applied(sent: Mapping[str, str]) -> Describe:
    def describe(response: httpx.Response) -> str:
        if response.status_code != 200:
            return status(response)
        row = content(response).get("project", {})
        return f"200 {'applied' if row == {**row, **sent} else 'dropped'}"

    return describe


def error(response: httpx.Response) -> str:
    shape = "message" if "message" in content(response) else "no message"
    return f"{response.status_code} {shape}{', Set-Cookie' if 'set-cookie' in response.headers else ''}"


def send(http: httpx.Client, probe: Probe) -> str:
    """Send a probe and describe the response."""
    method = probe.case.split()[0]
    body: dict[str, Any] = {"content": probe.body} if isinstance(probe.body, bytes) else {"json": probe.body}
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    try:
        return probe.describe(http.request(method, probe.path.lstrip("/"), headers=headers, auth=probe.session, **body))
    except httpx.HTTPError as exc:
        return type(exc).__name__


def verdict(probe: Probe, outcome: str) -> str:
    if outcome in probe.contract.split(" or "):
        return "same"
    return "different, known" if outcome == probe.deployed else "different, NOT KNOWN"


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
    except (NeptunError, ValueError) as exc:
        print(f"check-server: {exc}", file=sys.stderr)
        sys.exit(2)
    with httpx.Client(base_url=found["base_url"], timeout=30, cookies=NO_COOKIES) as http:
        outcomes = [(probe, send(http, probe)) for probe in probes(found, session)]
    print(f"{'case':34} {'the contract says':20} {'the server did':26} verdict")
    for probe, outcome in outcomes:
        print(f"{probe.case:34} {probe.contract:20} {outcome:26} {verdict(probe, outcome)}")
    first = outcomes[0][1]
    dialect = {"200 envelope": "documented", "200 bare row": "deployed"}.get(first)
    if dialect is None:
        print(f"\nNeither dialect responds to the first update like this ({first}): check the session and the ids.")
        sys.exit(2)
    # Each dialect takes this update of an import, unless there is none.
    of_import = next(outcome for probe, outcome in outcomes if probe.case == "PUT source_path")
    if of_import in ("401", "404"):
        print(
            f"\nProject {found['project_id']} has no import {found['import_id']} that this user may update "
            f"({of_import}): check NEPTUN_IMPORT_ID."
        )
        sys.exit(2)
    print(f"\nThe server speaks the {dialect} dialect: use dialect={dialect!r}, or NEPTUN_DIALECT={dialect}.")
    unknown = [probe.case for probe, outcome in outcomes if "NOT KNOWN" in verdict(probe, outcome)]
    if unknown:
        print(f"The SDK does not know {len(unknown)} of the differences: {', '.join(unknown)}.")
        sys.exit(1)


if __name__ == "__main__":
    main()
