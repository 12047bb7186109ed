"""LiveKit in memory, for fast tests. It passes the same contract tests as the client on a real server."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from controller.access.people import is_person
from controller.agents import NO_AGENT
from controller.errors import (
    LiveKitError,
    LiveKitNodeUnavailableError,
    LiveKitNotFoundError,
    LiveKitRejectedError,
)
from controller.live.egress import Egress, EgressStatus, RecordingRequest
from controller.live.room import EMPTY_TIMEOUT_SECONDS, Dispatch, LiveRoom, Participant, Permission, Track

_CANONICAL = ("CAMERA", "MICROPHONE", "SCREEN_SHARE", "SCREEN_SHARE_AUDIO")


class FakeLive:
    """Both faces of LiveKit: a CompanionReader and a LiveKitWriter.

    `fail[call]` is raised by that call (`create_room`, or `create_room NAME` for one room alone) until it
    is taken out again; `calls` counts each call. `vanish` is what expiry or a hand does to a room, `enter`
    and `go` are people; `ghosts` are listed without being there, `forgotten` are there without being listed.
    `egresses` are its recordings; `becomes` is what a worker says of one. `workers` are the names of agents
    that a worker sends at once; `called` are all calls of agents so far, as (room, agent, metadata).
    """

    def __init__(self) -> None:
        self.fail: dict[str, LiveKitError] = {}
        self.calls: Counter[str] = Counter()
        self.egresses: dict[str, Egress] = {}
        self.ghosts: set[str] = set()
        self.forgotten: set[str] = set()
        self.workers: set[str] = set()
        self.called: list[tuple[str, str, str]] = []
        self._dispatches: dict[str, dict[str, Dispatch]] = {}
        self._rooms: dict[str, LiveRoom] = {}
        self._inside: dict[str, dict[str, Participant]] = {}
        self._made = 0
        self.ahead_s: float | None = None

    @property
    def clock_ahead_s(self) -> float | None:
        return self.ahead_s

    async def rooms(self) -> list[LiveRoom]:
        self._called("rooms", "")
        return [
            replace(room, num_participants=self._people(name)) if self._inside[name] else room
            for name, room in self._rooms.items()
        ]

    async def participants(self, name: str, within: float | None = None) -> list[Participant]:
        del within  # memory is always in time
        self._called("participants", name)
        inside = [one for one in self._inside.get(name, {}).values() if one.identity not in self.forgotten]
        return [replace(one, gone=True) if one.identity in self.ghosts else one for one in inside]

    async def is_listed(self, name: str) -> bool:
        self._called("is_listed", name)
        return name in self._rooms

    async def create_room(
        self,
        name: str,
        metadata: str,
        max_participants: int,
        empty_timeout: int = EMPTY_TIMEOUT_SECONDS,
        *,
        calls_agents: bool = False,
    ) -> LiveRoom:
        """On a room that is live a pure get, as on the real server."""
        self._called("create_room", name)
        if len(name.encode()) > 256:
            raise LiveKitRejectedError("the fake refused the call (CreateRoom, 400)")
        if name not in self._rooms:
            self._made += 1
            self.put(
                LiveRoom(
                    name=name,
                    sid=f"RM_{self._made:012}",
                    metadata=metadata,
                    max_participants=max_participants,
                    empty_timeout=empty_timeout,
                    departure_timeout=empty_timeout,
                    created_at=1_700_000_000_000 + self._made,
                )
            )
            self._dispatch(name, NO_AGENT if calls_agents else "")
        return self._rooms[name]

    async def delete_room(self, name: str) -> None:
        self._called("delete_room", name)
        self.vanish(name)

    async def update_metadata(self, name: str, metadata: str) -> None:
        self._called("update_metadata", name)
        self._rooms[name] = replace(self._room(name), metadata=metadata)

    async def update_permission(
        self, name: str, identity: str, permission: Permission, attributes: Mapping[str, str] | None = None
    ) -> None:
        """Attributes merge, and the tracks that are not allowed any more go, as on the real server."""
        self._called("update_permission", name)
        inside = self._inside.get(name, {})
        if identity not in inside:
            raise LiveKitNotFoundError("the fake knows no such participant (UpdateParticipant)")
        sources = tuple(source for source in _CANONICAL if source in permission.sources)
        someone = inside[identity]
        merged = {k: v for k, v in (someone.attributes | dict(attributes or {})).items() if v}
        inside[identity] = replace(
            someone,
            permission=replace(permission, sources=sources),
            attributes=merged,
            tracks=tuple(track for track in someone.tracks if _may_publish(permission, track)),
        )

    async def remove_participant(self, name: str, identity: str) -> None:
        self._called("remove_participant", name)
        if self._inside.get(name, {}).pop(identity, None) is None:
            raise LiveKitNotFoundError("the fake knows no such participant (RemoveParticipant)")

    async def is_connected(self, name: str, identity: str) -> bool:
        self._called("is_connected", name)
        return identity in self._inside.get(name, {}) and identity not in self.ghosts

    async def dispatches(self, name: str) -> list[Dispatch]:
        self._called("dispatches", name)
        if name not in self._rooms:
            raise LiveKitNodeUnavailableError("the fake has no such room (ListDispatch)")
        return list(self._dispatches.get(name, {}).values())

    async def call_agent(self, name: str, agent: str, metadata: str) -> None:
        self._called("call_agent", name)
        if name not in self._rooms:
            raise LiveKitNodeUnavailableError("the fake has no such room (CreateDispatch)")
        self.called.append((name, agent, metadata))
        self._dispatch(name, agent)

    async def delete_dispatch(self, name: str, dispatch_id: str) -> None:
        self._called("delete_dispatch", name)
        if self._dispatches.get(name, {}).pop(dispatch_id, None) is not None:
            self._inside.get(name, {}).pop(f"agent-{dispatch_id}", None)

    def _dispatch(self, name: str, agent: str) -> None:
        """A call of an agent, which comes at once if a worker has it; LiveKit's own call is not listed."""
        self._made += 1
        dispatch = Dispatch(f"AD_{self._made:012}", agent, int(agent in self.workers))
        if agent in self.workers:
            identity = f"agent-{dispatch.id}"
            self.enter(name, identity, Permission(), {"lk.agent.name": agent}, kind="AGENT")
        self._dispatches.setdefault(name, {})[dispatch.id] = dispatch

    async def recordings(self) -> list[Egress]:
        self._called("recordings", "")
        return [egress for egress in self.egresses.values() if not egress.status.ended]

    async def recording(self, egress_id: str) -> Egress:
        self._called("recording", egress_id)
        if egress_id not in self.egresses:
            raise LiveKitNotFoundError("the fake knows no such egress (ListEgress)")
        return self.egresses[egress_id]

    async def recordings_of(self, name: str) -> list[Egress]:
        self._called("recordings_of", name)
        return [egress for egress in self.egresses.values() if egress.room == name]

    async def start_recording(self, request: RecordingRequest) -> Egress:
        self._called("start_recording", request.room)
        self._room(request.room)
        self._made += 1
        file = f"s3://{request.bucket}/{request.path}" if request.bucket else request.path
        egress = Egress(
            id=f"EG_{self._made:012}",
            room=request.room,
            status=EgressStatus.STARTING,
            file=file,
            layout=request.layout,
            page=request.page,
            started=datetime.fromtimestamp(1_700_000_000 + self._made, UTC),
            updated=self._made,
        )
        self.egresses[egress.id] = egress
        return egress

    async def stop_recording(self, egress_id: str) -> None:
        self._called("stop_recording", egress_id)
        if (await FakeLive.recording(self, egress_id)).status.ended:
            raise LiveKitRejectedError("the fake refused the call (StopEgress, 412)")
        self.becomes(egress_id, EgressStatus.COMPLETE)

    def becomes(self, egress_id: str, status: EgressStatus, **news: Any) -> None:
        """The worker says something new of an egress, and is in the room while that is active."""
        self._made += 1
        inside = self._inside.get(self.egresses[egress_id].room, {})
        inside.pop(egress_id, None)
        if status is EgressStatus.ACTIVE:
            news = {"recorded_from": self.egresses[egress_id].started} | news
            inside[egress_id] = Participant(egress_id, f"PA_{egress_id}", "EGRESS", recorder=True)
        self.egresses[egress_id] = replace(
            self.egresses[egress_id], status=status, updated=self._made, **news
        )

    def publish(self, name: str, identity: str, kind: str, source: str) -> None:
        """Somebody publishes a track; one that may not is not heard, and the source is whatever it says."""
        someone, track = self._inside[name][identity], Track(kind, source)
        if _may_publish(someone.permission, track):
            self._inside[name][identity] = replace(someone, tracks=(*someone.tracks, track))

    def put(self, room: LiveRoom) -> None:
        """A room that somebody else made, or one as it is to be found."""
        self._rooms[room.name] = room
        self._inside.setdefault(room.name, {})

    def vanish(self, name: str) -> None:
        """The room is gone, and everybody in it is out; one that is not there is none the less gone."""
        self._rooms.pop(name, None)
        self._inside.pop(name, None)
        self._dispatches.pop(name, None)

    def enter(
        self,
        name: str,
        identity: str,
        permission: Permission,
        attributes: Mapping[str, str] | None = None,
        kind: str = "STANDARD",
    ) -> None:
        """Somebody walks in; a second with the same identity throws the first out."""
        self._room(name)
        self._inside[name][identity] = Participant(
            identity, f"PA_{identity}", kind, permission, attributes=dict(attributes or {})
        )

    def go(self, name: str, identity: str) -> None:
        del self._inside[name][identity]

    def _people(self, name: str) -> int:
        return sum(is_person(participant) for participant in self._inside[name].values())

    def _room(self, name: str) -> LiveRoom:
        if name not in self._rooms:
            raise LiveKitNotFoundError("the fake knows no such room")
        return self._rooms[name]

    def _called(self, call: str, name: str) -> None:
        self.calls[call] += 1
        for failure in (call, f"{call} {name}"):
            if failure in self.fail:
                raise self.fail[failure]


def _may_publish(permission: Permission, track: Track) -> bool:
    """No sources are all sources."""
    return permission.can_publish and (not permission.sources or track.source in permission.sources)
