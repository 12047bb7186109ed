"""Files as a person at the prompt would name them."""

import os
from pathlib import Path

from controller.manifests.report import Place


def below(rooms_dir: Path) -> Place:
    """Shows a file below `rooms_dir` relative to the current folder."""
    return lambda file: os.path.relpath(rooms_dir / file)
