"""roomctl doctor: checks the configuration and everything that roomctl depends on."""

import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from controller.app import connect_store, connection
from controller.cli.console import Exit, print_data
from controller.cli.flags import with_settings
from controller.cli.rooms import describe_database
from controller.cli.table import painted
from controller.companions.recording.failures import FIX
from controller.errors import (
    LiveKitAuthError,
    LiveKitError,
    NoEgressServiceError,
    SettingsError,
    StoreError,
    StoreUnavailableError,
)
from controller.live.client import ApiReader
from controller.manifests import Desired, RoomsDirState, load
from controller.plan.unusable import advice
from controller.records.ports import Holder
from controller.records.record import UnusableRecord
from controller.room import redact_key
from controller.settings import USE_S3, SettingGroup, Settings, restore_secret, unused_s3_settings
from controller.sidecar.access_tokens import AccessTokens
from controller.sidecar.pages.assets import FOLDER, install_command, missing_packages
from controller.text import pluralize

CLOCK_LIMIT: Final = 10.0
"""Seconds of difference that a token's times can bear with room to spare: LiveKit allows a minute."""

_ASK_SECONDS: Final = 5.0


class Severity(StrEnum):
    """The result of a check; only FAIL makes the exit code 1. SKIP: another check has to succeed first."""

    OK = "ok"
    WARN = "warn"
    SKIP = "skip"
    FAIL = "FAIL"


_STYLES: Final = {
    Severity.OK: "green",
    Severity.WARN: "yellow",
    Severity.SKIP: "cyan",
    Severity.FAIL: "bold red",
}
_LIVEKIT: Final = ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET")
_DATABASE: Final = ("MONGODB_URI", "MONGODB_DATABASE", "ROOMCTL_DATA_DIR", "ROOMCTL_INSTANCE")


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line: what was checked, and the result, with a fix if there is one."""

    severity: Severity
    about: str
    text: str


_ok = partial(CheckResult, Severity.OK)
_warn = partial(CheckResult, Severity.WARN)
_skip = partial(CheckResult, Severity.SKIP)
_fail = partial(CheckResult, Severity.FAIL)


@with_settings(SettingGroup.ALL, tolerant=True)
async def doctor(settings: Settings, problems: Mapping[str, str], unknown: Mapping[str, str]) -> int:
    """Check the configuration and its dependencies.

    Prints one line per check, with a fix.
    """
    failed = False
    async for result in run_checks(settings, problems, unknown):
        severity = painted(f"{result.severity:<4}", _STYLES[result.severity])
        print_data(f"{severity}  {result.about:<10}  {result.text}")
        failed |= result.severity is Severity.FAIL
    return Exit.FAILED if failed else Exit.FINE


async def run_checks(
    settings: Settings, problems: Mapping[str, str], unknown: Mapping[str, str]
) -> AsyncIterator[CheckResult]:
    """All of them; what depends on a setting that is missing or invalid is skipped."""
    for result in (
        *about_settings(problems, unknown),
        about_hidden(settings),
        about_tokens(settings.access_tokens_file),
    ):
        yield result
    yield about_page(missing_packages())
    desired = load(settings.rooms_dir)
    yield about_manifests(desired, settings)
    if wrong := [name for name in _LIVEKIT if name in problems]:
        for about in ("livekit", "clock", "recording"):
            yield _skipped(about, wrong)
    else:
        async for result in _livekit_checks(settings, desired):
            yield result
    for result in about_s3(settings):
        yield result
    if wrong := [name for name in _DATABASE if name in problems]:
        yield _skipped("mongodb", wrong)
    else:
        async for result in _database(settings):
            yield result


def about_settings(problems: Mapping[str, str], unknown: Mapping[str, str]) -> Iterator[CheckResult]:
    """A line for each setting that is missing or invalid, and for each variable that is none."""
    for problem in problems.values():
        yield _fail("settings", problem)
    for variable, hint in unknown.items():
        yield _warn("settings", f"{variable}: unknown setting; {hint}")
    if not problems:
        yield _ok("settings", "all required settings are set and valid")


def _skipped(about: str, wrong: Sequence[str]) -> CheckResult:
    return _skip(about, f"not checked; set {', '.join(wrong)} first")


async def _livekit_checks(settings: Settings, desired: Desired) -> AsyncIterator[CheckResult]:
    livekit, reachable = await _livekit(settings)
    yield livekit
    if reachable:
        yield await _clock(settings)
        yield await _recording(settings, wanted=sum(room.spec.record for room in desired.rooms.values()))
    else:
        for about in ("clock", "recording"):
            yield _skip(about, "not checked; LiveKit is unreachable")


def about_hidden(settings: Settings) -> CheckResult:
    """Outside webinar mode hidden participants need a token only if the setting says so."""
    if settings.hidden_requires_token:
        return _ok("hidden", "hidden participants require an egress_mode_token")
    return _warn(
        "hidden",
        "anyone who knows a room id can join as a hidden participant (except in webinar mode); "
        "to prevent this, set ROOMCTL_HIDDEN_REQUIRES_TOKEN=true",
    )


def about_page(missing: Sequence[str]) -> CheckResult:
    """Whether the npm packages of the pages are installed; all else works without them."""
    if not missing:
        return _ok("page", "livekit-client and swagger-ui-dist are installed")
    need = {"livekit-client": "the join page", "swagger-ui-dist": "the OpenAPI page"}
    broken = " and ".join(f"{need[name]} needs {name}" for name in missing)
    return _warn("page", f"{broken}; run `{install_command(FOLDER)}` and restart the controller")


def about_tokens(path: Path | None) -> CheckResult:
    """Whether the file with the access tokens is valid, and how many tokens it has."""
    if path is None:
        return _ok("tokens", "private API disabled; to enable it, set ROOMCTL_ACCESS_TOKENS_FILE")
    try:
        known = len(AccessTokens(path, time.monotonic))
    except SettingsError as error:
        return _fail("tokens", str(error))
    return _ok("tokens", f"{pluralize(known, 'access token')} in {path}")


def about_manifests(desired: Desired, settings: Settings) -> CheckResult:
    """Whether rooms.d can be read and every manifest in it is valid."""
    if desired.state in (RoomsDirState.MISSING, RoomsDirState.UNREADABLE):
        return _fail("manifests", desired.problem)
    if desired.errors:
        wrong = pluralize(len(desired.errors), "error")
        return _fail("manifests", f"{wrong} in {settings.rooms_dir}; run `roomctl validate`")
    if desired.state is RoomsDirState.EMPTY:
        return _warn("manifests", f"no manifest in {settings.rooms_dir}; add one")
    return _ok("manifests", f"{pluralize(len(desired.rooms), 'room')} in {settings.rooms_dir}")


async def _livekit(settings: Settings) -> tuple[CheckResult, bool]:
    """The result, and whether LiveKit answers."""
    async with connection(settings) as opened:
        try:
            rooms = await ApiReader(opened).rooms()
        except LiveKitAuthError as error:
            return _fail("livekit", str(error)), True
        except LiveKitError as error:
            text = f"{error}; start LiveKit or correct LIVEKIT_URL"
            return _fail("livekit", text), False
        text = f"{pluralize(len(rooms), 'live room')} at {opened.address}"
        return _ok("livekit", text), True


async def _clock(settings: Settings) -> CheckResult:
    """LiveKit's clock, by the Date of an answer, compared with ours at that moment."""
    timeout = aiohttp.ClientTimeout(total=_ASK_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(settings.livekit_url, allow_redirects=False) as answer,
        ):
            return about_clock(answer.headers.get("Date", ""), datetime.now(UTC))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        host = urlsplit(settings.livekit_url).hostname
        return _skip("clock", f"not checked; no HTTP response from {host}")


def about_clock(date: str, now: datetime) -> CheckResult:
    """Our clock compared with the one of an HTTP answer, which counts whole seconds."""
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return _warn("clock", "not checked; LiveKit's response has no Date header")
    apart = abs((now - theirs).total_seconds())
    if apart > CLOCK_LIMIT:
        text = (
            f"differs from LiveKit's clock by {apart:.0f} s, so tokens may be rejected; "
            "synchronize both hosts with NTP"
        )
        return _fail("clock", text)
    return _ok("clock", f"within {max(1, round(apart))} s of LiveKit's clock")


async def _recording(settings: Settings, wanted: int) -> CheckResult:
    """Whether LiveKit has an egress service. Whether a worker is free shows only when a recording starts."""
    if settings.recording_output is None:
        return about_no_output(wanted)
    async with connection(settings) as opened:
        try:
            running = len(await ApiReader(opened).recordings())
        except NoEgressServiceError as error:
            return _warn("recording", f"recording is not possible: {error}")
        except LiveKitError as error:
            return _skip("recording", f"not checked; {error}")
    return about_recording(settings, running)


def about_no_output(wanted: int) -> CheckResult:
    """Recording is disabled: whether that matters to the `wanted` rooms with record: true."""
    if not wanted:
        text = "disabled; to enable it, set ROOMCTL_RECORDING_OUTPUT"
        return _ok("recording", text)
    have = pluralize(wanted, "manifest has", "manifests have")
    return _warn("recording", f"{have} record: true, but recording is disabled; {FIX}")


def about_recording(settings: Settings, running: int) -> CheckResult:
    """Whether rooms can be recorded, as far as it can be checked; `running` is the number of recordings."""
    page = settings.recording_page_url
    if _is_here(page) and not _is_here(settings.livekit_url):
        return _warn(
            "recording",
            f"an egress worker on another host cannot reach {page}, which ROOM_COMPOSITE_AND_CHAT needs; "
            "set ROOMCTL_RECORDING_PAGE_URL",
        )
    return _ok(
        "recording",
        f"egress service reachable, {pluralize(running, 'active recording')} "
        "(worker availability is not checked)",
    )


def about_s3(settings: Settings) -> Iterator[CheckResult]:
    """A line if S3 settings are set although recordings do not go to S3."""
    if unused := unused_s3_settings(settings):
        is_file = settings.recording_output is not None
        goes = "recordings go to a file" if is_file else "recording is disabled"
        yield _warn("s3", f"{', '.join(unused)}: not used, because {goes}; {USE_S3}")


def _is_here(url: str) -> bool:
    """Whether only this host reaches `url`."""
    host = urlsplit(url).hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


async def _database(settings: Settings) -> AsyncIterator[CheckResult]:
    try:
        async with connect_store(settings, verb="doctor", read_only=True) as store:
            rooms = sum(not record.removed for record in store.by_id.values())
            yield _ok("mongodb", f"{pluralize(rooms, 'room')}, {describe_database(settings)}")
            for unusable in store.unusable.values():
                yield about_unusable(unusable)
            if settings.secret and (store.by_id or store.unusable):
                yield about_secret(settings, changed=store.secret_changed)
            yield about_controller(await store.holder())
    except StoreError as error:
        away = settings.mongodb_uri and isinstance(error, StoreUnavailableError)
        fix = "; start MongoDB or correct MONGODB_URI" if away and "MONGODB_URI" not in str(error) else ""
        yield _fail("mongodb", f"{error}{fix}")


def about_controller(holder: Holder | None) -> CheckResult:
    """Which controller holds the lease."""
    if holder is None or holder.released:
        return _warn("controller", "not running; start it with `roomctl run`")
    return _ok("controller", str(holder))


def about_unusable(record: UnusableRecord) -> CheckResult:
    """A record that must not be acted on."""
    severity = Severity.FAIL if record.is_damaged else Severity.WARN
    return CheckResult(severity, "record", f"{redact_key(record.record.key)}: {advice(record)}")


def about_secret(settings: Settings, *, changed: bool) -> CheckResult:
    """Whether ROOMCTL_SECRET is the one that the records were created with."""
    if changed:
        return _warn(
            "secret",
            "ROOMCTL_SECRET has changed: new rooms get different ids, and invites need "
            f"ROOMCTL_SECRET_PREVIOUS; {restore_secret(settings)}",
        )
    return _ok("secret", "ROOMCTL_SECRET matches the database")
