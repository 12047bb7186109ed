"""A plan as Markdown, for one comment on a pull request (docs/cli.md#plan--o-markdown). Pure.

Text of manifests is escaped: no name can add markup, mention somebody, or end a table. Rooms are named by
key, as in the text.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final

from controller.access.people import Headcount
from controller.manifests.report import Place, error_text, same
from controller.plan.model import Plan, RoomChange
from controller.plan.render import sign, summary
from controller.plan.steps import Step, effect_at_once, last_failure, steps_of
from controller.room import Disruption, redact_key
from controller.text import pluralize

MARKER: Final = "<!-- roomctl-plan -->"
"""The first line, by which the next run finds the comment that it replaces."""
MAX_LENGTH: Final = 65_000
"""Characters at most: the limit of GitHub is 65,536."""
MIN_FOLDED: Final = 4
"""So many rooms with the same change become one folded group."""
_FOOTER_ROOM: Final = 1_500
_SPECIAL: Final = re.compile(r"[^A-Za-z0-9 .,;:=/()'\"+-]")
_WORST_FIRST: Final = {kind: place for place, kind in enumerate(reversed(Disruption))}


def as_markdown(plan: Plan, place: Place = same) -> str:
    """The comment; no newline at the end."""
    head = [MARKER, f"### roomctl plan: {_headline(plan)}", ""]
    foot = [*_notes(plan), *_invalid(plan, place), "", _revision(plan)]
    length = sum(len(line) + 1 for line in (*head, *foot))
    if length > MAX_LENGTH - _FOOTER_ROOM:
        foot, length = [_revision(plan)], sum(len(line) + 1 for line in head) + _FOOTER_ROOM
    return "\n".join([*head, *_fitting(plan, MAX_LENGTH - _FOOTER_ROOM - length), *foot])


def _headline(plan: Plan) -> str:
    """The counts, and how many people are cut off."""
    text = summary(plan).removeprefix("Plan: ").removesuffix(".")
    invalid = f"; {len(plan.invalid)} invalid" if plan.invalid else ""
    return f"{text}{invalid}{_cut_off(plan)}"


def _cut_off(plan: Plan) -> str:
    """How many people are disconnected at once, and later; or of how many rooms if they were not counted."""
    steps = [step for change in plan.changes for step in steps_of(change, plan)]
    cutting = [step for step in steps if step.disruption is Disruption.DISCONNECTS]
    if not plan.people_known:
        return f"; **disconnects everybody inside {pluralize(len(cutting), 'room')}**" if cutting else ""
    now = _headcount(step for step in cutting if not step.waits_for)
    later = _headcount(step for step in cutting if step.waits_for)
    told = [str(now)] if now.seats else []
    told += [f"{later.seats if now.people else later} later"] if later.seats else []
    return f"; **disconnects {' and '.join(told)}**" if told else ""


def _headcount(steps: Iterable[Step]) -> Headcount:
    counted = [(step.participants or 0, step.ingress) for step in steps]
    ingress = sum(count for _, count in counted)
    return Headcount(sum(seats for seats, _ in counted) - ingress, ingress)


def _fitting(plan: Plan, room: int) -> Iterator[str]:
    """The rooms, as far as they fit; a large group leaves room for what the next ones are."""
    shown, groups = 0, _groups(plan)
    for group in groups:
        lines = list(_rows(group, plan, room if group is groups[-1] else room // 2))
        length = sum(len(line) + 1 for line in lines)
        if length > room:
            rest = len(plan.changes) - shown
            yield from ("", f"… and {rest} more rooms; run `roomctl plan` to see all.")
            return
        room -= length
        shown += len(group)
        yield from lines


def _groups(plan: Plan) -> list[list[RoomChange]]:
    """Rooms of like changes together, disruptive ones first."""
    groups: dict[tuple[object, ...], list[RoomChange]] = {}
    for change in plan.changes:
        groups.setdefault(_likeness(change, plan), []).append(change)
    return sorted(groups.values(), key=lambda group: (_WORST_FIRST[group[0].disruption], group[0].key))


def _likeness(change: RoomChange, plan: Plan) -> tuple[object, ...]:
    fields = tuple(
        (f.field, json.dumps(f.before), json.dumps(f.after)) for f in change.fields if f.field != "name"
    )
    return change.reason, tuple(steps_of(change, plan)), last_failure(change), fields


def _rows(group: Sequence[RoomChange], plan: Plan, room: int) -> Iterator[str]:
    if len(group) < MIN_FOLDED:
        for change in group:
            yield from _room(change, plan)
        return
    first = group[0]
    head = [f"<details><summary>{sign(first)} {len(group)} rooms: {_what(first, plan)}</summary>", ""]
    foot = [*_lines(first, plan, without=("name",)), "</details>", ""]
    yield from head
    yield _names(group, room - sum(len(line) + 1 for line in (*head, *foot)) - 1)
    yield from foot


def _names(group: Sequence[RoomChange], room: int) -> str:
    """Their keys, as many as fit, but at least one."""
    keys = [_code(redact_key(change.key)) for change in group]
    ends = list(accumulate(len(key) + len(", ") for key in keys))
    if ends[-1] <= room:
        return ", ".join(keys)
    fitting = max(1, bisect_right(ends, room - len(f"and {len(keys)} more")))
    return f"{', '.join(keys[:fitting])} and {len(keys) - fitting} more"


def _room(change: RoomChange, plan: Plan) -> Iterator[str]:
    mark = f"&#{ord(sign(change))};"  # as it is, "-" or "+" would begin a list in the list
    yield f"- {mark} {_code(redact_key(change.key))}: {_what(change, plan)}"
    yield from _lines(change, plan)


def _what(change: RoomChange, plan: Plan) -> str:
    what = f"{', '.join(change.action_names)} ({_escaped(change.reason)})"
    return f"{what}{_bold(effect_at_once(steps_of(change, plan)) or '')}"


def _lines(change: RoomChange, plan: Plan, without: Sequence[str] = ()) -> Iterator[str]:
    steps = steps_of(change, plan)
    if effect_at_once(steps) is None:
        yield from map(_step, steps)
    if failure := last_failure(change):
        yield f"  - last try: {_escaped(failure)}"
    yield from _fields(change, without)


def _step(step: Step) -> str:
    wait = f" — {_escaped(step.wait)}" if step.wait else ""
    return f"  - {step.what}{_bold(step.effect)}{wait}"


def _bold(effect: str) -> str:
    return f" — **{effect}**" if effect else ""


def _fields(change: RoomChange, without: Sequence[str]) -> Iterator[str]:
    if all(field.before is None for field in change.fields):
        return  # a new room: the pull request shows its manifest
    for field in change.fields:
        if field.field not in without:
            before, after = (
                _code(json.dumps(value, ensure_ascii=False)) for value in (field.before, field.after)
            )
            yield f"  - {_code(field.field)}: {before} → {after}"


def _invalid(plan: Plan, place: Place) -> Iterator[str]:
    if plan.invalid:
        yield from ("", "**Invalid manifests**", "")
        yield from (f"- {_escaped(error_text(error, place))}" for error in plan.invalid)


def _notes(plan: Plan) -> Iterator[str]:
    yield from (f"\n{_escaped(note)}" for note in plan.notes)


def _revision(plan: Plan) -> str:
    commit = f", commit {_code(plan.commit.short)}" if plan.commit is not None else ""
    return f"Revision {_code(plan.revision[:12])}{commit}"


def _code(text: str) -> str:
    """Text of others as code: nothing in it is markup, and nobody is mentioned by it."""
    return f"<code>{_escaped(text)}</code>"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", text)
