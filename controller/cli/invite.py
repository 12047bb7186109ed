"""roomctl invite: a link for a speaker or a guest, or a token for a hidden participant."""

import time
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, NamedTuple

import typer

from controller.access.identity import identity_problem
from controller.access.invites import (
    DEFAULT_INVITE_TTL_SECONDS,
    MAX_EGRESS_TOKEN_TTL_SECONDS,
    MAX_INVITE_TTL_SECONDS,
    Invite,
    mint_egress,
    mint_invite,
)
from controller.access.policy import Role
from controller.cli.console import Exit, print_data, print_info
from controller.cli.flags import read_option, with_settings
from controller.cli.in_force import report_in_force
from controller.cli.record_event import record_event, warn_of_missing_event
from controller.cli.rooms import change_record, one_room
from controller.connect import connect_store
from controller.errors import RoomctlError, StoreError
from controller.records.events import EventType
from controller.records.record import RoomRecord
from controller.room import Purpose, derive_key, format_time, redact_key
from controller.settings import SettingGroup, Settings
from controller.text import parse_duration

InvitedRole = Literal["speaker", "guest", "hidden"]
MAX_BOUND_IDENTITIES: Final = 1_000
"""Per room: each request for a token searches them."""


class _Lifetime(NamedTuple):
    """In seconds; `rule` is the error of a duration that is out of range."""

    default: int
    at_most: int
    rule: str


_INVITE: Final = _Lifetime(DEFAULT_INVITE_TTL_SECONDS, MAX_INVITE_TTL_SECONDS, "an invite can last 1s to 30d")
_EGRESS: Final = _Lifetime(
    *(MAX_EGRESS_TOKEN_TTL_SECONDS,) * 2, "a hidden participant's token can last 1s to 15m"
)


@with_settings(SettingGroup.DATABASE | SettingGroup.INVITES | SettingGroup.EVENTS)
async def invite(
    settings: Settings,
    room: Annotated[str, typer.Argument(metavar="KEY|ID", help="Room to join.")],
    role: Annotated[InvitedRole, typer.Option(help="Role: speaker or guest for a link, hidden for a token.")],
    identity: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Keep this participant_id for the invite.", show_default=False),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="Lifetime of the invite. [default: 24h, maximum: 30d; hidden: 15m, maximum: 15m]",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Create an invite link, or a hidden participant's token."""
    seconds = _seconds(role, expires)
    _check_identity(role, identity)
    async with connect_store(settings, verb="invite", read_only=True) as store:
        record = one_room(store, room)
        if store.secret_changed:
            print_info(
                "warning: ROOMCTL_SECRET differs from the one that the database was made with; "
                "unless `roomctl run` has the same, the link will not work"
            )
        now, code = int(time.time()), Exit.FINE
        if identity is not None:
            record, code = await _bind(settings, room, identity, now + seconds)
        if role == "hidden":
            text = egress_token(record, settings.secret, now, seconds)
        else:
            invited = Invite(record.id, Role(role), record.invite_epoch, now + seconds, identity)
            text = link(invited, settings, now)
        await _record(settings, record, role, now + seconds)
    print_data(text)
    return code


async def _bind(settings: Settings, room: str, identity: str, expires: int) -> tuple[RoomRecord, Exit]:
    """Keep the identity for the invite; the exit code is of the wait until that is in force.

    RoomctlError if too many are kept already.
    """

    def bound(record: RoomRecord) -> RoomRecord:
        now = datetime.now(UTC)
        after = record.with_bound_identity(identity, datetime.fromtimestamp(expires, UTC), now)
        if len(after.bound) > MAX_BOUND_IDENTITIES:
            key = redact_key(record.key)
            raise RoomctlError(
                f"{key} has {MAX_BOUND_IDENTITIES} invites with --identity; "
                f"wait until one ends, or end all with `roomctl revoke {key}`"
            )
        return after

    async with connect_store(settings, verb="invite", read_only=False) as store:
        return await change_record(store, room, bound), await report_in_force(store)


async def _record(settings: Settings, record: RoomRecord, role: InvitedRole, expires: int) -> None:
    """Record the event, without link and identity. With read-only access inviting still works."""
    reason = f"{role}, valid until {format_time(datetime.fromtimestamp(expires, UTC))}"
    try:
        async with connect_store(settings, verb="invite", read_only=False) as store:
            await record_event(store, settings, EventType.INVITE, record, reason)
    except StoreError as error:
        warn_of_missing_event(error)


def _seconds(role: InvitedRole, expires: str | None) -> int:
    lifetime = _EGRESS if role == "hidden" else _INVITE
    if expires is None:
        return lifetime.default
    seconds = int(read_option(parse_duration, expires, "--expires"))
    if not 0 < seconds <= lifetime.at_most:
        raise typer.BadParameter(f"{expires} is out of range; {lifetime.rule}", param_hint="--expires")
    return seconds


def _check_identity(role: InvitedRole, identity: str | None) -> None:
    if identity is None:
        return
    if role == "hidden":
        raise typer.BadParameter("it cannot be used with --role hidden", param_hint="--identity")
    if problem := identity_problem(identity):
        raise typer.BadParameter(problem, param_hint="--identity")


def link(invited: Invite, settings: Settings, now: int) -> str:
    """The link to the join page; the invite is in its fragment, which no server gets and no log shows."""
    token = mint_invite(invited, derive_key(settings.secret, Purpose.INVITE), now)
    return f"{settings.public_url}/join/{invited.room_id}#invite={token}"


def egress_token(record: RoomRecord, secret: str, now: int, seconds: int) -> str:
    """The token to join the current live room as hidden. RoomctlError if there is none."""
    key = redact_key(record.key)
    if not record.spec.active:
        raise RoomctlError(f"{key} is not active, so nobody can join it; set `active: true` and retry")
    if record.live is None or record.live.sid is None:
        raise RoomctlError(f"{key} is not live yet; run `roomctl wait {key}` and retry")
    return mint_egress(record.id, record.live.name, derive_key(secret, Purpose.EGRESS), now, seconds)
