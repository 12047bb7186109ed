"""plan and apply: observes once, and converges once in the foreground."""

import asyncio
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from controller.app import Process, build_controller, build_planner, silent
from controller.connect import connect_store, connection
from controller.errors import LeaseHeldError, RemovalNotApprovedError, RoomsDirError
from controller.manifests.snapshot import Desired, RoomsDirState
from controller.plan.model import FinalizeApiRemoval, Observed, Plan, RoomChange
from controller.plan.saved import LeftOut, SavedPlan, restrict
from controller.reconcile.reconciler import RECHECK_OCCUPANCY_SECONDS, Planner
from controller.reconcile.task_runner import Progress
from controller.records import open_lease
from controller.records.ports import Lease, RemovalApproval, RemovalApprovals, RoomStore
from controller.room import redact_key
from controller.settings import Settings

LEASE_WAIT_SECONDS: Final = 15.0
REMOVAL_APPROVAL_TTL: Final = timedelta(minutes=15)
MAX_UNSURE_CHECKS: Final = 4
"""How often `apply` waits for people whom a room counts but does not list: mostly they have just left."""
MAX_APPLY_ROUNDS: Final = 5
"""How often `apply` plans again for rooms that still differ from their spec."""


async def make_plan(settings: Settings) -> tuple[Plan, str]:
    """What `apply` would do now, and the id of the database. Changes nothing.

    RoomctlError if it cannot be determined.
    """
    async with connection(settings) as live, connect_store(settings, verb="plan", read_only=True) as store:
        plans = build_planner(Process.create(settings, live, store), store)
        return await _planned(plans), store.identity.store


async def _planned(plans: Planner) -> Plan:
    return await plans.plan(await _observed(plans), everyone=True)


async def _observed(plans: Planner) -> Observed:
    """The observed state. RoomsDirError if rooms.d cannot be read."""
    observed = await plans.observer.observe(None)
    desired = observed.desired
    if desired.state in (RoomsDirState.MISSING, RoomsDirState.UNREADABLE):
        raise RoomsDirError(f"rooms.d is {desired.state}: {desired.problem}")
    return observed


@dataclass(frozen=True, slots=True)
class ApplyReport:
    """The result of `apply`: its first plan, failures by key, and what it did not do on purpose.

    `left_out` is what a saved plan does not allow.
    `granted` are the keys whose removal was approved for a running controller. `confirmed` is False if the
    user declined.
    """

    plan: Plan
    failed: Mapping[str, str] = field(default_factory=dict)
    left: tuple[RoomChange, ...] = ()
    granted: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    confirmed: bool = True


async def apply(
    settings: Settings,
    *,
    confirm: Callable[[Plan], bool],
    progress: Progress = silent,
    allow_removals: int | None = None,
    saved: Callable[[str], SavedPlan] | None = None,
) -> ApplyReport:
    """Converge in the foreground. LeaseHeldError while another controller is active on the same records.

    With `allow_removals` the removals are approved for the controller that is running (docs/cli.md#apply),
    or RemovalNotApprovedError is raised. `saved` reads a saved plan for the database with this id: only
    what that plan has, too, is done.
    """
    async with connection(settings) as live, connect_store(settings, verb="apply", read_only=False) as store:
        process = Process.create(settings, live, store)
        async with open_lease(store) as lease:
            allowed = None if saved is None else saved(store.identity.store)
            try:
                await lease.acquire(LEASE_WAIT_SECONDS)
            except LeaseHeldError as held:
                if allow_removals is None:
                    raise
                plan = await _planned(build_planner(process, store))
                if len(plan.missing) > allow_removals:
                    raise RemovalNotApprovedError(held.holder, sorted(plan.missing), allow_removals) from None
                if allowed is not None:
                    plan, _ = restrict(plan, allowed)
                return await _grant(plan, store, process, confirm)
            store.invalidate()
            foreground = _Foreground(process, store, lease, progress)
            plan = await foreground.plan(allow_removals)
            plan, left_out = (plan, ()) if allowed is None else restrict(plan, allowed)
            if not plan.empty:
                await lease.release()  # others need not wait for the user's answer
                if not confirm(plan):
                    return ApplyReport(plan, confirmed=False)
                await lease.acquire(LEASE_WAIT_SECONDS)
            async with process.events.written_to(store):
                report = await foreground.converge(plan, allowed)
                return replace(report, left_out=(*left_out, *report.left_out))


async def _grant(
    plan: Plan, approvals: RemovalApprovals, process: Process, confirm: Callable[[Plan], bool]
) -> ApplyReport:
    """Record an approval for the rooms that are missing now, for the active controller."""
    if not confirm(plan):
        return ApplyReport(plan, confirmed=False)
    await approvals.grant_removal_approval(
        RemovalApproval(plan.missing, process.clock.wall() + REMOVAL_APPROVAL_TTL)
    )
    return ApplyReport(plan, granted=tuple(sorted(plan.missing)))


class _Foreground:
    """`apply`: one confirmed plan, applied in rounds, with a new plan after each, until nothing is due."""

    def __init__(self, process: Process, store: RoomStore, lease: Lease, progress: Progress) -> None:
        self._failed: dict[str, str] = {}
        self._report_progress = progress
        self._parts = build_controller(process, store, lease, self._progress)
        self._approved: frozenset[str] = frozenset()
        self._confirmed: Desired | None = None

    def _progress(self, key: str, word: str, outcome: str) -> None:
        if outcome == "done":
            self._failed.pop(key, None)
        else:
            self._failed[key] = outcome
        self._report_progress(key, word, outcome)

    async def plan(self, allow_removals: int | None) -> Plan:
        """The plan, with an approval for the rooms that are missing now, if they are few enough.

        A room counts people for some seconds after they have left. No later pass follows, so it waits.
        """
        for _ in range(MAX_UNSURE_CHECKS):
            plan = await self._plan(allow_removals)
            if not self._parts.planner.unsure:
                return plan
            await asyncio.sleep(RECHECK_OCCUPANCY_SECONDS)
        return await self._plan(allow_removals)

    async def _plan(self, allow_removals: int | None) -> Plan:
        plans = self._parts.planner
        observed = await _observed(plans)
        self._confirmed = observed.desired
        plan = await plans.plan(observed, everyone=True)
        if allow_removals is None or len(plan.missing) > allow_removals:
            return plan
        self._approved = plan.missing
        return await plans.plan(observed, everyone=True, approved_removals=self._approved)

    async def converge(self, plan: Plan, allowed: SavedPlan | None) -> ApplyReport:
        """Rounds for only the rooms of `plan`, with its snapshot of rooms.d, until nothing is due.

        `allowed`: a saved plan to keep to, also where something has changed since the confirmation, or
        changes between two rounds.
        """
        now, left_out = plan, tuple[LeftOut, ...]()
        if allowed is not None:
            now, left_out = restrict(await self._plan_again(_ids(plan), everyone=True), allowed)
        confirmed = _ids(now)
        for _ in range(MAX_APPLY_ROUNDS):
            self._parts.task_runner.start_changes(now)
            await self._parts.task_runner.wait_until_idle()
            self._parts.task_runner.reset_backoff()
            now, left = await self._plan_again(confirmed, everyone=allowed is not None), tuple[LeftOut, ...]()
            if allowed is not None:
                now, left = restrict(now, allowed, again=True)
            await self._parts.reconciler.write_statuses(now)
            if not any(change.due for change in now.changes) and not _removals_by_api(now):
                break
        left_out = (*left_out, *left)
        self._failed |= {
            change.key: f"not converged after {MAX_APPLY_ROUNDS} rounds; "
            f"see `roomctl get {redact_key(change.key)} -o yaml`"
            for change in now.changes
            if change.due and change.key not in self._failed
        }
        self._failed |= dict.fromkeys(
            _removals_by_api(now), "removed over the API, but its LiveKit room still exists"
        )
        return ApplyReport(plan, dict(self._failed), tuple(now.held_back), left_out=left_out)

    async def _plan_again(self, rooms: AbstractSet[str], *, everyone: bool) -> Plan:
        """What is still to do for these rooms."""
        planner = self._parts.planner
        observed = await planner.observer.observe(self._confirmed)
        plan = await planner.plan(observed, everyone=everyone, approved_removals=self._approved)
        return replace(plan, changes=tuple(change for change in plan.changes if change.id in rooms))


def _ids(plan: Plan) -> AbstractSet[str]:
    return frozenset(change.id for change in plan.changes)


def _removals_by_api(plan: Plan) -> list[str]:
    """The keys of rooms that were removed by API and still have a LiveKit room."""
    return [chore.record.key for chore in plan.chores if isinstance(chore, FinalizeApiRemoval)]
