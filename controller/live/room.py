"""LiveKit's rooms, participants and permissions as frozen data. Pure."""

from dataclasses import dataclass, field
from typing import Final

EMPTY_TIMEOUT_SECONDS: Final = 10 * 365 * 24 * 3600
"""empty_timeout and departure_timeout of our rooms: ten years, since LiveKit has no unlimited value."""
ON_DEMAND_TIMEOUT_SECONDS: Final = 600
"""The same of a room that is live on demand: LiveKit closes it once it has been empty for so long."""

AGENT_NAME_ATTRIBUTES: Final = ("lk.agent.name", "lk.agent_name")
"""LiveKit gives each agent that it dispatches an attribute with its name; older servers know the second."""

SOURCES: Final = ("CAMERA", "MICROPHONE", "SCREEN_SHARE", "SCREEN_SHARE_AUDIO")
"""LiveKit's track sources in the one order in which we write and compare them."""


@dataclass(frozen=True, slots=True)
class LiveRoom:
    """A room as ListRooms or CreateRoom returns it.

    `num_participants` lags by seconds (docs/livekit.md#rooms): it does not prove that a room is empty.
    `created_at` is in milliseconds since the epoch. The room's TURN password is not kept.
    """

    name: str
    sid: str
    metadata: str = ""
    max_participants: int = 0
    empty_timeout: int = 0
    departure_timeout: int = 0
    num_participants: int = 0
    created_at: int = 0
    active_recording: bool = False


@dataclass(frozen=True, slots=True)
class Permission:
    """A participant's permission in LiveKit's terms; every bool is set.

    `sources` are some of SOURCES, in that order; for LiveKit an empty list means all, so for no source
    can_publish is False.
    """

    can_subscribe: bool = True
    can_publish: bool = False
    can_publish_data: bool = False
    sources: tuple[str, ...] = ()
    hidden: bool = False
    can_update_metadata: bool = False


@dataclass(frozen=True, slots=True)
class Track:
    """A published track, in LiveKit's terms.

    `type` is what it carries: AUDIO, VIDEO or DATA. `source` is what its publisher declares (CAMERA,
    MICROPHONE, …); LiveKit does not check that they agree (docs/livekit.md#participants).
    """

    type: str
    source: str


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A call of an agent as LiveKit lists it. `job_count` is how many workers have taken it, as far as known.

    It does not say whether the agent is inside (docs/livekit.md#agents).
    """

    id: str
    agent: str
    job_count: int = 0


@dataclass(frozen=True, slots=True)
class Participant:
    """A participant as ListParticipants returns it.

    `kind` is LiveKit's: STANDARD, AGENT, EGRESS, INGRESS, SIP. `joined_at` is in milliseconds since the
    epoch. `gone`: listed, but no longer connected (presence.py).
    """

    identity: str
    sid: str = ""
    kind: str = "STANDARD"
    permission: Permission = Permission()
    recorder: bool = False
    attributes: dict[str, str] = field(default_factory=dict)
    tracks: tuple[Track, ...] = ()
    joined_at: int = 0
    gone: bool = False
    name: str = ""

    @property
    def agent(self) -> str | None:
        """The name of a dispatched agent, '' for the unnamed one; None for all other participants."""
        if self.kind != "AGENT":
            return None
        return next(
            (self.attributes[name] for name in AGENT_NAME_ATTRIBUTES if name in self.attributes), None
        )
