"""roomctl doctor: checks the configuration and everything that roomctl depends on."""

import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from controller.cli.checks import (
    CheckResult,
    Severity,
    about_clock,
    about_proxies,
    about_webhook,
    checks_code,
    fail,
    ok,
    print_check,
    skip,
    warn,
)
from controller.cli.flags import with_settings
from controller.cli.rooms import describe_database
from controller.companions.recording.failures import FIX
from controller.connect import connect_store, connection
from controller.errors import (
    LiveKitAuthError,
    LiveKitError,
    NoEgressServiceError,
    SettingsError,
    StoreError,
    StoreUnavailableError,
)
from controller.manifests.load import load
from controller.manifests.snapshot import Desired, RoomsDirState
from controller.records.ports import Holder
from controller.records.record import UnusableRecord
from controller.room import redact_key
from controller.settings import USE_S3, SettingGroup, Settings, restore_secret, unused_s3_settings
from controller.settings_parsers import http_url, ws_url
from controller.sidecar.access_tokens import AccessTokens
from controller.sidecar.pages.assets import FOLDER, install_command, missing_packages
from controller.text import pluralize

_LIVEKIT: Final = ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET")
_DATABASE: Final = ("MONGODB_URI", "MONGODB_DATABASE", "ROOMCTL_DATA_DIR", "ROOMCTL_INSTANCE")


@with_settings(SettingGroup.ALL, tolerant=True)
async def doctor(settings: Settings, problems: Mapping[str, str], unknown: Mapping[str, str]) -> int:
    """Check the configuration and its dependencies.

    Prints one line per check, with a fix.
    """
    severities: list[Severity] = []
    async for result in run_checks(settings, problems, unknown):
        print_check(result)
        severities.append(result.severity)
    return checks_code(severities)


async def run_checks(
    settings: Settings, problems: Mapping[str, str], unknown: Mapping[str, str]
) -> AsyncIterator[CheckResult]:
    """All checks; those that depend on a missing or invalid setting are skipped."""
    for result in (
        *about_settings(problems, unknown),
        about_hidden(settings),
        *about_key(settings),
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
    """A line for each missing or invalid setting, and for each unknown variable."""
    for problem in problems.values():
        yield fail("settings", problem)
    for variable, hint in unknown.items():
        yield warn("settings", f"{variable}: unknown setting; {hint}")
    if not problems:
        yield ok("settings", "all required settings are set and valid")


def _skipped(about: str, wrong: Sequence[str]) -> CheckResult:
    return skip(about, f"not checked; set {', '.join(wrong)} first")


async def _livekit_checks(settings: Settings, desired: Desired) -> AsyncIterator[CheckResult]:
    async with connection(settings) as opened:
        reader = opened.reader()
        try:
            rooms = await reader.rooms()
        except LiveKitError as error:
            refused = isinstance(error, LiveKitAuthError)
            yield fail("livekit", str(error) if refused else f"{error}; start LiveKit or correct LIVEKIT_URL")
            yield about_clock(reader.clock_ahead_s)
            for about in ("auto_create", "recording"):
                yield skip(about, "not checked; LiveKit has to answer first")
            return
        yield ok("livekit", f"{pluralize(len(rooms), 'live room')} at {opened.address}")
        yield about_clock(reader.clock_ahead_s)
        yield await _public_url(settings)
        yield about_auto_create(await opened.auto_creates())
    yield await _recording(settings, wanted=sum(room.spec.record for room in desired.rooms.values()))


async def _public_url(settings: Settings) -> CheckResult:
    """Whether the URL for browsers leads to the same LiveKit, seen from this host."""
    public = settings.livekit_public_url
    if ws_url(settings.livekit_url) == public:
        return ok("public_url", f"browsers connect to {public}")
    try:
        async with connection(replace(settings, livekit_url=http_url(public))) as opened:
            await opened.reader().rooms()
    except LiveKitError as error:
        return warn("public_url", f"{error}; correct LIVEKIT_PUBLIC_URL, or check from where browsers are")
    return ok("public_url", f"browsers connect to {public}, which is LiveKit")


def about_auto_create(creates: bool | None) -> CheckResult:
    """Whether LiveKit creates a missing room when a participant joins; None if unknown."""
    if creates is None:
        return skip("auto_create", "not checked; LiveKit did not answer")
    if not creates:
        return ok("auto_create", "off: only roomctl creates rooms")
    return warn(
        "auto_create",
        "on: a token of a removed room creates the room again, without its limits; "
        "set `room.auto_create: false` in LiveKit's configuration",
    )


def about_hidden(settings: Settings) -> CheckResult:
    """Outside webinar mode hidden participants need a token only if the setting says so."""
    if settings.hidden_requires_token:
        return ok("hidden", "hidden participants require an egress_mode_token")
    return warn(
        "hidden",
        "anyone who knows a room id can join as a hidden participant (except in webinar mode); "
        "to prevent this, set ROOMCTL_HIDDEN_REQUIRES_TOKEN=true",
    )


def about_key(settings: Settings) -> Iterator[CheckResult]:
    """A line if room ids and invites depend on LIVEKIT_API_SECRET."""
    if settings.secret and settings.secret == settings.livekit_api_secret:
        yield warn(
            "secret",
            "ROOMCTL_SECRET is not set: a new LIVEKIT_API_SECRET would change room ids and end invites; "
            "set it to the present LIVEKIT_API_SECRET",
        )


def about_page(missing: Sequence[str]) -> CheckResult:
    """Whether the npm packages of the pages are installed; everything else works without them."""
    if not missing:
        return ok("page", "livekit-client and swagger-ui-dist are installed")
    need = {"livekit-client": "the join page", "swagger-ui-dist": "the OpenAPI page"}
    broken = " and ".join(f"{need[name]} needs {name}" for name in missing)
    return warn("page", f"{broken}; run `{install_command(FOLDER)}` and restart the controller")


def about_tokens(path: Path | None) -> CheckResult:
    """Whether the file with the access tokens is valid, and how many tokens it has."""
    if path is None:
        return ok("tokens", "private API disabled; to enable it, set ROOMCTL_ACCESS_TOKENS_FILE")
    try:
        known = len(AccessTokens(path, time.monotonic))
    except SettingsError as error:
        return fail("tokens", str(error))
    return ok("tokens", f"{pluralize(known, 'access token')} in {path}")


def about_manifests(desired: Desired, settings: Settings) -> CheckResult:
    """Whether rooms.d can be read and every manifest in it is valid."""
    if desired.state in (RoomsDirState.MISSING, RoomsDirState.UNREADABLE):
        return fail("manifests", desired.problem)
    if desired.errors:
        wrong = pluralize(len(desired.errors), "error")
        return fail("manifests", f"{wrong} in {settings.rooms_dir}; run `roomctl validate`")
    if desired.state is RoomsDirState.EMPTY:
        return warn("manifests", f"no manifest in {settings.rooms_dir}; add one")
    return ok("manifests", f"{pluralize(len(desired.rooms), 'room')} in {settings.rooms_dir}")


async def _recording(settings: Settings, wanted: int) -> CheckResult:
    """Whether LiveKit has an egress service. Whether a worker is free shows only when a recording starts."""
    if settings.recording_output is None:
        return about_no_output(wanted)
    async with connection(settings) as opened:
        try:
            running = len(await opened.reader().recordings())
        except NoEgressServiceError as error:
            return warn("recording", f"recording is not possible: {error}")
        except LiveKitError as error:
            return skip("recording", f"not checked; {error}")
    return about_recording(settings, running)


def about_no_output(wanted: int) -> CheckResult:
    """Recording is disabled: whether that matters to the `wanted` rooms with record: true."""
    if not wanted:
        text = "disabled; to enable it, set ROOMCTL_RECORDING_OUTPUT"
        return ok("recording", text)
    have = pluralize(wanted, "manifest has", "manifests have")
    return warn("recording", f"{have} record: true, but recording is disabled; {FIX}")


def about_recording(settings: Settings, running: int) -> CheckResult:
    """Whether rooms can be recorded, as far as it can be checked; `running` is the number of recordings."""
    page = settings.recording_page_url
    if _is_here(page) and not _is_here(settings.livekit_url):
        return warn(
            "recording",
            f"an egress worker on another host cannot reach {page}, which ROOM_COMPOSITE_AND_CHAT needs; "
            "set ROOMCTL_RECORDING_PAGE_URL",
        )
    return ok(
        "recording",
        f"egress service reachable, {pluralize(running, 'active recording')} "
        "(worker availability is not checked)",
    )


def about_s3(settings: Settings) -> Iterator[CheckResult]:
    """A line if S3 settings are set although recordings do not go to S3."""
    if unused := unused_s3_settings(settings):
        is_file = settings.recording_output is not None
        goes = "recordings go to a file" if is_file else "recording is disabled"
        yield warn("s3", f"{', '.join(unused)}: not used, because {goes}; {USE_S3}")


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
            yield ok("mongodb", f"{pluralize(rooms, 'room')}, {describe_database(settings)}")
            for unusable in store.unusable.values():
                yield about_unusable(unusable)
            if settings.secret and (store.by_id or store.unusable):
                yield about_secret(settings, changed=store.secret_changed)
            yield about_controller(await store.holder())
            replicas, now = await store.replicas.all(), datetime.now(UTC)
            yield about_webhook(replicas, now)
            for proxy in about_proxies(replicas, now):
                yield proxy
    except StoreError as error:
        away = settings.mongodb_uri and isinstance(error, StoreUnavailableError)
        fix = "; start MongoDB or correct MONGODB_URI" if away and "MONGODB_URI" not in str(error) else ""
        yield fail("mongodb", f"{error}{fix}")


def about_controller(holder: Holder | None) -> CheckResult:
    """Which controller holds the lease."""
    if holder is None or holder.released:
        return warn("controller", "not running; start it with `roomctl run`")
    return ok("controller", str(holder))


def about_unusable(record: UnusableRecord) -> CheckResult:
    """A record that must not be acted on."""
    severity = Severity.FAIL if record.is_damaged else Severity.WARN
    return CheckResult(severity, "record", f"{redact_key(record.record.key)}: {record.advice}")


def about_secret(settings: Settings, *, changed: bool) -> CheckResult:
    """Whether ROOMCTL_SECRET is the one that the records were created with."""
    if changed:
        return warn(
            "secret",
            "ROOMCTL_SECRET has changed: new rooms get different ids, and invites need "
            f"ROOMCTL_SECRET_PREVIOUS; {restore_secret(settings)}",
        )
    return ok("secret", "ROOMCTL_SECRET matches the database")
