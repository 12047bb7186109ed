"""What a change means, action by action: what is done at once and to whom, and what waits and for what. Pure.

The one source for every form of a plan: text, JSON and Markdown.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from controller.access.people import Headcount
from controller.plan.model import (
    Action,
    Close,
    Deferrable,
    DeleteRetiredRoom,
    Plan,
    Remove,
    Repair,
    RoomChange,
    Stop,
    Update,
    WaitsFor,
)
from controller.records.record import Status
from controller.room import Disruption, format_time

_DISCONNECTING: Final = Stop | Close | DeleteRetiredRoom


@dataclass(frozen=True, slots=True)
class Step:
    """Actions of one room that are done together: at once if `waits_for` is ().

    `wait` says in words what they wait for. `disruption` is what they do to the `participants` people inside,
    None if they were not counted.
    """

    actions: tuple[str, ...]
    waits_for: tuple[WaitsFor, ...]
    wait: str
    disruption: Disruption
    participants: int | None
    ingress: int = 0

    @property
    def effect(self) -> str:
        """What is done to the people inside, in words; '' for nothing."""
        if self.disruption is Disruption.NONE:
            return ""
        if self.participants is None:
            return f"{self.disruption} everybody inside"
        return f"{self.disruption} {Headcount(self.participants - self.ingress, self.ingress)}"

    @property
    def what(self) -> str:
        """`now: update` or `waits: recreate`."""
        return f"{'waits' if self.waits_for else 'now'}: {', '.join(self.actions)}"

    def __str__(self) -> str:
        """`now: update - restricts 3 participants`."""
        return " - ".join(filter(None, (self.what, self.effect, self.wait)))

    def as_dict(self) -> dict[str, Any]:
        """The step as JSON (docs/cli.md#plan--o-json)."""
        return {
            "actions": list(self.actions),
            "waits_for": list(map(str, self.waits_for)),
            "disruption": str(self.disruption),
            "participants": self.participants,
            **({"wait": self.wait} if self.wait else {}),
        }


def steps_of(change: RoomChange, plan: Plan) -> list[Step]:
    """The actions of the change by what they wait for; what is done at once is first."""
    groups: dict[tuple[WaitsFor, ...], list[Action]] = defaultdict(list)
    for action in change.actions:
        groups[_waits_for(change, action, plan)].append(action)
    return [_step(change, plan, waits_for, groups[waits_for]) for waits_for in sorted(groups, key=bool)]


def _waits_for(change: RoomChange, action: Action, plan: Plan) -> tuple[WaitsFor, ...]:
    """A room whose people are not known may be occupied."""
    unsure = not plan.people_known and change.live_name is not None and isinstance(action, Deferrable)
    return change.waits_for(action) or ((WaitsFor.EMPTY,) if unsure else ())


def effect_at_once(steps: Sequence[Step]) -> str | None:
    """The effect if all is done at once, so that one line says it; None if something waits."""
    return None if any(step.waits_for for step in steps) else "".join(step.effect for step in steps)


def _step(change: RoomChange, plan: Plan, waits_for: tuple[WaitsFor, ...], actions: list[Action]) -> Step:
    disruption = Disruption.worst(_disruption(change, action) for action in actions)
    return Step(
        actions=tuple(dict.fromkeys(str(action.action_name) for action in actions)),
        waits_for=waits_for,
        wait="; ".join(_wait(change, plan, each) for each in waits_for),
        disruption=disruption,
        participants=_affected(change, plan, disruption),
        ingress=change.ingress if _affected(change, plan, disruption) else 0,
    )


def _affected(change: RoomChange, plan: Plan, disruption: Disruption) -> int | None:
    if disruption is Disruption.NONE:
        return 0
    return change.participants if plan.people_known else None


def _wait(change: RoomChange, plan: Plan, wait: WaitsFor) -> str:
    match wait:
        case WaitsFor.HOLD:
            return f"held {change.hold}"
        case WaitsFor.GUARD | WaitsFor.GRACE:
            return f"blocked: {plan.block_message(change)}"
        case WaitsFor.EMPTY:
            return change.deferral if plan.people_known else "until the room is empty"
        case WaitsFor.TIME:
            return f"until {format_time(change.cut_off)}" if change.cut_off is not None else ""


def _disruption(change: RoomChange, action: Action) -> Disruption:
    """What this action alone does to the people inside."""
    if isinstance(action, _DISCONNECTING) or (isinstance(action, Remove) and change.ingress):
        return Disruption.DISCONNECTS
    if not isinstance(action, _policy_action(change)):
        return Disruption.NONE
    if any(isinstance(other, _DISCONNECTING) for other in change.actions):
        return Disruption.worst(field.disruption for field in change.fields)
    return change.disruption


def _policy_action(change: RoomChange) -> type[Action]:
    """The kind of action that brings a new policy to the people inside."""
    return Update if any(isinstance(action, Update) for action in change.actions) else Repair


def last_failure(change: RoomChange) -> str:
    """Why the last try failed, or is tried again later, as the room's status says; '' if nothing did."""
    status = change.record.status if change.record is not None else Status()
    ready, stalled = status.condition("Ready"), status.condition("Stalled")
    if ready is not None and ready.reason == "Failed":
        return ready.message
    return stalled.message if stalled is not None and stalled.status == "True" else ""
