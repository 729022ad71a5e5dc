"""What every drill needs: a copy of the repository."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.drills.checkout import Checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    """A copy of the repository, to change."""
    with closing(Checkout(tmp_path / "neptun")) as made:
        yield made
