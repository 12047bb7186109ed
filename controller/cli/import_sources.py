"""The sources of `roomctl import`: rooms on record, rooms on LiveKit, and a file."""

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.connect import connect_store, connection
from controller.errors import RoomctlError
from controller.live.room import LiveRoom
from controller.manifests.api_export import MAX_BYTES, BadExportError, read_api_export
from controller.manifests.export import Export
from controller.manifests.fields import MAX_LIVEKIT_NAME_BYTES
from controller.manifests.snapshot import Desired
from controller.plan.metadata import has_mark
from controller.plan.model import Observed
from controller.plan.ownership import unmarked_rooms, without_impostors
from controller.records.ports import Records
from controller.records.record import Origin
from controller.room import MAX_PARTICIPANTS, PRESETS, RoomSpec, redact_key
from controller.settings import Settings
from controller.text import quote_excerpt

_MAX_NAME: Final = 100
_UNNAMED: Final = "Room"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A room that gets no manifest, as people know it, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Source:
    """The rooms to write, those that cannot be written, and what else to say."""

    rooms: tuple[Export, ...]
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()


async def rooms_of_api(settings: Settings) -> Source:
    """The rooms on record that were made over the API."""
    async with connect_store(settings, verb="import", read_only=True) as store:
        unusable = [each for each in store.unusable.values() if each.record.origin is Origin.API]
        skipped = [Skipped(redact_key(each.record.key), each.advice) for each in unusable]
        rooms = [
            Export(record.spec, f"Imported from the API, where it was {redact_key(record.key)}.", record.id)
            for record in store.by_id.values()
            if record.origin is Origin.API and not record.removed and record.id not in store.unusable
        ]
        return Source(tuple(rooms), tuple(skipped))


async def rooms_of_livekit(settings: Settings) -> Source:
    """The rooms on LiveKit that somebody else made; one listing, whatever their number."""
    async with connection(settings) as live:
        listed = await live.reader().rooms()
    async with connect_store(settings, verb="import", read_only=True) as store:
        return foreign_rooms(listed, store)


def foreign_rooms(rooms: Iterable[LiveRoom], records: Records) -> Source:
    """The unmarked rooms of the listing; marked ones that no record names are only reported."""
    listed = {room.name: room for room in rooms}
    usable = {i: record for i, record in records.by_id.items() if i not in records.unusable}
    observed = without_impostors(Observed(Desired({}, (), ""), usable, listed, unusable=records.unusable))
    named = {name for record in records.by_id.values() for name in record.names}
    others = [room for name, room in listed.items() if name not in named and has_mark(room.metadata)]
    unmarked = [listed[name] for name in sorted(unmarked_rooms(observed))]
    usual = [room for room in unmarked if _can_be_named(room.name)]
    skipped = (
        *(Skipped(quote_excerpt(room.name), "it has the owner mark of a roomctl") for room in others),
        *(Skipped(quote_excerpt(room.name), _NO_NAME) for room in unmarked if not _can_be_named(room.name)),
    )
    return Source(tuple(map(_adopting, usual)), skipped)


_NO_NAME: Final = f"its name is not 1 to {MAX_LIVEKIT_NAME_BYTES} bytes long"


def _can_be_named(name: str) -> bool:
    return 0 < len(name.encode()) <= MAX_LIVEKIT_NAME_BYTES


def _adopting(room: LiveRoom) -> Export:
    """A manifest that takes the room over and takes no right from the people inside."""
    name = re.sub(r"[^A-Za-z0-9 -]+", "-", room.name)[:_MAX_NAME].strip(" -") or _UNNAMED
    limit = min(room.max_participants or MAX_PARTICIPANTS, MAX_PARTICIPANTS)
    spec = RoomSpec.model_validate({**PRESETS["standard-team"], "name": name, "max_participants": limit})
    origin = (
        f"Imported from the LiveKit room {quote_excerpt(room.name)}. Once it is taken over, remove `adopt`."
    )
    return Export(spec, origin, adopt=room.name)


def rooms_of_file(path: str) -> Source:
    """The rooms in the answer of getAll at `path`; `-` is standard input. RoomctlError."""
    shown = "standard input" if path == "-" else path
    try:
        export = read_api_export(_read(path), f"Imported from {shown}.")
    except BadExportError as wrong:
        raise RoomctlError("\n".join(_located(shown, wrong))) from None
    except OSError as error:
        raise RoomctlError(f"--from: cannot read {shown}: {(error.strerror or '').lower()}") from None
    return Source(export.rooms, notes=tuple(f"{shown}: {line}" for line in export.ignored))


def _read(path: str) -> bytes:
    if path == "-":
        content = sys.stdin.buffer.read(MAX_BYTES + 1)
    else:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise BadExportError(f"larger than {MAX_BYTES // 2**20} MiB; split it")
    return content


def _located(shown: str, wrong: BadExportError) -> Iterator[str]:
    """The problems, a line each: `rooms.json[3].name: ...`."""
    for problem in wrong.problems:
        yield f"{shown}{problem}" if problem.startswith("[") else f"{shown}: {problem}"
