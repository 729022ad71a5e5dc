"""``neptun-sandbox``, with and without its extra."""

import subprocess
import sys

import pytest

from neptun_sdk._sandbox_command import main


def test_without_the_extra_it_says_so_in_one_line() -> None:
    code = "import sys; sys.modules['werkzeug'] = None; from neptun_sdk._sandbox_command import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "neptun-sdk[sandbox]" in done.stderr
    assert "pip install '.[sandbox]'" in done.stderr


def test_a_missing_package_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "neptun_sdk.sandbox.cli", None)
    with pytest.raises(SystemExit, match="neptun-sandbox: "):
        main()


def test_with_the_extra_it_is_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["neptun-sandbox", "--help"])
    with pytest.raises(SystemExit, match="0"):
        main()
    assert "usage: neptun-sandbox" in capsys.readouterr().out
