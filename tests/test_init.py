"""``import neptun_sdk`` is cheap: it loads httpx and attrs; the rest is left to the first client or the first fault."""

import subprocess
import sys

from bench.harness import WITHOUT_CLI

CLIENT = "from neptun_sdk import NeptunClient; NeptunClient('a-session-cookie', 1).close()"


def loaded_by(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after some code."""
    command = [sys.executable, "-c", f"{WITHOUT_CLI}; {code}; print(*(name for name in sys.modules))"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_an_import_loads_neither_the_generated_client_nor_what_only_a_call_needs() -> None:
    loaded = loaded_by("import neptun_sdk")
    assert {"neptun_sdk", "httpx", "attr"} <= loaded
    assert not {"neptun_openapi", "httpcore", "h11", "tenacity", "asyncio"} & loaded
    assert not {"neptun_sdk.sandbox", "openapi_core", "werkzeug", "cheroot", "yaml", "pydantic"} & loaded


def test_the_first_client_loads_the_generated_client_but_not_what_only_a_fault_needs() -> None:
    loaded = loaded_by(CLIENT)
    assert {"neptun_openapi", "httpcore"} <= loaded
    assert not {"tenacity", "asyncio", "neptun_sdk.sandbox", "pydantic"} & loaded
