"""The planner: observed state and rules -> one plan for all rooms. Pure.

Stage 1 (matching.py) finds the record of each manifest. Stage 2 (live_steps.py) decides what the live side of
each room needs. guards.py blocks unsafe removals, and defers what would disconnect people.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Final

from controller.access.people import people_to_wait_for
from controller.manifests.snapshot import ManifestRoom
from controller.plan.fields import adoption_disruption, disruption, drift
from controller.plan.guards import apply_guards, guarded_rooms, people_inside
from controller.plan.live_steps import PlanContext, Step, coming_close, live_steps
from controller.plan.maintenance import plan_chores
from controller.plan.matching import Match, Matching, match
from controller.plan.metadata import has_mark
from controller.plan.model import (
    Action,
    Adopt,
    Close,
    Create,
    Deferrable,
    DeleteRetiredRoom,
    Heal,
    Holdable,
    Observed,
    Plan,
    PlanInputs,
    Recreate,
    Remove,
    Repair,
    RestoreRecord,
    RoomChange,
    Update,
)
from controller.plan.moves import find_moves, with_moves
from controller.plan.ownership import classify_rooms, without_impostors
from controller.plan.unusable import claims, notes, restorations
from controller.records.record import Hold, Origin, RoomRecord
from controller.room import (
    Disruption,
    FieldChange,
    RoomSpec,
    field_changes,
    redact_key,
)

REMOVED: Final = "manifest deleted, id and links end until the key comes back"
SECOND_FILE: Final = "the recording goes on in a second file"


def make_plan(observed: Observed, inputs: PlanInputs) -> Plan:
    """Everything that a pass should do, ordered by key.

    Only some changes depend on who is inside: plan once, read the rooms in `names_to_check` of that draft,
    and plan again with those people. A room whose people are not known counts as occupied.
    """
    observed = without_impostors(observed)
    owners = classify_rooms(observed, inputs)
    claimed = claims(observed, inputs.id_key)
    restored = {each.damaged.record.id: each for each in restorations(observed, claimed)}
    matching = _match(observed, inputs, claimed)
    context = PlanContext(observed, owners, inputs)
    needs = [_with_hold(need, context) for need in _needs(matching, context)]
    needs += map(_restoration, restored.values())
    planned = [_change(need, observed) for need in sorted(needs, key=lambda need: need.key)]
    guarded = apply_guards(planned, matching, observed, inputs)
    changes = with_moves(guarded, find_moves(guarded))
    adopted = {action.name for change in changes for action in change.actions if isinstance(action, Adopt)}
    orphans = owners.orphans - adopted
    rooms = len(matching.matches) + len(matching.untouched) + len(matching.gone) + len(observed.unusable)
    return Plan(
        changes=changes,
        chores=tuple(plan_chores(observed, inputs, matching, orphans)),
        orphans=orphans,
        invalid=matching.errors,
        stale=matching.stale,
        guarded=guarded_rooms(changes, observed),
        unchanged=rooms - len(changes),
        revision=observed.desired.revision,
        commit=observed.desired.history.head,
        notes=(*notes(observed, restored), *adoption_notes(matching)),
        changes_at=_next_change(matching, inputs),
    )


def _next_change(matching: Matching, inputs: PlanInputs) -> datetime | None:
    """When open hours change a room next."""
    specs = chain(
        (each.manifest.spec for each in matching.matches), (each.spec for each in matching.untouched)
    )
    changes = (spec.next_change(inputs.now) for spec in specs if spec.opens or spec.closes)
    return min((change for change in changes if change is not None), default=None)


def _match(observed: Observed, inputs: PlanInputs, claimed: Mapping[str, ManifestRoom]) -> Matching:
    """Stage 1 for the rooms with a usable record."""
    desired = observed.desired
    if claimed:
        theirs = {manifest.key for manifest in claimed.values()}
        desired = replace(desired, rooms={k: m for k, m in desired.rooms.items() if k not in theirs})
    withheld = [each.record for each in observed.unusable.values()]
    return match(desired, observed.records, inputs.id_key, withheld)


def names_to_check(plan: Plan, *, everyone: bool = False) -> frozenset[str]:
    """The live rooms for which it matters who is inside; `everyone`: all rooms that change."""
    return frozenset(
        change.live_name
        for change in plan.changes
        if change.live_name is not None and not any(isinstance(action, Heal) for action in change.actions)
        if everyone or _may_be_deferred(change)
    )


def _may_be_deferred(change: RoomChange) -> bool:
    """Who is inside matters to nothing that a hold or a guard blocks."""
    blocked = None if change.blocked_by is None else Remove
    waiting = (action for action in change.actions if blocked is None or not isinstance(action, blocked))
    return change.hold is None and any(map(_waits_for_empty_room, waiting))


def _waits_for_empty_room(action: Action) -> bool:
    return isinstance(action, Deferrable) and not (isinstance(action, Close) and action.later)


@dataclass(frozen=True, slots=True)
class _Need:
    """A room that differs from its spec, and the first steps to correct it."""

    key: str
    id: str
    spec: RoomSpec
    record: RoomRecord | None
    steps: tuple[Step, ...]
    hold: Hold | None = None


def _with_hold(need: _Need, context: PlanContext) -> _Need:
    """A held room is served as its record has it; what else it needs waits, last in order."""
    record, inputs = need.record, context.inputs
    if record is None or record.removed:
        return need
    waiting = [step for step in need.steps if isinstance(step[0], Holdable)]
    hold = record.hold_at(inputs.now, inputs.hold_all) if waiting else None
    if hold is None:
        return need
    served = (
        step
        for step in live_steps(context, record.id, record.spec, record)
        if not isinstance(step[0], Holdable)
    )
    return replace(need, steps=(*served, *waiting), hold=hold)


def _needs(matching: Matching, context: PlanContext) -> Iterator[_Need]:
    for matched in matching.matches:
        spec, record = matched.manifest.spec, matched.record
        alive = record if record is not None and not record.removed else None
        adopt = matched.manifest.adopt if alive is None or alive.adopted is None else None
        on_live = live_steps(context, matched.id, spec, alive, adopt)
        if steps := (*_follow_manifest(matched), *on_live, *coming_close(spec, alive, context)):
            yield _Need(matched.manifest.key, matched.id, spec, record, steps)
    for record in matching.untouched:
        if steps := tuple(live_steps(context, record.id, record.spec, record)):
            yield _Need(record.key, record.id, record.spec, record, steps)
    for record in matching.gone:
        live = live_steps(context, record.id, record.spec, record)
        # what it needs while its removal is blocked; it is not replaced any more
        serve = [step for step in live if not isinstance(step[0], Recreate)]
        yield _Need(record.key, record.id, record.spec, record, (*serve, (Remove(), REMOVED)))


def adoption_notes(matching: Matching) -> Iterator[str]:
    """A line for each live room whose manifest names a room to adopt, and that never adopted one."""
    for matched in matching.matches:
        adopt, record = matched.manifest.adopt, matched.record
        if adopt is not None and record is not None and record.live is not None and record.adopted is None:
            yield f"{matched.manifest.key}: `adopt:` has no effect, the room is live already; remove the line"


def _restoration(action: RestoreRecord) -> _Need:
    """Everything else for this room is planned once its record can be used."""
    record = action.damaged.record
    wanted = action.manifest or record
    step = (action, f"damaged record: {action.damaged.problem}")
    return _Need(wanted.key, record.id, wanted.spec, None, (step,))


def _follow_manifest(matched: Match) -> tuple[Step, ...]:
    """Stage 1: change the record to its manifest."""
    manifest, record = matched.manifest, matched.record
    if record is None:
        return ((Create(manifest, matched.id), "manifest added"),)
    if record.removed:
        return ((Create(manifest, matched.id), "manifest added again"),)
    if record.key != manifest.key:
        is_of_api = record.origin is Origin.API
        room = (
            f"the room {redact_key(record.key)} of the API" if is_of_api else "an existing room with this id"
        )
        return ((Update(manifest), f"takes over {room}"),)
    if record.spec is not manifest.spec and record.spec != manifest.spec:
        return ((Update(manifest), _what_changed(record, manifest.spec)),)
    if record.file != manifest.file:
        return ((Update(manifest), "manifest moved to another file"),)
    return ()


def _what_changed(record: RoomRecord, spec: RoomSpec) -> str:
    """A new layout needs a new file, even if the room is empty."""
    is_recorded = record.recording is not None and spec.record and spec.active
    if not is_recorded or spec.record_mode is record.spec.record_mode:
        return "manifest changed"
    alone = record.spec == spec.model_copy(update={"record_mode": record.spec.record_mode})
    return SECOND_FILE if alone else f"manifest changed; {SECOND_FILE}"


def _change(need: _Need, observed: Observed) -> RoomChange:
    record, actions = need.record, tuple(action for action, _ in need.steps)
    created = any(isinstance(action, Create) for action in actions)
    restored = any(isinstance(action, RestoreRecord) for action in actions)
    fields = () if restored else field_changes(None if created or record is None else record.spec, need.spec)
    live_name = _live_name(actions, record)
    people = people_inside(live_name, observed)
    waits = people is None or _has_people_to_wait_for(live_name, actions, observed)
    return RoomChange(
        key=need.key,
        id=need.id,
        name=need.spec.name,
        actions=actions,
        reason="; ".join(_reasons(need)),
        record=record,
        hold=need.hold,
        fields=fields,
        disruption=_disruption(actions, fields, need.spec, live_name, observed),
        live_name=live_name,
        participants=people.seats if people is not None else 0,
        ingress=people.ingress if people is not None else 0,
        # a room that was not read may not be empty
        deferred=waits and need.hold is None and any(map(_waits_for_empty_room, actions)),
    )


def _has_people_to_wait_for(name: str | None, actions: Sequence[Action], observed: Observed) -> bool:
    """Whether somebody inside makes these actions wait."""
    removal = any(isinstance(action, Remove) for action in actions)
    room, inside = observed.live.get(name or ""), observed.people.get(name or "", ())
    return room is not None and people_to_wait_for(room, inside, removal=removal) > 0


def _reasons(need: _Need) -> Iterator[str]:
    """Why, for each action; metadata that an update makes out of date is no reason of its own.

    Nor is that of a room that is adopted.
    """
    updated = need.hold is None and any(isinstance(action, Update | Adopt) for action, _ in need.steps)
    return (why for action, why in need.steps if not (updated and isinstance(action, Repair)))


def _disruption(
    actions: Sequence[Action],
    fields: Sequence[FieldChange],
    spec: RoomSpec,
    live_name: str | None,
    observed: Observed,
) -> Disruption:
    """The effect on the people inside, of the change and of what the live room still lacks of it."""
    live = observed.live.get(live_name or "")
    if live is None:
        return disruption(actions, fields)
    if has_mark(live.metadata) or not any(isinstance(action, Adopt) for action in actions):
        return disruption(actions, (*fields, *drift(live.metadata, spec)))
    adopted = adoption_disruption(live, observed.people.get(live.name, ()), spec)
    return Disruption.worst((disruption(actions, fields), adopted))


def _live_name(actions: Sequence[Action], record: RoomRecord | None) -> str | None:
    """The live room of the actions."""
    adopted = next((action.name for action in actions if isinstance(action, Adopt)), None)
    current = record.live.name if record is not None and record.live is not None else None
    given_up = next((action.name for action in actions if isinstance(action, DeleteRetiredRoom)), None)
    return adopted or current or given_up
