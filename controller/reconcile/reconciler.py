"""The reconciler: observe, plan, apply, write status. Level-triggered: the trigger does not matter.

One pass reads and plans everything, then starts a task for each room that needs one (task_runner.py) without
waiting for it. What fails is planned again, after its own backoff.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from controller.access.people import people_in, unlisted
from controller.clock import CLOCK_LIMIT_SECONDS, Clock
from controller.errors import LiveKitError
from controller.live.webhook import WebhookEvent
from controller.logs import get_logger
from controller.manifests.snapshot import Desired, RoomsDirState
from controller.plan.model import BlockReason, CheckOccupancy, EnforcePermissions, Observed, Plan, PlanInputs
from controller.plan.planner import make_plan, names_to_check
from controller.reconcile.companion_runner import CompanionRunner
from controller.reconcile.observe import StateObserver
from controller.reconcile.peers import Peers
from controller.reconcile.task_runner import TaskRunner
from controller.reconcile.trackers import AbsenceTracker, Audit, Demands, OrphanTracker, names_to_count
from controller.reconcile.triggers import Triggers
from controller.reconcile.webhooks import (
    WatchedRooms,
    needs_companion_check,
    needs_occupancy_check,
    needs_pass,
    needs_permission_check,
)
from controller.records.ports import Lease, RecordReader, RemovalApproval, RemovalApprovals
from controller.records.record import IdentityRule, RoomRecord

EMPTY_PLAN_TTL_SECONDS: Final = 60.0
"""How long an empty plan is kept if only time could change it."""

RECHECK_OCCUPANCY_SECONDS: Final = 2.0
"""Seconds until the next check whether the last person has left: the number of people lags by four."""

_DIFFERS: Final = "bring both replicas to one revision; after 5 minutes this one follows its own manifests"

log = get_logger()


@dataclass(frozen=True, slots=True)
class _EmptyPlan:
    """An empty plan, and the observed state that it was made for."""

    observed: Observed
    plan: Plan
    until: float


@dataclass(slots=True)
class Planner:
    """Plans for the observed state, with the state of earlier passes.

    `inputs` holds what never changes; each plan fills in the rest. `unsure`: the last plan defers something
    for people whom a room counts but does not list; mostly they have just left.
    """

    inputs: PlanInputs
    observer: StateObserver
    records: RecordReader
    approvals: RemovalApprovals
    clock: Clock
    absence: AbsenceTracker = field(default_factory=AbsenceTracker)
    orphans: OrphanTracker = field(default_factory=OrphanTracker)
    demands: Demands = field(default_factory=Demands)
    unsure: bool = False
    _empty_plan: _EmptyPlan | None = None
    _approval: RemovalApproval | None = None
    _approval_known: bool = False

    async def plan(
        self,
        observed: Observed,
        *,
        everyone: bool = False,
        approved_removals: frozenset[str] = frozenset(),
    ) -> Plan:
        """The plan; reads the participants of rooms where they matter. The same object while nothing changes.

        `everyone`: of each room that changes, for a plan that is shown. Writes nothing.
        """
        now = self.clock.monotonic()
        last, wanted = self._empty_plan, self.demands.unfulfilled(self._is_live, now)
        if last is not None and not wanted and self._is_valid(last, now) and observed == last.observed:
            return last.plan
        plan = await self._fresh(observed, approved_removals, wanted, everyone=everyone)
        idle = plan.empty and not plan.chores and not plan.orphans
        self._empty_plan = _EmptyPlan(observed, plan, now + EMPTY_PLAN_TTL_SECONDS) if idle else None
        return plan

    def _is_valid(self, last: _EmptyPlan, now: float) -> bool:
        """Whether time has changed nothing since."""
        changes_at = last.plan.changes_at
        return now < last.until and (changes_at is None or self.clock.wall() < changes_at)

    def _is_live(self, room_id: str) -> bool:
        record = self.records.by_id.get(room_id)
        return record is not None and self.observer.state.live_room(record) is not None

    async def _fresh(
        self,
        observed: Observed,
        approved_removals: frozenset[str],
        wanted: frozenset[str],
        *,
        everyone: bool,
    ) -> Plan:
        inputs = replace(
            self.inputs,
            store=self.records.identity.store,
            now=self.clock.wall(),
            approved_removals=approved_removals,
            hold_all=self.records.hold_all,
            missing_for_seconds=self.absence.missing_for_seconds(self.clock.monotonic()),
            ripe_orphans=self.orphans.ripe(),
            wanted=wanted,
            clock_is_right=abs(self.observer.state.clock_ahead_s or 0.0) <= CLOCK_LIMIT_SECONDS,
        )
        draft = make_plan(observed, inputs)
        if any(change.blocked_by in (BlockReason.TOO_MANY, BlockReason.EMPTY) for change in draft.changes):
            approved = approved_removals | await self._read_approved_removals(inputs.now)
            inputs = replace(inputs, approved_removals=approved)
            draft = make_plan(observed, inputs)
        names = names_to_check(draft, everyone=everyone)
        people = await self.observer.people(names) if names else {}
        plan = make_plan(replace(observed, people=people), inputs) if names else draft
        self.unsure = any(
            unlisted(observed.live.get(change.live_name), people.get(change.live_name, ()))
            for change in plan.changes
            if change.deferred and change.live_name is not None
        )
        return plan

    async def _read_approved_removals(self, now: datetime) -> frozenset[str]:
        """The rooms whose removal `apply --allow-removals` approved, while that is valid."""
        approval = await self.approvals.removal_approval()
        self._approval, self._approval_known = approval, True
        return approval.keys if approval is not None and approval.expires > now else frozenset()

    async def consume_removal_approval(self, plan: Plan, observed: Observed) -> None:
        """Delete the approval once none of its rooms is missing any more: removed, or restored."""
        if observed.desired.state not in (RoomsDirState.OK, RoomsDirState.EMPTY):
            return
        if not self._approval_known:  # an earlier controller may have used it and died
            await self._read_approved_removals(self.clock.wall())
        if self._approval is not None and not self._approval.keys & plan.missing:
            await self.approvals.consume_removal_approval()
            self._approval = None

    def remember(self, plan: Plan, observed: Observed) -> float | None:
        """Update since when manifests are missing; in how many seconds a removal becomes due."""
        now = self.clock.monotonic()
        refused = {change.blocked_by for change in plan.changes}
        counts = observed.desired.state is RoomsDirState.OK and BlockReason.UNREAD_MANIFEST not in refused
        self.absence.observe(plan.missing, counts=counts, now=now)
        due = self.absence.next_due(now)
        return due - now if due is not None and BlockReason.NOT_YET in refused else None

    def on_standby(self) -> None:
        """Another controller is active: waiting for missing manifests starts again when we lead."""
        self.absence.observe((), counts=False, now=self.clock.monotonic())
        self._approval_known = False

    async def check_orphans(self, plan: Plan) -> None:
        """The first and the second check of orphans."""
        now = self.clock.monotonic()
        names = self.orphans.due_for_check(plan.orphans, now)
        for name, people in (await self.observer.people(names)).items():
            self.orphans.observe(name, people_in(self.observer.state.live.get(name), people), now)


@dataclass(slots=True)
class Reconciler:
    """Keeps rooms as their specs describe them, while it holds the lease.

    `desired` is the last snapshot of rooms.d.
    """

    planner: Planner
    task_runner: TaskRunner
    companions: CompanionRunner
    lease: Lease
    triggers: Triggers
    peers: Peers
    desired: Desired | None = None
    _guards: frozenset[BlockReason] = frozenset()
    _kicks: Mapping[str, tuple[IdentityRule, ...]] = field(default_factory=dict)
    _kicks_of: Mapping[str, RoomRecord] | None = None
    _watched: WatchedRooms = field(default_factory=WatchedRooms)
    _audit: Audit = field(default_factory=Audit)

    async def reconcile(self, *, read_files: bool, audit: bool = False) -> Plan | None:
        """One pass; None while another holds the lease. Raises LiveKitError's and StoreError's kinds.

        When it returns, the tasks of the plan run. `audit`: check permissions in occupied rooms, and in all
        whose policy changed recently; otherwise only in rooms that were queued for it.
        """
        try:
            observed = await self.planner.observer.observe(None if read_files else self.desired)
        except LiveKitError as error:
            if self.lease.held:
                self.companions.on_livekit_unavailable(error)
            raise
        self.desired, now = observed.desired, self.planner.clock.monotonic()
        self.peers.observe_revision(observed.desired.revision, now)
        if not self.lease.held:
            self.planner.observer.state.record_withheld_manifests(False)
            self.planner.on_standby()
            self.companions.on_standby()
            return None
        observed = self._withhold_manifests(observed, now)
        plan = await self.planner.plan(observed)
        await self.planner.consume_removal_approval(plan, observed)
        self._watched = self._watched_rooms(plan)
        if (due := self.planner.remember(plan, observed)) is not None:
            self.triggers.files_later(due)
        if self.planner.unsure:
            self.triggers.later(RECHECK_OCCUPANCY_SECONDS)
        if plan.changes_at is not None:
            self.triggers.later((plan.changes_at - self.planner.clock.wall()).total_seconds())
        self._log_blocked(plan)
        self._start_occupancy_checks(observed, audit=audit)
        self._start_permission_checks(observed, audit=audit)
        self.task_runner.start_changes(plan, check_permissions=audit)
        await self.companions.run_pass(observed, audit=audit)
        self.task_runner.start_statuses(plan, observed.records)
        await self.planner.check_orphans(plan)
        return plan

    async def write_statuses(self, plan: Plan) -> None:
        """Write the outdated statuses of `plan`, and wait until they are written."""
        self.task_runner.start_statuses(plan, self.planner.records.by_id)
        await self.task_runner.wait_until_idle()

    def want(self, room_id: str) -> None:
        """Somebody asks for the room: if it is live on demand, it is made soon."""
        self.planner.demands.put(room_id, self.planner.clock.monotonic())
        self.triggers.wake()

    def on_webhook(self, event: WebhookEvent) -> None:
        """A verified webhook: wakes the loop if it may need work."""
        live = self.planner.observer.state.live
        if not self.lease.held:
            return
        if needs_permission_check(event, live, self._watched):
            self.triggers.permission_checks.put(event.room)
        elif needs_pass(event, live, self._watched):
            self.triggers.wake()
        if needs_occupancy_check(event, live, self._watched):
            self.triggers.occupancy_checks.put(event.room)
        if needs_companion_check(event, live, self._watched):
            self.triggers.companion_checks.put(event.room)

    def _start_occupancy_checks(self, observed: Observed, *, audit: bool) -> None:
        """Check who is inside the queued rooms that are live on demand, and at an audit the newest ones."""
        by_live, queued = self.planner.records.by_live, self.triggers.occupancy_checks.drain()
        if audit:
            queued |= names_to_count(by_live, observed.live)
        for name in queued:
            record = by_live.get(name)
            if record is None or not record.spec.is_on_demand:
                continue
            if not self.task_runner.start_maintenance(CheckOccupancy(record), again=True):
                self.triggers.occupancy_checks.keep(name)

    def _start_permission_checks(self, observed: Observed, *, audit: bool) -> None:
        """Check the queued rooms, and at an audit some of the occupied ones."""
        if queued := self.triggers.permission_checks.drain() | self._newly_kicked(observed):
            for name in queued:
                record = self.planner.records.by_live.get(name)  # read now, to include new ones
                if record is None or not record.should_be_live:
                    continue
                if not self.task_runner.start_maintenance(EnforcePermissions(record), again=True):
                    self.triggers.permission_checks.keep(name)
        if audit:
            for record in self._audit.choose(self.planner.records.by_live, observed.live):
                self.task_runner.start_maintenance(EnforcePermissions(record))

    def _newly_kicked(self, observed: Observed) -> frozenset[str]:
        """The live names of rooms whose kicks changed since the last pass."""
        if observed.records is self._kicks_of:
            return frozenset()
        self._kicks_of = observed.records
        before, self._kicks = self._kicks, {r.id: r.kicked for r in observed.records.values() if r.kicked}
        changed = (observed.records[each] for each, kicks in self._kicks.items() if before.get(each) != kicks)
        return frozenset(record.live.name for record in changed if record.live is not None)

    def _withhold_manifests(self, observed: Observed, now: float) -> Observed:
        """Withhold our manifests if another replica may have newer ones (docs/availability.md#revisions)."""
        state, other = self.planner.observer.state, self.peers.other_revision(now)
        if other is not None and not state.manifests_withheld:
            reason = "RevisionDiffers"
            log.warning("manifest changes withheld", reason=reason, replica=str(other), hint=_DIFFERS)
        state.record_withheld_manifests(other is not None)
        return observed if other is None else replace(observed, desired=observed.desired.withheld())

    def _log_blocked(self, plan: Plan) -> None:
        """Logged once, when a guard begins to block removals."""
        counts = Counter(plan.guarded.values())
        for guard in counts.keys() - self._guards:
            hint = guard.message(len(plan.missing))
            log.warning("removals blocked", reason=str(guard), room_count=counts[guard], hint=hint)
        self._guards = frozenset(counts)

    def _watched_rooms(self, plan: Plan) -> WatchedRooms:
        checks = (chore for chore in plan.chores if isinstance(chore, EnforcePermissions))
        enforced = {check.record.live.name for check in checks if check.record.live is not None}
        changing = {change.live_name for change in plan.changes if change.live_name is not None}
        return WatchedRooms(
            ours=self.planner.records.by_live,
            people=frozenset(enforced | changing),
            serves=self.companions.concern,
            instance=self.planner.inputs.owner.instance,
        )
