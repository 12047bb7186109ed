"""The reference's room: fields, values, presets, ids and times. Pure: no I/O, no clock, no randomness."""

import hashlib
import hmac
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, Final, Self, TypeAlias, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from controller import agents as agent_list
from controller.agents import Agent, read_agents
from controller.hours import (
    ALWAYS,
    MOMENT_PATTERN,
    Opening,
    check_rule,
    open_hours,
    read_moment,
    read_overrun,
    read_zone,
)

NAME_PATTERN: Final = r"^[A-Za-z0-9 -]+\Z"
TRIMMED_NAME_PATTERN: Final = r"^\s*[A-Za-z0-9-]([A-Za-z0-9 -]{0,98}[A-Za-z0-9-])?\s*$"
"""The allowed names, before trimming: they are trimmed before they are checked."""
ID_PATTERN: Final = r"^[0-9a-f]{24}\Z"
DEFAULT_USER_ID: Final = "rooms"
MAX_PARTICIPANTS: Final = 100_000
_API_PREFIX: Final = "api/"


class MediaType(StrEnum):
    """Which media a room carries (reference: mediaType)."""

    VIDEO_AUDIO = "MEDIA_TYPE_VIDEO_AUDIO"
    VIDEO_ONLY = "MEDIA_TYPE_VIDEO_ONLY"
    AUDIO_ONLY = "MEDIA_TYPE_AUDIO_ONLY"

    @property
    def has_video(self) -> bool:
        return self is not MediaType.AUDIO_ONLY

    @property
    def has_audio(self) -> bool:
        return self is not MediaType.VIDEO_ONLY


class RecordMode(StrEnum):
    """Layout of a room's composite recording (reference: record_mode)."""

    GRID = "ROOM_COMPOSITE_GRID"
    SPEAKER = "ROOM_COMPOSITE_SPEAKER"
    AND_CHAT = "ROOM_COMPOSITE_AND_CHAT"


class Join(StrEnum):
    """Who may enter: everyone who knows the room's id (link), or only with a proof (invite)."""

    LINK = "link"
    INVITE = "invite"


class Liveness(StrEnum):
    """When a room is live: always, or on demand, from when somebody asks for it until it is empty."""

    ALWAYS = "always"
    ON_DEMAND = "on-demand"


_UTC: Final = read_zone("UTC")


def _readable(read: Callable[[str], Any], *, required: bool = False) -> AfterValidator:
    """The text is one that `read` accepts. Unless it is required, '' is a value that is not set."""

    def check(text: str) -> str:
        try:
            if text or required:
                read(text)
        except ValueError:
            raise PydanticCustomError("unreadable", "it cannot be read") from None
        return text

    return AfterValidator(check)


def _agents(value: Any) -> tuple[Agent, ...]:
    try:
        return read_agents(value)
    except ValueError:
        raise PydanticCustomError("unreadable", "it cannot be read") from None


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=NAME_PATTERN),
    WithJsonSchema({"type": "string", "pattern": TRIMMED_NAME_PATTERN}),
]
UserId = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Media = Annotated[MediaType, Field(strict=False)]
Participants = Annotated[int, Field(ge=1, le=MAX_PARTICIPANTS)]
Mode = Annotated[RecordMode, Field(strict=False)]
JoinMode = Annotated[Join, Field(strict=False)]
LiveMode = Annotated[Liveness, Field(strict=False)]
ReservedSeats = Annotated[int, Field(ge=0, lt=MAX_PARTICIPANTS)]
_Line = Annotated[str, StringConstraints(max_length=500)]
Zone = Annotated[_Line, _readable(read_zone, required=True)]
Moment = Annotated[
    _Line,
    _readable(lambda text: read_moment(text, _UTC)),
    WithJsonSchema({"type": "string", "pattern": rf"^$|{MOMENT_PATTERN}".replace(r"\Z", "$")}),
]
Rule = Annotated[_Line, _readable(check_rule)]
Duration = Annotated[_Line, _readable(read_overrun, required=True)]
Agents = Annotated[tuple[Agent, ...], PlainValidator(_agents), WithJsonSchema(agent_list.SCHEMA)]

FieldKind: TypeAlias = type[str] | type[int] | type[bool] | type[StrEnum] | type[tuple[Any, ...]]
"""A tuple is a list of names or of mappings: the agents."""


@dataclass(frozen=True, slots=True)
class RoomField:
    """A room's field besides its type and default: the metadata of its annotation.

    `description` is a sentence; `rule` describes the allowed values, and is derived from the type if it is
    empty. `in_find`: findLKRoomNameById returns the field. `in_metadata`: the live room's metadata contains
    it. `restricts(before, after)`: whether the change takes rights away from the people inside, and
    `disconnects` whether it may remove some; both are JSON values. `is_ours`: the reference does not have the
    field, so a room is returned with it only if it differs from its default. `reader`: the oldest schema of
    records that may act on such a room. The rest comes from the model: `annotation` with its constraints,
    `kind` without, `default` as JSON.
    """

    description: str
    rule: str = ""
    in_find: bool = False
    in_metadata: bool = False
    restricts: Callable[[Any, Any], bool] | None = None
    disconnects: Callable[[Any, Any], bool] | None = None
    is_ours: bool = False
    reader: int = 1
    name: str = ""
    annotation: Any = None
    kind: FieldKind = str
    required: bool = False
    default: Any = None

    @classmethod
    def of_model(cls, name: str, info: FieldInfo) -> Self:
        """The field as declared in `RoomSpec`."""
        declared = next(part for part in info.metadata if isinstance(part, cls))
        annotation: Any = info.annotation
        kind: Any = get_origin(annotation) or annotation
        return replace(
            declared,
            name=name,
            annotation=Annotated[annotation, *info.metadata],
            kind=kind,
            required=info.is_required(),
            default=None if info.is_required() else _plain(info.default),
            rule=declared.rule or _rule(kind),
        )


def _rule(kind: type) -> str:
    return ", ".join(kind) if issubclass(kind, StrEnum) else "true or false"


def _plain(value: Any) -> Any:
    """The value as JSON."""
    if isinstance(value, tuple):
        return [agent.as_json() for agent in value]
    return str(value) if isinstance(value, StrEnum) else value


def _turned_on(_before: Any, after: Any) -> bool:
    return bool(after)


def _turned_off(_before: Any, after: Any) -> bool:
    return not after


def _narrowed(_before: Any, after: Any) -> bool:
    return bool(after != MediaType.VIDEO_AUDIO)


_shown_field = partial(RoomField, in_find=True, in_metadata=True)
_our_restriction = partial(RoomField, is_ours=True, reader=2)
_EXAMPLE_MOMENTS: Final = "from 2000 to 2100, such as 2026-12-01T14:00:00 or 2026-12-01T14:00:00+01:00"
_HOURS: Final = ("timezone", "opens", "closes", "repeats")
"""The fields that say when a room is open, in the order in which they are checked."""


class RoomSpec(BaseModel):
    """The desired configuration of a room: the reference's create body and our fields, with defaults.

    This is the only table of a room's fields: the record, the manifest reader, the JSON Schema, the API's
    bodies, filters and responses, the plan and the live metadata are derived from it. Field names are those
    of the reference. Strict: "20" is not an integer and 1 is not a boolean.
    """

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        hide_input_in_errors=True,
        regex_engine="python-re",  # the default engine has no \Z, and `$` accepts a final newline
    )

    name: Annotated[
        Name,
        RoomField(
            "Human-readable room name.", "1 to 100 characters: A-Z a-z 0-9, space and -", in_metadata=True
        ),
    ]
    user_id: Annotated[UserId, RoomField("Owner id of the room.", "1 to 128 characters")] = DEFAULT_USER_ID
    mediaType: Annotated[
        Media, RoomField("Which media the room carries.", in_metadata=True, restricts=_narrowed)
    ] = MediaType.VIDEO_AUDIO
    max_participants: Annotated[
        Participants,
        RoomField(
            "Maximum number of participants allowed to join the meeting simultaneously.",
            f"an integer from 1 to {MAX_PARTICIPANTS}",
        ),
    ]
    allow_webinar_mode: Annotated[
        bool,
        _shown_field(
            "Whether the room supports webinar-style guest behavior beside the speaker path.",
            restricts=_turned_on,
        ),
    ] = False
    allow_chat: Annotated[
        bool,
        _shown_field("Whether chat remains available in the browser room experience.", restricts=_turned_off),
    ] = False
    allow_share_screen: Annotated[
        bool,
        _shown_field("Whether speakers may share their screen inside the room.", restricts=_turned_off),
    ] = False
    record: Annotated[bool, _shown_field("Whether the room is treated as record-enabled.")] = False
    record_mode: Annotated[Mode, RoomField("Composite recording mode for the room.", in_find=True)] = (
        RecordMode.GRID
    )
    active: Annotated[bool, RoomField("Whether the room is active right after provisioning.")] = True
    join: Annotated[
        JoinMode,
        _our_restriction(
            "Who may enter: link, everyone with the room's id; invite, only with an invite or access token."
        ),
    ] = Join.LINK
    reserved_seats: Annotated[
        ReservedSeats,
        _our_restriction(
            "Seats kept for participants with an invite or an access token.",
            "an integer from 0 to max_participants - 1",
            disconnects=operator.lt,
        ),
    ] = 0
    live: Annotated[
        LiveMode,
        RoomField(
            "When the room is live: always, or on-demand, from when somebody asks for it until it is empty.",
            is_ours=True,
        ),
    ] = Liveness.ALWAYS
    timezone: Annotated[
        Zone,
        RoomField(
            "The time zone of opens, closes and repeats.",
            "an IANA time zone such as Europe/Berlin",
            is_ours=True,
        ),
    ] = "UTC"
    opens: Annotated[
        Moment,
        _our_restriction(
            "When the room opens. Without an offset it is local to timezone.",
            f"a date and time {_EXAMPLE_MOMENTS}",
        ),
    ] = ""
    closes: Annotated[
        Moment,
        _our_restriction(
            "When the room closes for newcomers. Without an offset it is local to timezone.",
            f"a date and time after opens, {_EXAMPLE_MOMENTS}",
        ),
    ] = ""
    repeats: Annotated[
        Rule,
        _our_restriction(
            "How the window from opens to closes repeats: an RRULE of RFC 5545.",
            "an RRULE such as FREQ=WEEKLY;BYDAY=MO, with FREQ DAILY, WEEKLY, MONTHLY or YEARLY "
            "and without BYHOUR, BYMINUTE and BYSECOND",
        ),
    ] = ""
    overrun: Annotated[
        Duration,
        RoomField(
            "How long those inside may stay after the room has closed.",
            "a duration from 0s to 24h, such as 15m",
            is_ours=True,
        ),
    ] = "15m"
    agents: Annotated[
        Agents,
        RoomField(
            "The LiveKit agents that serve the room while people are inside.", agent_list.RULE, is_ours=True
        ),
    ] = ()

    @field_validator("reserved_seats")
    @classmethod
    def _leaves_a_seat(cls, seats: int, info: ValidationInfo) -> int:
        if seats >= info.data.get("max_participants", MAX_PARTICIPANTS):
            raise ValueError(cls.model_fields["reserved_seats"].metadata[-1].rule)
        return seats

    @field_validator("opens", "closes", "repeats")
    @classmethod
    def _fits_the_hours(cls, text: str, info: ValidationInfo) -> str:
        """Each with those before it; a field that is invalid itself is reported alone."""
        before = [name for name in _HOURS if name in info.data or name == info.field_name]
        if text and before == list(_HOURS[: len(before)]):
            values = {**dict.fromkeys(_HOURS, ""), **info.data, str(info.field_name): text}
            open_hours(**{name: values[name] for name in _HOURS})
        return text

    @property
    def is_on_demand(self) -> bool:
        """Whether the room is live only while somebody asks for it or is inside."""
        return self.live is Liveness.ON_DEMAND

    def opening(self, now: datetime) -> Opening:
        """The current or the next window of the open hours; `now` is UTC."""
        if not (self.opens or self.closes):
            return ALWAYS
        return open_hours(self.opens, self.closes, self.timezone, self.repeats).at(now)

    @property
    def overrun_time(self) -> timedelta:
        """How long people may stay after the room has closed."""
        return read_overrun(self.overrun)

    def cut_off(self, now: datetime) -> datetime | None:
        """When the people in the live room have to leave; None: never."""
        closes = self.opening(now).closes(now)
        return closes + self.overrun_time if closes is not None else None

    def next_change(self, now: datetime) -> datetime | None:
        """When the open hours change something next."""
        opening = self.opening(now)
        return None if opening is ALWAYS else opening.next_change(now, self.overrun_time)

    def as_dict(self) -> dict[str, Any]:
        """The spec as plain JSON values, in the reference's order of fields."""
        return {name: _plain(getattr(self, name)) for name in FIELDS}


def problems_of(error: ValidationError) -> Iterator[tuple[str, str]]:
    """The fields of a RoomSpec that are invalid, each with the value that it needs: a noun phrase."""
    for each in error.errors(include_url=False, include_context=False, include_input=False):
        name, text = str(each["loc"][0]), each["msg"].removeprefix("Value error, ")
        yield name, text if each["type"] == "value_error" else FIELDS[name].rule


FIELDS: Final[Mapping[str, RoomField]] = {
    name: RoomField.of_model(name, info) for name, info in RoomSpec.model_fields.items()
}
"""The fields of a room that a caller can set, by name: the reference's ten in its order, then ours."""

HOURS: Final = (*_HOURS, "overrun")
"""The fields of the open hours."""

OUR_FIELDS: Final = tuple(name for name, field in FIELDS.items() if field.is_ours)
REFERENCE_FIELDS: Final = tuple(name for name in FIELDS if name not in OUR_FIELDS)

ANSWER_ORDER: Final = (
    *(name for name in REFERENCE_FIELDS if name not in ("max_participants", "active")),
    *("max_participants", "sid", "active"),
)
"""The fields in the order in which the reference prints a room, with `sid` among them."""

READ_ONLY_FIELDS: Final = ("_id", "sid", "created", "modified", "success")
"""Other fields that the API returns. They are ignored in a body, so that a read room can be written back."""


class Disruption(StrEnum):
    """What a change does to people inside, even if there are none; the worst is last."""

    NONE = "none"
    RESTRICTS = "restricts"
    DISCONNECTS = "disconnects"

    @classmethod
    def worst(cls, kinds: Iterable["Disruption"]) -> "Disruption":
        """The worst of these; NONE if there are none."""
        return max(kinds, key=list(cls).index, default=cls.NONE)


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of the spec, as JSON values; `before` is None on create."""

    field: str
    before: Any
    after: Any

    @property
    def disruption(self) -> Disruption:
        """What it does to the people inside."""
        field = FIELDS[self.field]
        for happens, kind in (
            (field.disconnects, Disruption.DISCONNECTS),
            (field.restricts, Disruption.RESTRICTS),
        ):
            if happens is not None and self.before is not None and happens(self.before, self.after):
                return kind
        return Disruption.NONE

    def as_dict(self) -> dict[str, Any]:
        """The change as JSON, in plans and in events."""
        return {"field": self.field, "from": self.before, "to": self.after}


def our_values(spec: RoomSpec) -> dict[str, Any]:
    """Our fields that differ from their defaults, as JSON values."""
    values = {name: _plain(getattr(spec, name)) for name in OUR_FIELDS}
    return {name: value for name, value in values.items() if value != FIELDS[name].default}


def required_reader(spec: RoomSpec) -> int:
    """The oldest schema of records that may act on a room of this spec."""
    return max((FIELDS[name].reader for name in our_values(spec)), default=1)


def field_changes(before: RoomSpec | None, after: RoomSpec) -> tuple[FieldChange, ...]:
    """The fields that differ, in the order of FIELDS.

    For a new room, those of the reference and those of ours that are set, from None.
    """
    if before is after:
        return ()
    new = after.as_dict()
    if before is None:
        given = (*REFERENCE_FIELDS, *our_values(after))
        return tuple(FieldChange(field, None, new[field]) for field in given)
    old = before.as_dict()
    return tuple(FieldChange(field, old[field], new[field]) for field in FIELDS if old[field] != new[field])


_STANDARD_TEAM: Final[Mapping[str, Any]] = {
    "mediaType": "MEDIA_TYPE_VIDEO_AUDIO",
    "max_participants": 20,
    "allow_webinar_mode": False,
    "allow_chat": True,
    "allow_share_screen": True,
    "record": False,
    "record_mode": "ROOM_COMPOSITE_GRID",
    "active": True,
}
PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "standard-team": _STANDARD_TEAM,
    "guest-webinar": {
        **_STANDARD_TEAM,
        "max_participants": 200,
        "allow_webinar_mode": True,
        "allow_share_screen": False,
    },
    "audio-briefing": {
        **_STANDARD_TEAM,
        "mediaType": "MEDIA_TYPE_AUDIO_ONLY",
        "max_participants": 50,
        "allow_share_screen": False,
    },
    "recorded-speaker": {
        **_STANDARD_TEAM,
        "max_participants": 50,
        "allow_webinar_mode": True,
        "record": True,
        "record_mode": "ROOM_COMPOSITE_SPEAKER",
    },
}
"""The reference's four create payloads as defaults, without name and user_id."""


class Purpose(StrEnum):
    """The purpose of a key derived from ROOMCTL_SECRET; each purpose has its own key."""

    OWNER_MARK = "owner-mark"
    ROOM_ID = "room-id"
    INVITE = "invite"
    EGRESS = "egress"
    FINGERPRINT = "fingerprint"
    SAVED_PLAN = "saved-plan"


def derive_key(secret: str, purpose: Purpose) -> bytes:
    """HKDF-SHA256 (RFC 5869) of `secret`, 32 bytes, separated by purpose."""
    pseudo_random = hmac.digest(b"roomctl", secret.encode(), hashlib.sha256)
    return hmac.digest(pseudo_random, f"roomctl/{purpose}".encode() + b"\x01", hashlib.sha256)


def room_id(key: str, id_key: bytes) -> str:
    """The id of the manifest room `key`: 24 hex digits; `id_key` is the derived key of ROOM_ID."""
    return hmac.digest(id_key, key.encode(), hashlib.sha256)[:12].hex()


def api_key(room_id: str) -> str:
    """The key of a room made over the API."""
    return _API_PREFIX + room_id


def redact_key(key: str) -> str:
    """The key for display: an API room's contains its id, with which people can join: cut to six digits."""
    return key[: len(_API_PREFIX) + 6] if key.startswith(_API_PREFIX) else key


def redact_room_id(text: str, room_id: str) -> str:
    """`text` for display, with the room's id cut to six digits."""
    return text.replace(room_id, f"{room_id[:6]}…")


def truncate_to_millis(moment: datetime) -> datetime:
    """`moment` in UTC, cut to whole milliseconds: what BSON stores and the reference prints."""
    utc = moment.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def format_time(moment: datetime) -> str:
    """UTC, exactly three decimals, `Z`: 2026-03-24T16:00:00.000Z."""
    return truncate_to_millis(moment).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def next_modified(previous: datetime, now: datetime) -> datetime:
    """The time of a change: now, but at least 1 ms after the previous one, never backwards."""
    return max(truncate_to_millis(now), previous + timedelta(milliseconds=1))
