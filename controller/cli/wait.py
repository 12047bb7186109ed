"""roomctl wait: until each room meets a condition."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Annotated, Final

import typer

from controller.cli.console import Exit, below, pause, print_data, print_error, print_info
from controller.cli.flags import read_option, rooms_argument, with_settings
from controller.cli.leader import read_leader
from controller.cli.rooms import RoomStatus, select_rooms, statuses
from controller.cli.wait_condition import (
    Target,
    WaitCondition,
    parse_condition,
    pending_hold,
    unmet_reason,
)
from controller.connect import connect_store, connect_store_for_watch
from controller.errors import RoomctlError, RoomsDirError, StoreUnavailableError
from controller.manifests.load import load
from controller.manifests.report import error_text
from controller.manifests.snapshot import Desired, ManifestError, RoomsDirState
from controller.plan.matching import match
from controller.records.ports import HeldRecords, Records
from controller.room import redact_key
from controller.settings import SettingGroup, Settings
from controller.text import parse_duration, pluralize

POLL_INTERVAL_SECONDS: Final = 0.25
_NO_ID_KEY: Final = b""
"""`wait` does not need the secret: it compares pinned ids, and cannot compare derived ones."""
_INVALID: Final = WaitCondition("ManifestValid", negated=True)


def _checked(read: Callable[[str], object], option: str) -> Callable[[str], str]:
    """A callback that checks the option's text."""

    def check(text: str) -> str:
        read_option(read, text, option)
        return text

    return check


@with_settings(SettingGroup.DATABASE | SettingGroup.ROOMS)
async def wait(
    settings: Settings,
    rooms: Annotated[
        list[str] | None, rooms_argument("Rooms to wait for. [default: all of the rooms directory]")
    ] = None,
    condition: Annotated[
        str,
        typer.Option(
            "--for",
            callback=_checked(parse_condition, "--for"),
            metavar="CONDITION",
            help="Condition to wait for: TYPE, !TYPE, or delete.",
        ),
    ] = "Ready",
    within: Annotated[
        str,
        typer.Option(
            "--timeout",
            callback=_checked(parse_duration, "--timeout"),
            metavar="DURATION",
            help="Maximum time to wait, for example 60s, 5m or 1h30m.",
        ),
    ] = "60s",
) -> int:
    """Wait until rooms meet a condition.

    Compares each room with its manifest in the rooms directory, so that an outdated Ready does not count.
    """
    watch = WaitProgress(parse_condition(condition), load(settings.rooms_dir), tuple(rooms or ()))
    if watch.desired.state is RoomsDirState.UNREADABLE:
        raise RoomsDirError(watch.desired.problem)
    seconds = parse_duration(within)
    async with connect_store(settings, verb="wait", read_only=True) as store:
        if wrong := watch.wrong(store):
            for error in wrong:
                print_error(error_text(error, below(settings.rooms_dir)))
            return Exit.FAILED
        watch.any_target(store)
        met = await watch.met_within(0, store)
    if not met:  # only a controller can change it, and it needs the embedded store
        async with connect_store_for_watch(settings, verb="wait") as store:
            met = await watch.met_within(seconds, store)
    if met:
        return watch.report()
    for name, why in sorted(watch.missing.items()):
        print_error(f"{name}: {why}")
    print_error(f"timed out after {seconds:g}s: {watch.summary()}")
    return Exit.TIMED_OUT


@dataclass(slots=True)
class WaitProgress:
    """The condition, the rooms and the progress; `missing` is the reason for each that is not ready."""

    condition: WaitCondition
    desired: Desired
    names: tuple[str, ...] = ()
    missing: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    deferred: set[str] = field(default_factory=set)
    met: int = 0

    def report(self) -> Exit:
        """Print the result; the exit code is 3 if only a guard or a hold prevents it."""
        if not self.kept:
            state = "deleted" if self.condition.deletes else str(self.condition)
            print_data(pluralize(self.met, f"room is {state}", f"rooms are {state}"))
            return Exit.FINE
        for name, why in sorted(self.kept.items()):
            print_error(f"{name}: {why}")
        return Exit.LEFT

    def summary(self) -> str:
        """How many rooms do not meet the condition."""
        number = len(self.missing)
        if self.condition.deletes:
            return pluralize(number, "room still exists", "rooms still exist")
        return f"{pluralize(number, 'room does', 'rooms do')} not meet condition {self.condition}"

    def wrong(self, records: Records) -> list[ManifestError]:
        """The errors of these manifests: their rooms cannot become as written."""
        if self.condition.deletes or self.condition == _INVALID:
            return []
        errors = match(self.desired, records.by_id, _NO_ID_KEY).errors
        return [e for e in errors if not self.names or self._named(e, records)]

    def _named(self, error: ManifestError, records: Records) -> bool:
        """Whether an error belongs to a room of `names`; without a key: to any room of its file."""
        matches, _ = select_rooms(records, self.names)
        if error.key is not None:
            return error.key in self.names or error.key in {record.key for record in matches}
        files = [PurePosixPath(record.file) for record in matches if record.file is not None]
        of_file = str(PurePosixPath(error.file).with_suffix(""))
        return of_file in self.names or any(file.is_relative_to(error.file) for file in files)

    def targets(self, records: Records) -> list[Target]:
        """The rooms to check: the named ones, or those of rooms.d, or of the database if that is missing."""
        if self.names:
            return [self._target(name, records) for name in self.names]
        if self.desired.state is not RoomsDirState.MISSING:
            return [Target(key, room.spec) for key, room in self.desired.rooms.items()]
        return [Target(record.key) for record in select_rooms(records, ())[0]]

    def _target(self, name: str, records: Records) -> Target:
        matches, _ = select_rooms(records, (name,))
        key = matches[0].key if matches else name
        manifest = self.desired.rooms.get(key)
        return Target(key, manifest.spec if manifest is not None else None)

    def _guards(self, targets: Sequence[Target], rooms: Mapping[str, RoomStatus]) -> dict[str, str]:
        """The rooms kept by a guard, among these rooms; without names, among all rooms."""
        if self.condition.type in ("delete", "Guarded"):
            return {}
        keys = {target.name for target in targets} if self.names else rooms.keys()
        guards = ((key, rooms[key].condition("Guarded")) for key in keys if key in rooms)
        return {
            redact_key(key): f"Guarded: {c.message}"
            for key, c in guards
            if c is not None and c.status == "True"
        }

    def _holds(self, targets: Sequence[Target], rooms: Mapping[str, RoomStatus]) -> dict[str, str]:
        """The rooms with a change that a hold blocks."""
        held = ((t.name, pending_hold(self.condition, t, rooms.get(t.name))) for t in targets)
        return {redact_key(name): f"Held: {text}" for name, text in held if text}

    async def met_within(self, seconds: float, store: HeldRecords) -> bool:
        """Check, at least once, until nothing is missing; wait while the database is unavailable."""
        clock = asyncio.get_running_loop().time
        end = clock() + seconds
        while True:
            try:
                await self._poll(store)
            except StoreUnavailableError as error:
                self.missing = self.missing or {"the database": str(error)}
            left = end - clock()
            if not self.missing or left <= 0:
                return not self.missing
            await pause(min(left, POLL_INTERVAL_SECONDS))

    def any_target(self, records: Records) -> None:
        """Print a note if there are no rooms. RoomctlError: there is no rooms directory either."""
        if self.targets(records):
            return
        if self.desired.state is RoomsDirState.MISSING:
            raise RoomctlError(f"nothing to wait for: {self.desired.problem}, and the database has no rooms")
        print_info("no rooms to wait for")

    async def _poll(self, store: HeldRecords) -> None:
        await store.refresh()
        leader = await read_leader(store)
        rooms = statuses(store, select_rooms(store, ())[0], leader)
        self.update(self.targets(store), {room.record.key: room for room in rooms})
        if leader.problem:
            self.missing["the controller"] = leader.problem

    def update(self, targets: Sequence[Target], rooms: Mapping[str, RoomStatus]) -> None:
        """Note what is missing now; a room that is deferred is reported once."""
        held = {t.name for t in targets if pending_hold(self.condition, t, rooms.get(t.name))}
        served = [replace(t, spec=None) if t.name in held else t for t in targets]
        reasons = {t.name: unmet_reason(self.condition, t, rooms.get(t.name)) for t in served}
        self.missing = {redact_key(name): why for name, why in reasons.items() if why}
        self.met = len(targets)
        self.kept = self._guards(targets, rooms) | self._holds(targets, rooms)
        for target in targets:
            room = rooms.get(target.name)
            deferral = room.condition("Deferred") if room is not None else None
            if deferral is not None and deferral.status == "True" and target.name not in self.deferred:
                self.deferred.add(target.name)
                print_info(f"{redact_key(target.name)}: Deferred: {deferral.message}")
