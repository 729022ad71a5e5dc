"""Every Python block of the README runs, as it stands, against the embedded Neptun."""

from pathlib import Path

import pytest
from pytest_examples import CodeExample, EvalExample, find_examples

from neptun_sdk.sandbox import Sandbox

README = Path(__file__).parent.parent / "README.md"
EXAMPLES = list(find_examples(README))


@pytest.fixture
def environment(neptun: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEPTUN_BASE_URL", neptun.base_url)
    monkeypatch.setenv("NEPTUN_SESSION_COOKIE", neptun.session_cookie)
    monkeypatch.setenv("NEPTUN_USER_ID", str(neptun.user_id))


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"line {example.start_line}")
def test_the_example_runs(example: CodeExample, eval_example: EvalExample) -> None:
    eval_example.run(example)


def test_every_python_block_is_found() -> None:
    fences = README.read_text(encoding="utf-8").count("```python")
    assert len(EXAMPLES) == fences >= 4
