"""A plan as text and as JSON (docs/cli.md#plan). Pure.

Text names rooms by key, shortened for an API room: an id lets people join, so only the JSON has ids.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from controller.manifests.report import Place, error_dict, error_text, same
from controller.plan.model import ActionName, Plan, RoomChange
from controller.plan.steps import effect_at_once, last_failure, steps_of
from controller.room import FieldChange, format_time, redact_key

_SIGN_OF: Final = (  # the first match counts
    ("±", {ActionName.RECREATE}),
    ("-", {ActionName.STOP, ActionName.REMOVE}),
    ("+", {ActionName.CREATE, ActionName.START}),
    ("~", {ActionName.UPDATE}),
)


def as_text(plan: Plan, place: Place = same) -> str:
    """A line per room, its fields below it; then the counts, or `No changes.`; no newline at the end."""
    return "\n".join(_lines(plan, place))


def as_json(plan: Plan, generated_at: datetime, place: Place = same) -> str:
    """The document of `plan -o json`, in the order of docs/cli.md#plan--o-json; no newline at the end."""
    return json.dumps(as_dict(plan, generated_at, place), indent=2, ensure_ascii=False)


def as_dict(plan: Plan, generated_at: datetime, place: Place = same) -> dict[str, Any]:
    """The same as plain JSON values."""
    counts = plan.counts()
    return {
        "version": 1,
        "generated_at": format_time(generated_at),
        "revision": plan.revision,
        **({} if plan.commit is None else {"commit": plan.commit.as_dict()}),
        "summary": {
            **{str(name): counts[name] for name in ActionName},
            "unchanged": plan.unchanged,
            "deferred": sum(change.deferred for change in plan.changes),
            "invalid": len(plan.invalid),
        },
        "changes": [_change(change, plan) for change in plan.changes],
        "invalid": [error_dict(error, place) for error in plan.invalid],
        **({"notes": list(plan.notes)} if plan.notes else {}),
    }


def _change(change: RoomChange, plan: Plan) -> dict[str, Any]:
    return {
        "key": change.key,
        "id": change.id or None,
        "name": change.name,
        "actions": [str(name) for name in change.action_names],
        "fields": [field.as_dict() for field in change.fields],
        "disruption": str(change.disruption),
        "participants": change.participants if plan.people_known else None,
        "deferred": change.deferred,
        "reason": _reason(change, plan),
        "steps": [step.as_dict() for step in steps_of(change, plan)],
        **({"last_failure": failure} if (failure := last_failure(change)) else {}),
        **({"moved_to": change.moved_to} if change.moved_to else {}),
        **({"moved_from": change.moved_from} if change.moved_from else {}),
    }


def _reason(change: RoomChange, plan: Plan) -> str:
    """Why, and what it waits for; in the text the steps say the latter."""
    if change.hold is not None:
        return f"{change.reason}; held {change.hold}"
    blocked = plan.block_message(change)
    return f"{change.reason}; blocked: {blocked}" if blocked else change.reason


def _lines(plan: Plan, place: Place) -> Iterator[str]:
    for change in plan.changes:
        yield from _room(change, plan)
    for error in plan.invalid:
        yield f"! {error_text(error, place)}"
    for note in plan.notes:
        yield f"  {note}"
    if plan.changes or plan.invalid or plan.notes:
        yield ""
    yield summary(plan)


def _room(change: RoomChange, plan: Plan) -> Iterator[str]:
    steps = steps_of(change, plan)
    effect = effect_at_once(steps)
    what = f"{', '.join(change.action_names)} ({change.reason})"
    yield f"{sign(change)} {redact_key(change.key)}: {what}{(effect and f' - {effect}') or ''}"
    if effect is None:
        yield from (f"    {step}" for step in steps)
    if failure := last_failure(change):
        yield f"    last try: {failure}"
    width = max((len(f.field) for f in change.fields), default=0)
    for field in change.fields:
        yield f"    {field.field:<{width}}  {_values(field)}"


def sign(change: RoomChange) -> str:
    return next(sign for sign, words in _SIGN_OF if words & set(change.action_names))


def _values(field: FieldChange) -> str:
    after = json.dumps(field.after, ensure_ascii=False)
    return after if field.before is None else f"{json.dumps(field.before, ensure_ascii=False)} -> {after}"


def summary(plan: Plan) -> str:
    counts = plan.counts()
    parts = [f"{counts[name]} to {name}" for name in ActionName if counts[name]]
    if not parts:
        return "No changes."
    deferred = sum(change.deferred for change in plan.changes)
    refused = sum(change.blocked_by is not None for change in plan.changes)
    held = sum(change.hold is not None for change in plan.changes)
    counted = ((deferred, "deferred"), (refused, "blocked"), (held, "held"))
    extra = ", ".join(f"{n} {what}" for n, what in counted if n)
    return f"Plan: {', '.join(parts)} ({extra})." if extra else f"Plan: {', '.join(parts)}."
