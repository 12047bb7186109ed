"""roomctl status: the controller on one page. Reads only the database."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from controller.cli.checks import (
    CheckResult,
    about_clock,
    about_proxies,
    about_webhook,
    checks_code,
    fail,
    held,
    is_clock_wrong,
    last_webhook_age,
    ok,
    print_check,
    skip,
    warn,
)
from controller.cli.console import print_data
from controller.cli.flags import OUTPUT, with_settings
from controller.cli.leader import CONTROLLER_STALE_AFTER, Leader, leader_of
from controller.cli.rooms import RoomStatus, describe_database, select_rooms, statuses
from controller.connect import connect_store
from controller.manifests.snapshot import RoomsDirState
from controller.records.events import Event, EventType
from controller.records.ports import Holder, RoomStore
from controller.records.replicas import Replica
from controller.room import format_time, redact_key
from controller.settings import SettingGroup, Settings
from controller.text import format_age, pluralize

MAX_KEYS: Final = 5
MAX_ERRORS: Final = 3
"""Keys of rooms, or errors, shown in one line."""
FAILURES_OF: Final = timedelta(hours=1)

StatusFormat = Literal["table", "json"]


_KEPT: Final[Mapping[str, str]] = {
    "Guarded": "",
    "Held": "; to end it: roomctl release KEY, or --all",
    "Deferred": "",
}
"""The conditions of rooms for which something waits on purpose, and what to add to their message."""


@dataclass(frozen=True, slots=True)
class Overview:
    """What is shown at `now`. `database` is its address, `failures` are of the last hour."""

    leader: Leader
    replicas: Sequence[Replica]
    rooms: Sequence[RoomStatus]
    database: str
    failures: Sequence[Event]
    now: datetime

    @property
    def candidates(self) -> list[Replica]:
        """The other running replicas."""
        holder = self.leader.holder
        others = (each for each in self.replicas if holder is None or each.id != holder.id)
        return [each for each in others if self.now - each.written <= CONTROLLER_STALE_AFTER]

    def kept_by(self, kind: str) -> Mapping[tuple[str, str], list[str]]:
        """The keys of the rooms with a condition that blocks a change, by its reason and message."""
        rooms: dict[tuple[str, str], list[str]] = {}
        for room in self.rooms:
            condition = room.condition(kind)
            if condition is not None and condition.status == "True":
                rooms.setdefault((condition.reason, condition.message), []).append(
                    redact_key(room.record.key)
                )
        return rooms

    @property
    def conditions(self) -> Counter[tuple[str, str]]:
        """The number of rooms by type and status of conditions."""
        return Counter((c.type, c.status) for room in self.rooms for c in room.conditions)


@with_settings(SettingGroup.DATABASE)
async def status(settings: Settings, output: Annotated[StatusFormat, OUTPUT] = "table") -> int:
    """Show the controller, what it sees, and what needs attention.

    The exit code is 1 if something is wrong, else 3 if something is left as it is on purpose.
    """
    async with connect_store(settings, verb="status", read_only=True) as store:
        overview = await read_overview(store, describe_database(settings))
    checks = list(check(overview))
    if output == "json":
        print_data(json.dumps(as_dict(overview), indent=2, ensure_ascii=False))
    else:
        for result in checks:
            print_check(result)
    return checks_code(result.severity for result in checks)


async def read_overview(store: RoomStore, database: str) -> Overview:
    """Everything, read now. StoreError's kinds."""
    replicas = await store.replicas.all()
    leader = leader_of(await store.holder(), replicas)
    rooms = statuses(store, select_rooms(store, ())[0], leader)
    now = datetime.now(UTC)
    failures = await store.events.find(since=now - FAILURES_OF, types=[EventType.FAIL])
    return Overview(leader, replicas, rooms, database, failures, now)


def check(overview: Overview) -> Iterator[CheckResult]:
    """The lines in order. Pure."""
    me = overview.leader.replica
    yield _controller(overview)
    yield from (_candidate(each, me, overview.now) for each in overview.candidates)
    if me is not None:
        yield _rooms_dir(me, overview.now)
        yield _livekit(overview.leader, me, overview.now)
        yield about_clock(me.clock_ahead_s, "the controller's clock")
    yield ok("mongodb", overview.database)
    yield about_webhook(overview.replicas, overview.now)
    yield from about_proxies(overview.replicas, overview.now)
    yield _rooms(overview.conditions)
    if overview.failures:
        yield _failures(overview.failures)
    for kind, advice in _KEPT.items():
        for (reason, message), keys in overview.kept_by(kind).items():
            yield held(kind.lower(), f"{_named(keys)}: {reason}: {message}{advice}")


def _controller(overview: Overview) -> CheckResult:
    holder, me = overview.leader.holder, overview.leader.replica
    if holder is None:
        return fail("controller", "none has run yet; start it with `roomctl run`")
    seen = format_age((overview.now - holder.renewed).total_seconds())
    if holder.released or overview.leader.is_stale(overview.now):
        doubt = ", or its clock is wrong" if me is not None and is_clock_wrong(me.clock_ahead_s) else ""
        text = f"none is running{doubt}; last seen {seen} ago: {holder}; start it with `roomctl run`"
        return fail("controller", text)
    if me is None:
        return ok("controller", str(holder))
    up = format_age((overview.now - me.started).total_seconds())
    return ok("controller", f"{holder}, release {me.release}, running for {up}")


def _candidate(each: Replica, holder: Replica | None, now: datetime) -> CheckResult:
    age = each.aged(each.livekit_age_s, now)
    sees = "has not seen LiveKit" if age is None else f"saw LiveKit {format_age(age)} ago"
    text = f"{each}, release {each.release}, {sees}, revision {each.revision[:12] or 'not read yet'}"
    differs = holder is not None and each.revision and each.revision != holder.revision
    return warn("candidate", f"{text} (RevisionDiffers)") if differs else ok("candidate", text)


def _rooms_dir(me: Replica, now: datetime) -> CheckResult:
    commit = f", {me.commit.describe(now)}" if me.commit is not None else ""
    state = f"revision {me.revision[:12]}{commit}"
    if me.rooms_dir in (RoomsDirState.MISSING, RoomsDirState.UNREADABLE):
        return fail("rooms.d", f"{me.rooms_dir_problem}; to check it: roomctl doctor")
    if not me.revision:
        return skip("rooms.d", "not read yet; LiveKit and the database have to answer first")
    if me.manifests_withheld:
        return held(
            "rooms.d", f"RevisionDiffers: {state} waits for another replica; bring both to one revision"
        )
    if me.rooms_dir == RoomsDirState.EMPTY:
        return warn("rooms.d", f"no manifest, {state}")
    return ok("rooms.d", state)


def _livekit(leader: Leader, me: Replica, now: datetime) -> CheckResult:
    if leader.livekit_problem:
        return fail("livekit", leader.livekit_problem)
    age = me.aged(me.livekit_age_s, now)
    seen = "not listed yet" if age is None else f"listed {format_age(age)} ago"
    return fail("livekit", f"{seen}: {me.livekit_error}") if me.livekit_error else ok("livekit", seen)


def _rooms(conditions: Counter[tuple[str, str]]) -> CheckResult:
    wrong, unknown, ready = (conditions["Ready", status] for status in ("False", "Unknown", "True"))
    counts = f"{ready} ready, {wrong} not ready, {unknown} unknown"
    other = sorted((kind, n) for (kind, status), n in conditions.items() if _is_notable(kind, status))
    text = ", ".join([counts, *(f"{n} {kind}" for kind, n in other)])
    return fail("rooms", f"{text}; to list them: roomctl get") if wrong else ok("rooms", text)


def _failures(failures: Sequence[Event]) -> CheckResult:
    errors = Counter(event.error or event.reason for event in failures).most_common(MAX_ERRORS)
    counts = "; ".join(f"{error} ({pluralize(count, 'time')})" for error, count in errors)
    return warn("errors", f"in the last hour: {counts}; to list them: roomctl events --since 1h --type fail")


def _is_notable(kind: str, status: str) -> bool:
    return status == "True" and kind in ("Deferred", "Guarded", "Held", "Stalled", "Recording", "Agents")


def _named(keys: Sequence[str]) -> str:
    more = len(keys) - MAX_KEYS
    names = ", ".join([*keys[:MAX_KEYS], *([f"{more} more"] if more > 0 else [])])
    return f"{pluralize(len(keys), 'room')} ({names})"


def as_dict(overview: Overview) -> dict[str, Any]:
    """The document of `status -o json`."""
    conditions: dict[str, dict[str, int]] = {}
    for (kind, status), count in sorted(overview.conditions.items()):
        conditions.setdefault(kind, {})[status] = count
    holder, me = overview.leader.holder, overview.leader.replica
    return {
        "version": 1,
        "running": holder is not None and not holder.released and not overview.leader.is_stale(overview.now),
        "holder": None if holder is None else _process(holder) | _replica(me, overview.now),
        "candidates": [_process(each) | _replica(each, overview.now) for each in overview.candidates],
        "database": overview.database,
        "webhook_seconds_ago": last_webhook_age(overview.replicas, overview.now),
        "rooms": conditions,
        "errors": Counter(event.error or event.reason for event in overview.failures),
        **{
            kind.lower(): [
                {"reason": reason, "message": message, "keys": keys}
                for (reason, message), keys in overview.kept_by(kind).items()
            ]
            for kind in _KEPT
        },
    }


def _process(each: Holder | Replica) -> dict[str, Any]:
    return {"id": each.id, "host": each.host, "pid": each.pid, "verb": each.verb}


def _replica(each: Replica | None, now: datetime) -> dict[str, Any]:
    if each is None:
        return {}
    return {
        "release": each.release,
        "started": format_time(each.started),
        "revision": each.revision,
        "commit": None if each.commit is None else each.commit.as_dict(),
        "rooms_dir": each.rooms_dir,
        "manifests_withheld": each.manifests_withheld,
        "livekit_seconds_ago": each.aged(each.livekit_age_s, now),
        "livekit_error": each.livekit_error,
        "clock_ahead_seconds": each.clock_ahead_s,
        "untrusted_proxy": each.untrusted_proxy,
    }
