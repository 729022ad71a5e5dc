"""The main job, end to end: both updates through the SDK, over HTTP, against the embedded Neptun; then two errors."""

import dataclasses
import os
import sys
import textwrap
from datetime import datetime

from neptun_sdk import AuthenticationError, NeptunClient, NeptunError, NotFoundError, Project, ProjectImport
from neptun_sdk.sandbox import Sandbox

NEXT_STEPS = (
    "1. Make your first call: docs/start.md (or make docs-serve, for the site)",
    "2. Try the HTTP API: make sandbox, and open the address that it prints",
    "3. Build it into your service: docs/tasks/endpoint.md",
)
COLORS = sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def main() -> None:
    with (
        Sandbox() as neptun,
        NeptunClient(neptun.session_cookie, neptun.user_id, base_url=neptun.base_url) as client,
    ):
        print(f"An embedded Neptun is running at {neptun.base_url}.")

        # Setting a field to the value it has changes nothing but updated_at, and returns the resource.
        before = client.update_project(neptun.project_id, name="My project")
        heading(
            f'client.update_project({neptun.project_id}, name="Updated Project Name", programming_language="python")'
        )
        after = client.update_project(neptun.project_id, name="Updated Project Name", programming_language="python")
        show_changes(before, after)
        must(after.name == "Updated Project Name" and after.programming_language == "python")
        must(after.description == before.description and after.updated_at > before.updated_at)

        ids = f"{neptun.project_id}, {neptun.import_id}"
        was = client.update_project_import(neptun.project_id, neptun.import_id, title="GitHub import")
        heading(
            f'client.update_project_import({ids}, title="Updated GitHub Import", source_path="octocat/hello-world")'
        )
        now = client.update_project_import(
            neptun.project_id, neptun.import_id, title="Updated GitHub Import", source_path="octocat/hello-world"
        )
        show_changes(was, now)
        must(now.title == "Updated GitHub Import" and now.source_path == "octocat/hello-world")
        must(now.description == was.description and now.updated_at > was.updated_at)

        heading("A project that does not exist:")
        try:
            client.update_project(999, name="Nobody's")
        except NotFoundError as error:
            show(error)
        else:
            must(False)

        heading("A session that is not valid:")
        try:
            client.with_session("an-expired-session", neptun.user_id).update_project(neptun.project_id, name="Mine")
        except AuthenticationError as error:
            show(error)
        else:
            must(False)
    print(f"\n{paint('32', 'Both updates were applied, and both mistakes were explained.')}")
    heading("Next steps:")
    print(*(f"  {step}" for step in NEXT_STEPS), sep="\n")


def show_changes(before: Project | ProjectImport, after: Project | ProjectImport) -> None:
    """Show the fields that changed, and name the others."""
    old, new = dataclasses.asdict(before), dataclasses.asdict(after)
    changed = [name for name in old if old[name] != new[name]]
    for name in changed:
        print(f"  {name:20}  {cell(old[name])} → {paint('32', cell(new[name]))}")
    rest = ", ".join(name for name in old if name not in (*changed, "extra"))
    lines = textwrap.wrap(f"unchanged: {rest}", 78, initial_indent="  ", subsequent_indent="    ")
    print(*(paint("2", line) for line in lines), sep="\n")


def cell(value: object) -> str:
    text = f"{value:%H:%M:%S.%f}"[:-3] if isinstance(value, datetime) else str(value)
    return textwrap.shorten(text, 28, placeholder="…")


def show(error: NeptunError) -> None:
    lines = textwrap.wrap(f"{type(error).__name__}: {error}", 78)
    print(*(f"  {paint('31', line)}" for line in lines), sep="\n")


def heading(text: str) -> None:
    print()
    print(*(paint("1", line) for line in textwrap.wrap(text, 80, subsequent_indent="    ")), sep="\n")


def paint(code: str, text: str) -> str:
    return f"\033[{code}m{text}\033[0m" if COLORS else text


def must(happened: bool) -> None:
    if not happened:
        sys.exit("The demo did not do what it shows; this is a bug in neptun-sdk.")


if __name__ == "__main__":
    main()
