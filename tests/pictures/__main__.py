"""Makes the pictures of the documents anew: all, or those that are named.

python -m tests.pictures [architecture.svg] [plan.svg] [size.svg] [join.png]
"""

import asyncio
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.pictures.architecture import architecture
from tests.pictures.join_page import join_page
from tests.pictures.size import size
from tests.pictures.terminal import terminal
from tests.support.documents import DOCS

FOLDER: Final = DOCS / "pictures"


def _join() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(join_page(Path(folder)))


MAKERS: Final[Mapping[str, Callable[[], bytes]]] = {
    "architecture.svg": lambda: architecture().encode(),
    "plan.svg": lambda: terminal().encode(),
    "size.svg": lambda: size().encode(),
    "join.png": _join,
}


def main(names: list[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in names or MAKERS:
        (FOLDER / name).write_bytes(MAKERS[name]())


if __name__ == "__main__":
    main(sys.argv[1:])
