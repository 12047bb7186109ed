"""Errors of manifests as text and as JSON, the same for every verb. Pure."""

from collections.abc import Callable
from typing import Any

from controller.manifests.snapshot import ManifestError

Place = Callable[[str], str]
"""Turns a file's path below rooms.d into the path to show."""


def same(file: str) -> str:
    """Returns the path unchanged."""
    return file


def error_dict(error: ManifestError, place: Place = same) -> dict[str, Any]:
    """One error as JSON values; an error of a whole file has the position of its start."""
    line, column = (error.position.line, error.position.column) if error.position else (1, 1)
    return {"file": place(error.file), "line": line, "column": column, "message": error.message}


def error_text(error: ManifestError, place: Place = same) -> str:
    """FILE:LINE:COL: message; without a position if there is no such file."""
    if not error.exists:
        return f"{place(error.file)}: {error.message}"
    return "{file}:{line}:{column}: {message}".format(**error_dict(error, place))
