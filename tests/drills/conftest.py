"""What every drill needs: a copy of the repository."""

from pathlib import Path

import pytest

from tests.drills.checkout import Checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A copy of the repository, to change."""
    return Checkout(tmp_path / "neptun")
