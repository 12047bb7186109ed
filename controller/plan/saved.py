"""A plan that was saved, and what of a new plan it allows (docs/cli.md#a-saved-plan). Pure.

The file holds no ids: they let people join, and plans are passed around.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from controller.plan.model import Plan, RoomChange
from controller.room import Disruption, format_time

MAX_BYTES: Final = 64 * 1024 * 1024


class SavedChange(BaseModel):
    """One room's change, as it was shown."""

    model_config = ConfigDict(frozen=True)

    actions: tuple[str, ...]
    fields: tuple[dict[str, Any], ...]
    disruption: Disruption
    participants: int


class SavedPlan(BaseModel):
    """The file. `database` tells one database from another."""

    model_config = ConfigDict(frozen=True)

    version: int
    database: str
    generated_at: str
    revision: str
    changes: Mapping[str, SavedChange]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A change that the saved plan does not allow, and why."""

    change: RoomChange
    reason: str


def save(plan: Plan, store: str, generated_at: datetime) -> str:
    """The text of the file; `store` is the database's id."""
    saved = SavedPlan(
        version=1,
        database=_fingerprint(store),
        generated_at=format_time(generated_at),
        revision=plan.revision,
        changes={change.key: _saved(change) for change in plan.changes},
    )
    return saved.model_dump_json(indent=2)


def load(text: bytes, store: str) -> SavedPlan:
    """The plan in the file. ValueError says why it cannot be used."""
    try:
        saved = SavedPlan.model_validate(json.loads(text))
    except (ValidationError, ValueError, RecursionError):
        raise ValueError("not a plan; write one with `roomctl plan --out FILE`") from None
    if saved.version != 1:
        raise ValueError(f"version {saved.version} is not known; write it again with this release")
    if saved.database not in (_fingerprint(store), _fingerprint("")):  # "": it was empty then
        raise ValueError("made with another database; write it again with `roomctl plan --out FILE`")
    return saved


def restrict(plan: Plan, saved: SavedPlan) -> tuple[Plan, tuple[LeftOut, ...]]:
    """Only what the saved plan holds, too, and what is left out."""
    reasons = {change.key: _objection(change, saved.changes.get(change.key)) for change in plan.changes}
    left = tuple(LeftOut(change, reasons[change.key]) for change in plan.changes if reasons[change.key])
    return replace(plan, changes=tuple(c for c in plan.changes if not reasons[c.key])), left


def _objection(change: RoomChange, saved: SavedChange | None) -> str:
    """Why the change must not be carried out; '' if it may."""
    if saved is None:
        return "the saved plan does not have this change"
    now = _saved(change)
    if not set(now.actions) <= set(saved.actions) or now.fields != saved.fields:
        return "the saved plan has another change of this room"
    if change.disruption is Disruption.DISCONNECTS and now.participants > saved.participants:
        return f"{change.people} inside, and the saved plan says {saved.participants}"
    return ""


def _saved(change: RoomChange) -> SavedChange:
    return SavedChange(
        actions=tuple(map(str, change.action_names)),
        fields=tuple(field.as_dict() for field in change.fields),
        disruption=change.disruption,
        participants=change.participants,
    )


def _fingerprint(store: str) -> str:
    return hashlib.sha256(f"roomctl plan {store}".encode()).hexdigest()[:16]
