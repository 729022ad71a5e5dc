"""``neptun-sandbox`` as a person meets it."""

import re
import signal
import socket
import subprocess
import sysconfig
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from neptun_sdk import NeptunClient
from neptun_sdk.sandbox import cli

SCRIPT = Path(sysconfig.get_path("scripts")) / "neptun-sandbox"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_what_to_set_and_a_curl_line_and_ends_cleanly(number: signal.Signals) -> None:
    process = subprocess.Popen([SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = ""
    while "Ctrl-C" not in printed:
        line = process.stdout.readline()
        assert line, process.communicate()
        printed += line
    settings = dict(re.findall(r"export NEPTUN_(\w+)='?([^'\n]+)'?", printed))
    ids = re.search(r"project (\d+), with import (\d+)", printed)
    assert ids
    with NeptunClient(settings["SESSION_COOKIE"], int(settings["USER_ID"]), base_url=settings["BASE_URL"]) as client:
        assert client.update_project_import(int(ids[1]), int(ids[2]), title="x").title == "x"
    curl = printed[printed.index("curl") : printed.index("Ctrl-C")]
    answer = subprocess.run(["/bin/sh", "-c", f"{curl.strip()} --silent"], capture_output=True, text=True, check=True)
    assert "Updated Project Name" in answer.stdout
    process.send_signal(number)
    rest, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")
    assert "has ended" in rest


# cheroot leaves the socket that it could not bind to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_it_says_so_where_the_port_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit) as caught:
        cli.main(["--port", str(taken.getsockname()[1])])
    assert caught.value.code == 1
    assert "cannot listen on port" in capsys.readouterr().err


def test_it_refuses_a_port_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--port", "70000"])
    assert "from 0 to 65535" in capsys.readouterr().err


def test_it_runs_in_the_foreground_until_it_is_told_to_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            signal.raise_signal(signal.SIGINT)
            return super().wait(5)

    # In this module's eyes only: threads wait for events of their own.
    monkeypatch.setattr(cli, "threading", SimpleNamespace(Event=Interrupted))
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        cli.main([])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert "has ended" in capsys.readouterr().out
