"""What rooms.d says: the rooms that are right, and the errors of those that are not. Frozen data."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from controller.git import History
from controller.room import RoomSpec


@dataclass(frozen=True, slots=True)
class SourcePosition:
    """A place in a file; line and column count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class ManifestRoom:
    """One valid document.

    `key` is its stable name, `file` its path below rooms.d with forward slashes (`events/keynote.yaml`),
    `pinned_id` the text of `id:` where it is written (24 hex digits), at `id_position`.
    """

    key: str
    file: str
    spec: RoomSpec
    position: SourcePosition
    pinned_id: str | None = None
    id_position: SourcePosition | None = None


@dataclass(frozen=True, slots=True)
class ManifestError:
    """One thing wrong with one file.

    `key` is the room that the failed document stands for, None where that cannot be known: then it stands
    for every room whose record names `file`. `position` is None if the error is about the file as a whole;
    `exists` is False if there is no line to show: a path that was named is not there, or is not read.
    """

    file: str
    message: str
    position: SourcePosition | None = None
    key: str | None = None
    exists: bool = True


class RoomsDirState(StrEnum):
    """Whether a snapshot may be believed when it says that a room is absent.

    WITHHELD: a newer one may exist, so nothing of it is followed.
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
    `problem` says why the folder itself is MISSING or UNREADABLE. `unread` are files that look like manifests
    and are not read because of their name: no errors. `history` is what git knows of the folder.
    """

    rooms: Mapping[str, ManifestRoom]
    errors: tuple[ManifestError, ...]
    revision: str
    state: RoomsDirState = RoomsDirState.OK
    problem: str = ""
    unread: tuple[ManifestError, ...] = ()
    history: History = field(default_factory=History)

    def withheld(self) -> "Desired":
        """The same snapshot, with no manifest to follow: each room stays as it is on record."""
        return replace(self, rooms={}, errors=(), state=RoomsDirState.WITHHELD)
