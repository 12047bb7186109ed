"""The content of rooms.d: the valid rooms, and the errors of others. Frozen data."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from controller.git import History
from controller.room import RoomSpec


@dataclass(frozen=True, slots=True)
class SourcePosition:
    """A position in a file; line and column count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class ManifestRoom:
    """One valid document.

    `key` is its stable name, `file` its path below rooms.d with forward slashes (`events/keynote.yaml`),
    `pinned_id` the text of `id:` (24 hex digits), if it has one, at `id_position`. `adopt` is the LiveKit
    room of somebody else that it takes over.
    """

    key: str
    file: str
    spec: RoomSpec
    position: SourcePosition
    pinned_id: str | None = None
    id_position: SourcePosition | None = None
    adopt: str | None = None


@dataclass(frozen=True, slots=True)
class ManifestError:
    """One error in one file.

    `key` is the room of the invalid document, None if that cannot be known: then it belongs to every room
    whose record has `file`. `position` is None if the error is about the whole file; `exists` is False if
    there is no line to show: a given path is missing, or is not read.
    """

    file: str
    message: str
    position: SourcePosition | None = None
    key: str | None = None
    exists: bool = True


class RoomsDirState(StrEnum):
    """Whether rooms that are missing in a snapshot are really removed.

    WITHHELD: a newer one may exist, so it is not applied.
    """

    OK = "ok"
    EMPTY = "empty"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    WITHHELD = "withheld"


@dataclass(frozen=True, slots=True)
class Desired:
    """One consistent snapshot of rooms.d.

    `rooms` by key; `revision` is the SHA-256 (hex) of the manifests read, independent of their order;
    `problem` is why the folder is MISSING or UNREADABLE. `unread` are files with names similar to those of
    manifests: not errors. `history` is the folder's Git history.
    """

    rooms: Mapping[str, ManifestRoom]
    errors: tuple[ManifestError, ...]
    revision: str
    state: RoomsDirState = RoomsDirState.OK
    problem: str = ""
    unread: tuple[ManifestError, ...] = ()
    history: History = field(default_factory=History)

    def withheld(self) -> "Desired":
        """The same snapshot without its manifests: each room stays as it is in its record."""
        return replace(self, rooms={}, errors=(), state=RoomsDirState.WITHHELD)
