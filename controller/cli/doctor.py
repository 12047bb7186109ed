"""roomctl doctor: does everything that roomctl leans on work? One line each, with the mend."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from controller.app import connect_store, connection
from controller.cli.console import pluralize, print_data
from controller.cli.exit_codes import Exit
from controller.cli.flags import with_settings
from controller.cli.table import painted
from controller.companions.recording.blocked_log import MEND
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
from controller.records.record import UnusableRecord
from controller.room import redact_key
from controller.settings import USE_S3, SettingGroup, Settings, mongodb_address, unused_s3_settings
from controller.sidecar.access_tokens import AccessTokens
from controller.sidecar.pages.assets import FOLDER, install_command, missing_packages

CLOCK_LIMIT: Final = 10.0
"""Seconds of difference that a token's times can bear with room to spare: LiveKit allows a minute."""

_ASK_SECONDS: Final = 5.0


class Severity(StrEnum):
    """How a check came out; only FAIL makes the exit code 1."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


_STYLES: Final = {Severity.OK: "green", Severity.WARN: "yellow", Severity.FAIL: "bold red"}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line: what was looked at, and what there is to say, with the mend where there is one."""

    severity: Severity
    about: str
    text: str


@with_settings(SettingGroup.ALL)
def doctor(settings: Settings) -> int:
    """Check settings, manifests, LiveKit, clock, recording and database; one line each, with the mend."""
    return asyncio.run(_doctor(settings))


async def _doctor(settings: Settings) -> Exit:
    failed = False
    async for result in _run_checks(settings):
        severity = painted(f"{result.severity:<4}", _STYLES[result.severity])
        print_data(f"{severity}  {result.about:<10}  {result.text}")
        failed |= result.severity is Severity.FAIL
    return Exit.FAILED if failed else Exit.FINE


async def _run_checks(settings: Settings) -> AsyncIterator[CheckResult]:
    yield CheckResult(Severity.OK, "settings", "all there, all in range")
    yield about_hidden(settings)
    yield about_tokens(settings.access_tokens_file)
    yield about_page(missing_packages())
    desired = load(settings.rooms_dir)
    yield about_manifests(desired, settings)
    yield await _livekit(settings)
    yield await _clock(settings)
    yield await _recording(settings, wanted=sum(room.spec.record for room in desired.rooms.values()))
    for result in about_s3(settings):
        yield result
    async for result in _database(settings):
        yield result


def about_hidden(settings: Settings) -> CheckResult:
    """Outside webinar mode hidden participants need no token, unless the setting says so."""
    if settings.hidden_requires_token:
        return CheckResult(Severity.OK, "hidden", "every hidden participant needs an egress_mode_token")
    return CheckResult(
        Severity.WARN,
        "hidden",
        "whoever knows a room's id can join it unseen (outside webinar mode); "
        "set ROOMCTL_HIDDEN_REQUIRES_TOKEN=true",
    )


def about_page(missing: Sequence[str]) -> CheckResult:
    """Whether the npm packages of the pages are installed; all else works without them."""
    if not missing:
        return CheckResult(Severity.OK, "page", "livekit-client and swagger-ui-dist are installed")
    need = {"livekit-client": "the join page", "swagger-ui-dist": "the OpenAPI page"}
    broken = " and ".join(f"{need[name]} needs {name}" for name in missing)
    return CheckResult(
        Severity.WARN, "page", f"{broken}; run `{install_command(FOLDER)}`, then restart the controller"
    )


def about_tokens(path: Path | None) -> CheckResult:
    """Whether the access tokens' file is right, and how many may use the private API."""
    if path is None:
        return CheckResult(
            Severity.OK,
            "tokens",
            "nobody may use the private API; set ROOMCTL_ACCESS_TOKENS_FILE to let callers in",
        )
    try:
        known = len(AccessTokens(path, time.monotonic))
    except SettingsError as error:
        return CheckResult(Severity.FAIL, "tokens", str(error))
    return CheckResult(Severity.OK, "tokens", f"{pluralize(known, 'access token')} in {path}")


def about_manifests(desired: Desired, settings: Settings) -> CheckResult:
    """Whether rooms.d can be read and every manifest in it is right."""
    if desired.state in (RoomsDirState.MISSING, RoomsDirState.UNREADABLE):
        return CheckResult(Severity.FAIL, "manifests", desired.problem)
    if desired.errors:
        wrong = pluralize(len(desired.errors), "error")
        return CheckResult(
            Severity.FAIL, "manifests", f"{wrong} in {settings.rooms_dir}; see `roomctl validate`"
        )
    if desired.state is RoomsDirState.EMPTY:
        return CheckResult(
            Severity.WARN, "manifests", f"no manifest in {settings.rooms_dir}; write one there"
        )
    return CheckResult(
        Severity.OK, "manifests", f"{pluralize(len(desired.rooms), 'room')} in {settings.rooms_dir}"
    )


async def _livekit(settings: Settings) -> CheckResult:
    async with connection(settings) as opened:
        try:
            rooms = await ApiReader(opened).rooms()
        except LiveKitAuthError as error:
            return CheckResult(Severity.FAIL, "livekit", str(error))
        except LiveKitError as error:
            return CheckResult(
                Severity.FAIL, "livekit", f"{error}; start it, or set LIVEKIT_URL to where it is"
            )
        return CheckResult(
            Severity.OK, "livekit", f"{pluralize(len(rooms), 'live room')} at {opened.address}"
        )


async def _clock(settings: Settings) -> CheckResult:
    """LiveKit's clock by the Date of an answer, beside ours at that moment."""
    timeout = aiohttp.ClientTimeout(total=_ASK_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(settings.livekit_url, allow_redirects=False) as answer,
        ):
            return about_clock(answer.headers.get("Date", ""), datetime.now(UTC))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        host = urlsplit(settings.livekit_url).hostname
        return CheckResult(
            Severity.FAIL, "clock", f"cannot be compared: no answer from {host}; see the line above"
        )


def about_clock(date: str, now: datetime) -> CheckResult:
    """Our clock beside the one of an HTTP answer, which counts whole seconds."""
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return CheckResult(Severity.WARN, "clock", "cannot be compared: LiveKit's answer has no Date")
    apart = abs((now - theirs).total_seconds())
    if apart > CLOCK_LIMIT:
        text = f"{apart:.0f} s apart from LiveKit's: tokens may be refused; set both by NTP"
        return CheckResult(Severity.FAIL, "clock", text)
    return CheckResult(Severity.OK, "clock", f"within {max(1, round(apart))} s of LiveKit's")


async def _recording(settings: Settings, wanted: int) -> CheckResult:
    """LiveKit is asked what it records; that says nothing of a worker, which only a recording would."""
    if settings.recording_output is None:
        return about_no_output(wanted)
    async with connection(settings) as opened:
        try:
            running = len(await ApiReader(opened).recordings())
        except NoEgressServiceError as error:
            return CheckResult(Severity.WARN, "recording", f"nothing can be recorded: {error}")
        except LiveKitError as error:
            return CheckResult(Severity.WARN, "recording", f"LiveKit cannot be asked for it: {error}")
    return about_recording(settings, running)


def about_no_output(wanted: int) -> CheckResult:
    """Recording is not set up: whether that matters to the `wanted` rooms with record: true."""
    if not wanted:
        text = "not set up, so nothing is recorded; set ROOMCTL_RECORDING_OUTPUT to record rooms"
        return CheckResult(Severity.OK, "recording", text)
    rooms = pluralize(wanted, "manifest")
    return CheckResult(
        Severity.WARN, "recording", f"record: true in {rooms}; {MEND}: until then nothing is recorded"
    )


def about_recording(settings: Settings, running: int) -> CheckResult:
    """Whether rooms can be recorded, as far as it shows while none is: `running` are at work now."""
    page = settings.recording_page_url
    if _is_here(page) and not _is_here(settings.livekit_url):
        return CheckResult(
            Severity.WARN,
            "recording",
            f"ROOM_COMPOSITE_AND_CHAT needs a page that the egress worker reaches, and {page} is this host's "
            "own; set ROOMCTL_RECORDING_PAGE_URL to where a worker finds the public listener",
        )
    known = f"{pluralize(running, 'egress', 'egresses')} now" if running else "no egress now"
    return CheckResult(
        Severity.OK,
        "recording",
        f"LiveKit's egress service answers, {known}; whether a worker is free shows when one is asked for",
    )


def about_s3(settings: Settings) -> Iterator[CheckResult]:
    """Where it is set how to reach S3, and recordings do not go there: a line for that."""
    if unused := unused_s3_settings(settings):
        goes = "to a file" if settings.recording_output is not None else "nowhere"
        yield CheckResult(
            Severity.WARN, "s3", f"{', '.join(unused)}: not used, as recordings go {goes}; {USE_S3}"
        )


def _is_here(url: str) -> bool:
    """Whether only this host reaches `url`."""
    host = urlsplit(url).hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


async def _database(settings: Settings) -> AsyncIterator[CheckResult]:
    where = (
        mongodb_address(settings.mongodb_uri)
        if settings.mongodb_uri
        else f"the embedded server in {settings.data_dir}"
    )
    try:
        async with connect_store(settings, verb="doctor", read_only=True) as store:
            rooms = sum(not record.removed for record in store.by_id.values())
            yield CheckResult(Severity.OK, "mongodb", f"{pluralize(rooms, 'room')} on record, {where}")
            for unusable in store.unusable.values():
                yield about_unusable(unusable)
            yield about_secret(changed=store.secret_changed)
            holder = await store.holder()
            text = (
                f"{holder}"
                if holder is not None and not holder.released
                else "none at work; start `roomctl run`"
            )
            yield CheckResult(Severity.OK, "controller", text)
    except StoreError as error:
        away = settings.mongodb_uri and isinstance(error, StoreUnavailableError)
        mend = "; start it, or set MONGODB_URI to where it is" if away else ""
        yield CheckResult(Severity.FAIL, "mongodb", f"{error}{mend}")


def about_unusable(record: UnusableRecord) -> CheckResult:
    """A record that must not be acted on."""
    severity = Severity.FAIL if record.is_damaged else Severity.WARN
    return CheckResult(severity, "record", f"{redact_key(record.record.key)}: {advice(record)}")


def about_secret(*, changed: bool) -> CheckResult:
    """Whether ROOMCTL_SECRET is the one that the records were made under."""
    if changed:
        return CheckResult(
            Severity.WARN,
            "secret",
            "ROOMCTL_SECRET is not the one of before: new rooms get other ids, old invites end; "
            "put the old one back if that was not meant",
        )
    return CheckResult(Severity.OK, "secret", "the one that the records were made under")
