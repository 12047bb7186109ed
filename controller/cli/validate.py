"""roomctl validate: are the manifests right? Offline: it reads files, and nothing else."""

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.console import complain, counted, say, show
from controller.cli.exit_codes import Exit
from controller.cli.flags import with_settings
from controller.manifests import Desired, ManifestError, RoomsDirState, load_paths
from controller.manifests.report import error_dict, error_text
from controller.settings import Settings, Uses

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = {**_DATA, ord(":"): "%3A", ord(","): "%2C"}


class Form(StrEnum):
    """How errors are written."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


@with_settings(Uses.ROOMS)
def validate(
    settings: Settings,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH]...", help="Files or folders [the rooms folder]", show_default=False),
    ] = None,
    output: Annotated[Form, typer.Option("--output", "-o", help="How errors are written.")] = Form.TEXT,
) -> int:
    """Check manifests offline, and name every error with its place."""
    desired = load_paths(paths or [], settings.rooms_dir)
    if written := _written(desired, output):
        show(written)
    if desired.state is not RoomsDirState.OK:
        complain(
            desired.problem
            or f"no manifest found in {_named(paths or [settings.rooms_dir])}; write one there"
        )
        return Exit.FAILED
    if desired.errors:
        say(f"{counted(len(desired.errors), 'error')}, {counted(len(desired.rooms), 'valid room')}")
        return Exit.FAILED
    say(f"{counted(len(desired.rooms), 'room')}, no error")
    return Exit.FINE


def _named(paths: Sequence[Path]) -> str:
    return ", ".join(str(path) for path in paths)


def _written(desired: Desired, output: Form) -> str:
    match output:
        case Form.JSON:
            errors = [error_dict(error) for error in desired.errors]
            return json.dumps(
                {"version": 1, "rooms": len(desired.rooms), "errors": errors}, ensure_ascii=False
            )
        case Form.GITHUB:
            return "\n".join(_annotation(error) for error in desired.errors)
        case Form.TEXT:
            return "\n".join(error_text(error) for error in desired.errors)


def _annotation(error: ManifestError) -> str:
    """A workflow command of GitHub Actions, escaped as its runner unescapes it."""
    facts = error_dict(error)
    file = str(facts["file"]).translate(_PROPERTY)
    message = str(facts["message"]).translate(_DATA)
    return f"::error file={file},line={facts['line']},col={facts['column']}::{message}"
