"""roomctl validate: checks manifests. Offline: it only reads files."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from controller.cli.console import Exit, print_data, print_error, print_info
from controller.cli.flags import OUTPUT, with_settings
from controller.manifests.load import load_paths
from controller.manifests.report import error_dict, error_text
from controller.manifests.snapshot import Desired, ManifestError, RoomsDirState
from controller.settings import SettingGroup, Settings
from controller.text import pluralize

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = {**_DATA, ord(":"): "%3A", ord(","): "%2C"}


ErrorsFormat = Literal["text", "json", "github"]


@with_settings(SettingGroup.ROOMS)
def validate(
    settings: Settings,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            help="Manifest files or directories. [default: the rooms directory]",
            show_default=False,
        ),
    ] = None,
    output: Annotated[ErrorsFormat, OUTPUT] = "text",
) -> int:
    """Check manifests offline."""
    desired = load_paths(paths or [], settings.rooms_dir)
    if written := _written(desired, output):
        print_data(written)
    if output != "github":
        for unread in desired.unread:
            print_info(error_text(unread))
    if desired.state is not RoomsDirState.OK:
        places = ", ".join(map(str, paths or [settings.rooms_dir]))
        print_error(desired.problem or f"no manifest found in {places}; add one")
        return Exit.FAILED
    if desired.errors:
        valid = pluralize(len(desired.rooms), "valid room")
        print_info(f"{pluralize(len(desired.errors), 'error')}, {valid}")
        return Exit.FAILED
    print_info(f"{pluralize(len(desired.rooms), 'room')}, no errors")
    return Exit.FINE


def _written(desired: Desired, output: ErrorsFormat) -> str:
    match output:
        case "json":
            errors = [error_dict(error) for error in desired.errors]
            document = {"version": 1, "rooms": len(desired.rooms), "errors": errors}
            return json.dumps(document, ensure_ascii=False)
        case "github":
            warnings = [_annotation("warning", unread) for unread in desired.unread]
            return "\n".join([*(_annotation("error", error) for error in desired.errors), *warnings])
        case "text":
            return "\n".join(error_text(error) for error in desired.errors)


def _annotation(level: str, error: ManifestError) -> str:
    """A workflow command of GitHub Actions, escaped as its runner unescapes it."""
    facts = error_dict(error)
    file = str(facts["file"]).translate(_PROPERTY)
    message = str(facts["message"]).translate(_DATA)
    return f"::{level} file={file},line={facts['line']},col={facts['column']}::{message}"
