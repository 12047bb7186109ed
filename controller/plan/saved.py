"""A plan that was saved, and what of a new plan it allows (docs/cli.md#a-saved-plan). Pure.

The file holds no ids: they let people join, and plans are passed around. It is signed, so that what was
reviewed is what is allowed.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from controller.plan.model import DeleteRetiredRoom, Heal, Plan, Repair, RestoreRecord, RoomChange
from controller.room import Disruption, FieldChange, field_changes, format_time

MAX_BYTES: Final = 64 * 1024 * 1024
_COMPLETING: Final = frozenset({Heal.label, Repair.label, DeleteRetiredRoom.label})
"""What completes a change of which a part failed."""


class SavedChange(BaseModel):
    """One room's change, as it was shown: a fingerprint of its id, and the labels of its actions."""

    model_config = ConfigDict(frozen=True)

    room: str
    actions: tuple[str, ...]
    fields: tuple[dict[str, Any], ...]
    disruption: Disruption
    participants: int


class SavedPlan(BaseModel):
    """The file. `database` tells one database from another. `signature` is over all else."""

    model_config = ConfigDict(frozen=True)

    version: int
    database: str
    generated_at: str
    revision: str
    changes: Mapping[str, SavedChange]
    signature: str = ""

    def signed(self, key: bytes) -> "SavedPlan":
        """The same with its signature by a derived key."""
        content = json.dumps(self.model_dump(mode="json", exclude={"signature"}), sort_keys=True)
        signature = hmac.digest(key, content.encode(), hashlib.sha256).hex()
        return self.model_copy(update={"signature": signature})


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A change that the saved plan does not allow, and why."""

    change: RoomChange
    reason: str


def save(plan: Plan, store: str, generated_at: datetime, key: bytes) -> str:
    """The text of the file; `store` is the database's id, `key` the derived key of Purpose.SAVED_PLAN."""
    saved = SavedPlan(
        version=1,
        database=_fingerprint("database", store),
        generated_at=format_time(generated_at),
        revision=plan.revision,
        changes={_name(change): _saved(change) for change in plan.changes},
    )
    return saved.signed(key).model_dump_json(indent=2)


def load(text: bytes, store: str, key: bytes) -> SavedPlan:
    """The plan in the file. ValueError says why it cannot be used."""
    try:
        saved = SavedPlan.model_validate(json.loads(text))
    except (ValidationError, ValueError, RecursionError):
        raise ValueError("not a plan; write one with `roomctl plan --out FILE`") from None
    if saved.version != 1:
        raise ValueError(f"version {saved.version} is not known; write it again with this release")
    if saved.database not in (
        _fingerprint("database", store),
        _fingerprint("database", ""),
    ):  # "": it was empty then
        raise ValueError("made with another database; write it again with `roomctl plan --out FILE`")
    if not hmac.compare_digest(saved.signature.encode(), saved.signed(key).signature.encode()):
        raise ValueError(
            "changed since it was written, or written with another ROOMCTL_SECRET; "
            "write it again with `roomctl plan --out FILE`"
        )
    return saved


def restrict(plan: Plan, saved: SavedPlan, *, again: bool = False) -> tuple[Plan, tuple[LeftOut, ...]]:
    """Only what the saved plan holds, too, and what is left out. Nothing is done that no plan shows.

    `again`: the rooms of the plan were changed by it already, and what is left of that may be completed.
    """
    reasons = {
        change.key: _objection(change, saved.changes.get(_name(change)), again=again)
        for change in plan.changes
    }
    left = tuple(LeftOut(change, reasons[change.key]) for change in plan.changes if reasons[change.key])
    changes = tuple(change for change in plan.changes if not reasons[change.key])
    return replace(plan, changes=changes, chores=()), left


def _objection(change: RoomChange, saved: SavedChange | None, *, again: bool) -> str:
    """Why the change must not be carried out; '' if it may."""
    if saved is None:
        return "the saved plan does not have this change"
    now = _saved(change)
    if now.room != saved.room or not (_is_part(now, saved) if again else _is_same(now, saved)):
        return "the saved plan has another change of this room"
    if Disruption.worst((now.disruption, saved.disruption)) is not saved.disruption:
        return f"it {now.disruption} {change.people}, and the saved plan says {saved.disruption}"
    if change.disruption is Disruption.DISCONNECTS and now.participants > saved.participants:
        return f"{change.people.inside}, and the saved plan says {saved.participants}"
    return ""


def _is_same(now: SavedChange, saved: SavedChange) -> bool:
    return set(now.actions) <= set(saved.actions) and now.fields == saved.fields


def _is_part(now: SavedChange, saved: SavedChange) -> bool:
    """Whether it is what is left of the saved change."""
    known = _COMPLETING.union(saved.actions)
    return known.issuperset(now.actions) and all(field in saved.fields for field in now.fields)


def _saved(change: RoomChange) -> SavedChange:
    return SavedChange(
        room=_fingerprint("room", change.id),
        actions=tuple(action.label for action in change.actions),
        fields=tuple(field.as_dict() for field in _fields(change)),
        disruption=change.disruption,
        participants=change.participants,
    )


def _fields(change: RoomChange) -> tuple[FieldChange, ...]:
    """The fields that change; of a restored record, what is written: what was there cannot be read."""
    restored = (action.manifest for action in change.actions if isinstance(action, RestoreRecord))
    manifest = next(restored, None)
    return change.fields if manifest is None else field_changes(None, manifest.spec)


def _name(change: RoomChange) -> str:
    """The key, without the id that is in the key of a room of the API."""
    return f"api/{_fingerprint('room', change.id)}" if change.key.startswith("api/") else change.key


def _fingerprint(what: str, text: str) -> str:
    """Of an id, which is random: it can be compared, and not guessed."""
    return hashlib.sha256(f"roomctl plan {what} {text}".encode()).hexdigest()[:24]
