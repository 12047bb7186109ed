"""Writes new manifests: all or none, each whole, and never over a file that exists."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

_STAGE: Final = ".import-"
"""Files and folders with a dot are not read as manifests."""


class FilesExistError(Exception):
    """Nothing was written: these files exist."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        super().__init__()


def write_new_files(folder: Path, texts: Mapping[str, str]) -> None:
    """Write `texts` by file name into `folder`, which is created. FilesExistError, OSError."""
    if existing := sorted(name for name in texts if os.path.lexists(folder / name)):
        raise FilesExistError(existing)
    folder.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=_STAGE, dir=folder))
    try:
        for name, text in texts.items():
            (stage / name).write_text(text, encoding="utf-8", newline="\n")
        _move(stage, folder, texts)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _move(stage: Path, folder: Path, names: Iterable[str]) -> None:
    """Link each file into the folder: unlike a rename this fails if one exists."""
    moved: list[Path] = []
    try:
        for name in names:
            (folder / name).hardlink_to(stage / name)
            moved.append(folder / name)
    except BaseException as error:
        for path in moved:
            with suppress(OSError):
                path.unlink()
        if isinstance(error, FileExistsError):
            raise FilesExistError([name]) from None
        raise
