"""The pytest plugin of neptun-sdk: the fixture ``neptun_sandbox``.

It is a module of its own because pytest imports every plugin at its start, before coverage is measured: inside
``neptun_sdk`` it would import the whole SDK into each run of pytest, used or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from neptun_sdk.sandbox import Sandbox
else:
    Sandbox = Any  # for `typing.get_type_hints`


@pytest.fixture
def neptun_sandbox() -> Iterator[Sandbox]:
    """An embedded Neptun of the documented dialect, for one test (extra: ``neptun-sdk[sandbox]``)."""
    from neptun_sdk.sandbox import Sandbox  # only in a run that uses it: it imports a web framework

    with Sandbox() as neptun:
        yield neptun
