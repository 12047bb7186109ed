"""What the tests of manifests share."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.manifests.corpus import GOOD


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder of rooms that somebody who is not root may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        Path(name, "good.yaml").write_text(GOOD)
        yield Path(name)
