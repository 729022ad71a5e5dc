"""``neptun-sandbox`` as a person meets it."""

import re
import shutil
import signal
import socket
import subprocess
import sysconfig
import threading
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from neptun_sdk.sandbox import cli

SCRIPT = Path(sysconfig.get_path("scripts")) / "neptun-sandbox"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "terminated"])
def test_it_prints_what_to_set_and_a_curl_line_and_ends_cleanly(number: signal.Signals) -> None:
    command = [str(SCRIPT), "--host-name", "neptun.internal", "--host-name", "neptun"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = ""
    while "Ctrl-C" not in printed:
        line = process.stdout.readline()
        assert line, process.communicate()
        printed += line
    settings = dict(re.findall(r"export NEPTUN_(\w+)='?([^'\n]+)'?", printed))
    ids = re.search(r"project (\d+), with import (\d+)", printed)
    assert ids
    assert settings["DIALECT"] == "documented"
    json_type = "application/json"
    headers = {"Accept": json_type, "Cookie": f"neptun-session={settings['SESSION_COOKIE']}"}
    url = f"{settings['BASE_URL']}/api/users/{settings['USER_ID']}/projects/{ids[1]}/resources/imports/{ids[2]}"
    assert httpx.put(url, json={"title": "x"}, headers=headers).json()["import"]["title"] == "x"
    for name, status in {"neptun.internal": 200, "neptun:80": 200, "other": 403}.items():
        assert httpx.get(f"{settings['BASE_URL']}/_sandbox", headers={"Host": name}).status_code == status
    if shutil.which("curl"):
        curl = printed[printed.index("curl") : printed.index("Ctrl-C")]
        done = subprocess.run(
            ["/bin/sh", "-c", f"{curl.strip()} --silent"], capture_output=True, text=True, timeout=30, check=True
        )
        assert "Updated Project Name" in done.stdout
    process.send_signal(number)
    rest, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    assert "has ended" in rest


def run_until_interrupted(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    """Run the command in this process, and interrupt it once it waits."""

    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            signal.raise_signal(signal.SIGINT)
            return super().wait(timeout or 5)

    # In this module's eyes only: threads wait for events of their own.
    monkeypatch.setattr(cli, "threading", SimpleNamespace(Event=Interrupted))
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        cli.main(arguments)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_the_session_and_the_dialect_can_be_chosen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_until_interrupted(monkeypatch, "--session", "Fe26.2**chosen", "--dialect", "deployed")
    printed = capsys.readouterr().out
    assert "export NEPTUN_SESSION_COOKIE='Fe26.2**chosen'" in printed
    assert "export NEPTUN_DIALECT=deployed" in printed
    assert printed.endswith("The sandbox has ended.\n")


def test_the_banner_fits_80_columns_but_for_the_session_and_curl(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_until_interrupted(monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    wide = [line for line in lines if len(line) > 80]
    assert [line.split()[0:2] for line in wide] == [["export", wide[0].split()[1]], ["-H", "'Cookie:"]]
    assert wide[0].split()[1].startswith("NEPTUN_SESSION_COOKIE=")


def test_the_help_fits_80_columns_and_names_every_control(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    printed = capsys.readouterr().out
    assert caught.value.code == 0
    assert max(map(len, printed.splitlines())) <= 80
    for words in ("--port", "--dialect", "--session VALUE", "POST /_sandbox/fail-next", "POST /_sandbox/respond"):
        assert words in printed
    for words in (
        "GET /_sandbox/requests",
        "POST /_sandbox/reset",
        "GET /_sandbox:",
        "--host-name NAME",
        '"retry_after"',
        '"disconnect"',
        '"delay"',
    ):
        assert words in printed


# cheroot leaves the socket that it could not bind to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_port_that_is_taken_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit) as caught:
        cli.main(["--port", str(taken.getsockname()[1])])
    assert caught.value.code == 1
    assert "cannot listen on port" in capsys.readouterr().err


REFUSED = {
    "port": (["--port", "70000"], "--port must be from 0 to 65535"),
    "session": (["--session", "a b"], "--session: session_cookie must be the value of a cookie"),
    "dialect": (["--dialect", "klingon"], "invalid choice: 'klingon'"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_what_makes_no_sense_is_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
