"""Finds participants whose connection was replaced by one with another token, and records an event.

LiveKit disconnects the first of two participants with one identity. That is a reload of the page, or somebody
else (docs/access.md#identities): the `jti` of the tokens tells which.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from controller.access.policy import JTI_ATTRIBUTE
from controller.clock import Clock
from controller.events.log import EventLog
from controller.live.webhook import WebhookEvent
from controller.records.events import Event, EventType
from controller.state_cache import StateCache
from controller.text import quote_excerpt

MAX_REPLACED: Final = 1_000
MAX_SEEN: Final = 200
_HEEDED: Final = ("participant_left", "participant_joined")
_DUPLICATE: Final = "DUPLICATE_IDENTITY"


@dataclass(slots=True)
class TakeoverDetector:
    """Remembers whose connection was replaced, until the new one is reported.

    LiveKit may report one event twice: `_seen` are the ids of the last ones.
    """

    _replaced: dict[tuple[str, str], str] = field(default_factory=dict)
    _seen: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_SEEN))

    def observe(self, event: WebhookEvent) -> bool:
        """Whether this reports a participant with another token than the one that was replaced."""
        if event.event not in _HEEDED or (event.id and event.id in self._seen):
            return False
        self._seen.append(event.id)
        participant, digest = (event.room, event.identity), event.attributes.get(JTI_ATTRIBUTE, "")
        match event.event:
            case "participant_left" if event.disconnect_reason == _DUPLICATE:
                if len(self._replaced) >= MAX_REPLACED:
                    self._replaced.clear()
                self._replaced[participant] = digest
            case "participant_joined":
                return self._replaced.pop(participant, digest) != digest
        return False


@dataclass(frozen=True, slots=True)
class Takeovers:
    """Records takeovers in rooms with a record."""

    state: StateCache
    events: EventLog
    clock: Clock
    detector: TakeoverDetector = field(default_factory=TakeoverDetector)

    def on_webhook(self, event: WebhookEvent) -> None:
        """A verified webhook."""
        if not self.detector.observe(event):
            return
        for record in self.state.records.by_id.values():
            if record.live is not None and record.live.name == event.room:
                reason = f"{quote_excerpt(event.identity)} joined again with another token"
                self.events.record(
                    Event(
                        at=self.clock.wall(),
                        type=EventType.TAKEOVER,
                        key=record.key,
                        room_id=record.id,
                        reason=reason,
                    )
                )
