"""The reconciler: observe, plan, act, say. Level-triggered: what woke it does not matter.

One pass looks at everything and plans everything, then gives each room that needs something to a task of
its own (task_runner.py) and waits for none of them. What fails is planned again, after a backoff of its own.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import structlog

from controller.errors import LiveError
from controller.live.room import people_in, unlisted
from controller.live.webhook import Hint
from controller.manifests.snapshot import Desired, RoomsDirState
from controller.plan.model import Enforce, Observed, Plan, Refusal, Rules
from controller.plan.planner import make_plan, names_to_look_at
from controller.reconcile.audit import Audit, is_restricted
from controller.reconcile.clock import Clock
from controller.reconcile.observe import Eyes
from controller.reconcile.recordings.recorder import Recorder
from controller.reconcile.status_writer import Speaker
from controller.reconcile.task_runner import Workshop
from controller.reconcile.trackers import Absence, Orphans
from controller.reconcile.triggers import Triggers, Watched, about_recording, matters, suspicious
from controller.records.ports import Lease, RemovalApproval, RoomStore
from controller.records.record import RoomRecord

QUIET_SECONDS: Final = 60.0
"""For how long a plan with nothing to do stands, where only the passing of time could change it."""

UNSURE_SECONDS: Final = 2.0
"""Seconds after which it is looked again whether the last has left: the number of people lags by four."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Quiet:
    """A plan with nothing to do, and the worlds it was made for."""

    observed: Observed
    plan: Plan
    until: float


@dataclass(slots=True)
class Planner:
    """Plans for what is observed, with what is remembered of earlier passes.

    `rules` holds what never changes; each plan fills in the rest. `unsure`: the last plan holds something
    back for people whom a room counts and nobody lists; mostly they have just left.
    """

    rules: Rules
    eyes: Eyes
    store: RoomStore
    clock: Clock
    absence: Absence = field(default_factory=Absence)
    orphans: Orphans = field(default_factory=Orphans)
    unsure: bool = False
    _quiet: _Quiet | None = None
    _leave: RemovalApproval | None = None
    _leave_known: bool = False

    async def plan(self, observed: Observed, *, everyone: bool = False) -> Plan:
        """The plan; looks inside the rooms where people decide. The very same one while nothing changes.

        `everyone`: inside each room that changes, for a plan that is shown to somebody. Writes nothing.
        """
        now = self.clock.monotonic()
        if self._quiet is not None and now < self._quiet.until and observed == self._quiet.observed:
            return self._quiet.plan
        plan = await self._fresh(observed, everyone=everyone)
        idle = plan.empty and not plan.chores and not plan.orphans
        self._quiet = _Quiet(observed, plan, now + QUIET_SECONDS) if idle else None
        return plan

    async def _fresh(self, observed: Observed, *, everyone: bool) -> Plan:
        rules = replace(
            self.rules,
            store=self.store.identity.store,
            now=self.clock.wall(),
            gone_for=self.absence.gone_for(self.clock.monotonic()),
            ripe_orphans=self.orphans.ripe(),
        )
        draft = make_plan(observed, rules)
        if any(change.refused in (Refusal.TOO_MANY, Refusal.EMPTY) for change in draft.changes):
            rules = replace(rules, leave=rules.leave | await self._leave_keys(rules.now))
            draft = make_plan(observed, rules)
        names = names_to_look_at(draft, everyone=everyone)
        people = await self.eyes.people(names) if names else {}
        plan = make_plan(replace(observed, people=people), rules) if names else draft
        self.unsure = any(
            unlisted(observed.live.get(change.live_name), people.get(change.live_name, ()))
            for change in plan.changes
            if change.deferred and change.live_name is not None
        )
        return plan

    async def _leave_keys(self, now: datetime) -> frozenset[str]:
        """The rooms that `apply --allow-removals` gave leave to remove, while that is good."""
        self._leave, self._leave_known = await self.store.removal_approval(), True
        return self._leave.keys if self._leave is not None and self._leave.expires > now else frozenset()

    async def spend_leave(self, plan: Plan, observed: Observed) -> None:
        """Leave is used once: it ends when none of its rooms is missing any more, gone or back."""
        if observed.desired.state not in (RoomsDirState.OK, RoomsDirState.EMPTY):
            return
        if not self._leave_known:  # a controller before us may have used it and died
            await self._leave_keys(self.clock.wall())
        if self._leave is not None and not self._leave.keys & plan.missing:
            await self.store.consume_removal_approval()
            self._leave = None

    def remember(self, plan: Plan, observed: Observed) -> float | None:
        """Take in what this plan says of absence; in how many seconds a removal becomes due."""
        now = self.clock.monotonic()
        refused = {change.refused for change in plan.changes}
        counts = observed.desired.state is RoomsDirState.OK and Refusal.SNAPSHOT not in refused
        self.absence.saw(plan.missing, counts=counts, now=now)
        due = self.absence.next_due(now)
        return due - now if due is not None and Refusal.NOT_YET in refused else None

    def stand_by(self) -> None:
        """Another is at work: whatever was missing meanwhile, the waiting begins anew when it is our turn."""
        self.absence.saw((), counts=False, now=self.clock.monotonic())
        self._leave_known = False

    async def look_at_orphans(self, plan: Plan) -> None:
        """The first and the second look at rooms that are ours and nobody knows."""
        now = self.clock.monotonic()
        names = self.orphans.to_look_at(plan.orphans, now)
        for name, people in (await self.eyes.people(names)).items():
            self.orphans.saw(name, people_in(self.eyes.known.live.get(name), people), now)


class Reconciler:
    """Makes rooms as their specs want them, and keeps them so, while it holds the lease."""

    def __init__(
        self,
        planner: Planner,
        workshop: Workshop,
        speaker: Speaker,
        recorder: Recorder,
        *,
        lease: Lease,
        triggers: Triggers,
    ) -> None:
        self._planner = planner
        self._eyes = planner.eyes
        self._workshop = workshop
        self._speaker = speaker
        self._recorder = recorder
        self._lease = lease
        self._triggers = triggers
        self._desired: Desired | None = None
        self._refused: frozenset[Refusal] = frozenset()
        self._watched = Watched()
        self._audit = Audit()

    @property
    def desired(self) -> Desired | None:
        """The last snapshot of rooms.d."""
        return self._desired

    async def turn(self, *, read_files: bool, audit: bool = False) -> Plan | None:
        """One pass; None while another holds the lease. Raises LiveError's and StoreError's kinds.

        What the plan wants is under way when this returns. `audit`: rooms that people are in are looked into,
        and all whose policy changed of late; else those alone that something made suspect.
        """
        try:
            observed = await self._eyes.observe(None if read_files else self._desired)
        except LiveError as error:
            if self._lease.held:
                self._recorder.blind(error)
            raise
        self._desired = observed.desired
        if not self._lease.held:
            self._planner.stand_by()
            self._recorder.stand_by()
            return None
        plan = await self._planner.plan(observed)
        await self._planner.spend_leave(plan, observed)
        self._watched = _watched(plan, observed, self._planner.rules.instance)
        if (due := self._planner.remember(plan, observed)) is not None:
            self._triggers.files_later(due)
        if self._planner.unsure:
            self._triggers.later(UNSURE_SECONDS)
        self._say_refused(plan)
        self._look_inside(observed, audit=audit)
        self._workshop.carry_out(plan, looks=audit)
        await self._recorder.turn(observed, audit=audit)
        self._speaker.speak(plan, observed.records, self._workshop.busy, self._workshop.start)
        await self._planner.look_at_orphans(plan)
        return plan

    async def say(self, plan: Plan) -> None:
        """The statuses that `plan` leaves to be said, and wait until they are."""
        self._speaker.speak(plan, self._planner.store.by_id, self._workshop.busy, self._workshop.start)
        await self._workshop.settled()

    def hint(self, hint: Hint) -> None:
        """A verified webhook: wakes the loop where it may mean work."""
        live = self._eyes.known.live
        if not self._lease.held:
            return
        if suspicious(hint, live, self._watched):
            self._triggers.suspect(hint.room)
        elif matters(hint, live, self._watched):
            self._triggers.wake()
        if about_recording(hint, live, self._watched):
            self._triggers.mark(hint.room)

    def _look_inside(self, observed: Observed, *, audit: bool) -> None:
        """The rooms that something made suspect, and at an audit a share of those that people are in."""
        if suspects := self._triggers.take_suspects():
            for record in self._planner.store.by_id.values():  # by now: one made since may be among them
                if record.live is not None and record.live.name in suspects and record.should_be_live:
                    self._look_into(record, record.live.name)
        if audit:
            for record in self._audit.choose(observed.records.values(), observed.live):
                self._workshop.begin(Enforce(record))

    def _look_into(self, record: RoomRecord, name: str) -> None:
        """A look that is under way may have missed what made the room suspect."""
        look = Enforce(record)
        if not self._workshop.begin(look):
            self._triggers.still_suspect(name)
            self._workshop.look_again(look)

    def _say_refused(self, plan: Plan) -> None:
        """Once, when a guard begins to hold removals back."""
        refused = frozenset(c.refused for c in plan.changes if c.refused is not None) - {Refusal.NOT_YET}
        for refusal in refused - self._refused:
            count = sum(change.refused is refusal for change in plan.changes)
            log.warning("removals held back", reason=str(refusal), rooms=count)
        self._refused = refused


def _watched(plan: Plan, observed: Observed, instance: str) -> Watched:
    current = [(record, record.live.name) for record in observed.records.values() if record.live is not None]
    enforced = {c.record.live.name for c in plan.chores if isinstance(c, Enforce) and c.record.live}
    changing = {change.live_name for change in plan.changes if change.live_name is not None}
    return Watched(
        ours=frozenset(name for _, name in current),
        people=frozenset(enforced | changing),
        restricted=frozenset(name for record, name in current if is_restricted(record)),
        recorded=frozenset(name for record, name in current if record.spec.record or record.recording),
        instance=instance,
    )
