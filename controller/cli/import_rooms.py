"""roomctl import: writes manifests for rooms that exist already, and changes nothing else."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from controller.cli.console import Exit, print_data, print_info, print_lines
from controller.cli.flags import OUTPUT, strict_settings, with_settings
from controller.cli.import_sources import Skipped, Source, rooms_of_api, rooms_of_file, rooms_of_livekit
from controller.errors import RoomctlError
from controller.limits import exceeded
from controller.manifests.export import Export, file_names, manifest_text
from controller.manifests.files import MAX_FILES
from controller.manifests.folder_policy import BUILT_IN, FolderPolicy
from controller.manifests.keys import KEY_RULE, is_key
from controller.manifests.load import load, load_policies
from controller.manifests.new_files import FilesExistError, write_new_files
from controller.settings import SETTINGS, SettingGroup, Settings
from controller.text import pluralize, quote_excerpt

DEFAULT_FOLDER: Final = "imported"
_NAMED: Final = 5
_GROUPS: Final = {
    "api": SettingGroup.DATABASE,
    "live": SettingGroup.DATABASE | SettingGroup.LIVEKIT,
}

ImportFormat = Literal["text", "json"]


@dataclass(frozen=True, slots=True)
class Written:
    """A manifest that was written; `key` is None if its folder is not in the rooms directory."""

    file: str
    key: str | None
    name: str


@with_settings(SettingGroup.ROOMS | SettingGroup.DATABASE | SettingGroup.LIVEKIT, tolerant=True)
async def import_rooms(
    settings: Settings,
    problems: Mapping[str, str],
    unknown: Mapping[str, str],
    *,
    source: Annotated[
        str,
        typer.Option(
            "--from", metavar="live|api|FILE", help="LiveKit, the API's rooms, or what getAll returned."
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where to write. [default: imported in the rooms directory]",
            show_default=False,
        ),
    ] = None,
    output: Annotated[ImportFormat, OUTPUT] = "text",
) -> int:
    """Write manifests for existing rooms.

    Changes nothing else: the rooms are taken over when the manifests are applied.
    """
    needed = _GROUPS.get(source, SettingGroup.NOTHING) | SettingGroup.ROOMS | SettingGroup.LOGS
    strict_settings(settings, _problems_of(needed, problems), unknown)
    folder = to or settings.rooms_dir / DEFAULT_FOLDER
    prefix = _key_prefix(folder, settings.rooms_dir)
    found = await _read(source, settings)
    folders = [settings.rooms_dir, *([folder] if prefix is None else [])]
    rooms, known = _without_manifest(found.rooms, folders)
    policy = BUILT_IN if prefix is None else load_policies(settings.rooms_dir).of_folder(prefix.rstrip("/"))
    texts, written = _manifests(rooms, folder, prefix, policy)
    _write(folder, texts)
    found = replace(found, notes=(*found.notes, *_policy_notes(rooms, policy)))
    _report(found, written, (*found.skipped, *known), folder, output)
    return Exit.LEFT if found.skipped else Exit.FINE


def _problems_of(groups: SettingGroup, problems: Mapping[str, str]) -> dict[str, str]:
    """The problems of the settings that this source uses."""
    others = {s.variable for s in SETTINGS if not s.groups & groups}
    return {variable: text for variable, text in problems.items() if variable not in others}


async def _read(source: str, settings: Settings) -> Source:
    match source:
        case "api":
            return await rooms_of_api(settings)
        case "live":
            return await rooms_of_livekit(settings)
        case _:
            return rooms_of_file(source)


def _key_prefix(folder: Path, rooms_dir: Path) -> str | None:
    """What keys begin with in `folder`; None outside the rooms directory. RoomctlError if it makes no key."""
    below = os.path.relpath(os.path.realpath(folder), os.path.realpath(rooms_dir))
    parts = () if below == os.curdir else Path(below).parts
    if os.pardir in parts:
        return None
    if any(part.startswith((".", "_")) for part in parts):
        raise RoomctlError(f"--to: manifests in {folder} are not read; use a name that begins with a letter")
    prefix = "".join(f"{part}/" for part in parts)
    if not is_key(f"{prefix}{'x' * 90}"):
        raise RoomctlError(f"--to: {folder} makes no valid key; a key has {KEY_RULE}")
    return prefix


def _without_manifest(
    rooms: Sequence[Export], folders: Sequence[Path]
) -> tuple[list[Export], tuple[Skipped, ...]]:
    """The rooms that no manifest has yet, and the others."""
    manifests = [
        (os.path.relpath(folder / m.file), m) for folder in folders for m in load(folder).rooms.values()
    ]
    of_id = {m.pinned_id: file for file, m in manifests if m.pinned_id is not None}
    of_name = {m.adopt: file for file, m in manifests if m.adopt is not None}
    having = [of_id.get(room.id or "") if room.adopt is None else of_name.get(room.adopt) for room in rooms]
    new = [room for room, file in zip(rooms, having, strict=True) if file is None]
    known = [
        Skipped(quote_excerpt(room.title), f"its manifest is {file}")
        for room, file in zip(rooms, having, strict=True)
        if file is not None
    ]
    return new, tuple(known)


def _manifests(
    rooms: Sequence[Export], folder: Path, prefix: str | None, policy: FolderPolicy
) -> tuple[dict[str, str], list[Written]]:
    """The texts by file name, and what to say of each."""
    if len(rooms) > MAX_FILES:
        raise RoomctlError(f"--from: {len(rooms)} rooms; a rooms directory holds at most {MAX_FILES:,} files")
    ordered = sorted(rooms, key=lambda room: (room.title, room.id is None, room.id, manifest_text(room)))
    names = file_names([room.title for room in ordered])
    texts = {f"{name}.yaml": manifest_text(room, policy) for name, room in zip(names, ordered, strict=True)}
    written = [
        Written(
            os.path.relpath(folder / f"{name}.yaml"),
            None if prefix is None else prefix + name,
            room.spec.name,
        )
        for name, room in zip(names, ordered, strict=True)
    ]
    return texts, sorted(written, key=lambda each: each.file)


def _policy_notes(rooms: Sequence[Export], policy: FolderPolicy) -> Iterator[str]:
    """What the policy files of the folder have against the manifests."""
    if policy.problem:
        yield policy.problem
    counts = Counter(limit for room in rooms for limit in exceeded(policy.limits, room.spec.as_dict()))
    for limit, count in counts.items():
        one, many = "manifest is invalid", "manifests are invalid"
        what = f"{limit.field} is beyond the limit of {limit.place}; use {limit.rule}"
        yield f"{pluralize(count, one, many)}: {what}"


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    """RoomctlError if nothing was written."""
    if not texts:
        return
    try:
        write_new_files(folder, texts)
    except FilesExistError as error:
        shown = [os.path.relpath(folder / name) for name in error.names]
        more = f" and {len(shown) - _NAMED} more" if len(shown) > _NAMED else ""
        files = ", ".join(shown[:_NAMED])
        raise RoomctlError(
            f"--to: {files}{more} exist already, and nothing was written; "
            "move them, or use another folder with --to"
        ) from None
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise RoomctlError(f"--to: cannot write to {folder}: {reason}; nothing was written") from None


def _report(
    found: Source, written: Sequence[Written], skipped: Sequence[Skipped], folder: Path, output: ImportFormat
) -> None:
    if output == "json":
        print_data(_as_json(written, skipped))
    else:
        print_lines(each.file for each in written)
    for note in found.notes:
        print_info(f"warning: {note}")
    if output == "text":
        for each in skipped:
            print_info(f"skipped {each.name}: {each.reason}")
    left = f", {pluralize(len(skipped), 'room')} skipped" if skipped else ""
    if not written:
        print_info(f"no room to import{left}")
        return
    made = f"{pluralize(len(written), 'manifest')} written to {os.path.relpath(folder)}"
    print_info(f"{made}{left}; check with `roomctl plan`, then commit")


def _as_json(written: Sequence[Written], skipped: Sequence[Skipped]) -> str:
    document = {
        "version": 1,
        "written": [{"file": each.file, "key": each.key, "name": each.name} for each in written],
        "skipped": [{"name": each.name, "reason": each.reason} for each in skipped],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)
