"""A plan in front of people and of programs: text and JSON (docs/cli.md#plan). Pure: text in, text out.

Text names rooms by key, an API room's cut short: an id is a capability, so ids stand in the JSON alone.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from controller.manifests.report import Place, error_dict, error_text, same
from controller.plan.model import Disruption, FieldChange, Plan, RoomChange, Word
from controller.room import format_time, redact_key

_SIGN_OF: Final = (  # the first that fits
    ("±", {Word.RECREATE}),
    ("-", {Word.STOP, Word.REMOVE}),
    ("+", {Word.CREATE, Word.START}),
    ("~", {Word.UPDATE}),
)


def as_text(plan: Plan, place: Place = same) -> str:
    """One line a room, its fields beneath it; last the counts, or `No changes.`; ends without a newline."""
    return "\n".join(_lines(plan, place))


def as_json(plan: Plan, generated_at: datetime, place: Place = same) -> str:
    """The document of `plan -o json`, in the order of docs/cli.md#plan--o-json; ends without a newline."""
    return json.dumps(as_dict(plan, generated_at, place), indent=2, ensure_ascii=False)


def as_dict(plan: Plan, generated_at: datetime, place: Place = same) -> dict[str, Any]:
    """The same as plain JSON values."""
    counts = plan.counts()
    return {
        "version": 1,
        "generated_at": format_time(generated_at),
        "revision": plan.revision,
        "summary": {
            **{str(word): counts[word] for word in Word},
            "unchanged": plan.unchanged,
            "deferred": sum(change.deferred for change in plan.changes),
            "invalid": len(plan.invalid),
        },
        "changes": [_change(change) for change in plan.changes],
        "invalid": [error_dict(error, place) for error in plan.invalid],
    }


def _change(change: RoomChange) -> dict[str, Any]:
    return {
        "key": change.key,
        "id": change.id,
        "name": change.name,
        "actions": [str(word) for word in change.words],
        "fields": [{"field": f.field, "from": f.before, "to": f.after} for f in change.fields],
        "disruption": str(change.disruption),
        "participants": change.participants,
        "deferred": change.deferred,
        "reason": _reason(change),
    }


def _reason(change: RoomChange) -> str:
    return change.reason if change.refused is None else f"{change.reason}; held back: {change.refused}"


def _lines(plan: Plan, place: Place) -> Iterator[str]:
    for change in plan.changes:
        yield from _room(change)
    for error in plan.invalid:
        yield f"! {error_text(error, place)}"
    for note in plan.notes:
        yield f"  {note}"
    if plan.changes or plan.invalid or plan.notes:
        yield ""
    yield _summary(plan)


def _room(change: RoomChange) -> Iterator[str]:
    words = ", ".join(change.words)
    yield f"{_sign(change)} {redact_key(change.key)}: {words} ({_reason(change)}){_effect(change)}"
    width = max((len(f.field) for f in change.fields), default=0)
    for field in change.fields:
        yield f"    {field.field:<{width}}  {_values(field)}"


def _sign(change: RoomChange) -> str:
    return next(sign for sign, words in _SIGN_OF if words & set(change.words))


def _effect(change: RoomChange) -> str:
    """What it means for the people inside, '' where it means nothing to them."""
    people = f"{change.participants} participant{'' if change.participants == 1 else 's'}"
    felt = "" if change.disruption is Disruption.NONE else f" - {change.disruption} {people}"
    if change.deferred:  # what waits, beside what comes at once
        return f"{felt} - deferred until the room is empty, {people} inside"
    return felt


def _values(field: FieldChange) -> str:
    after = json.dumps(field.after, ensure_ascii=False)
    return after if field.before is None else f"{json.dumps(field.before, ensure_ascii=False)} -> {after}"


def _summary(plan: Plan) -> str:
    counts = plan.counts()
    parts = [f"{counts[word]} to {word}" for word in Word if counts[word]]
    if not parts:
        return "No changes."
    deferred = sum(change.deferred for change in plan.changes)
    refused = sum(change.refused is not None for change in plan.changes)
    extra = ", ".join(f"{n} {what}" for n, what in ((deferred, "deferred"), (refused, "held back")) if n)
    return f"Plan: {', '.join(parts)} ({extra})." if extra else f"Plan: {', '.join(parts)}."
