"""LiveKit's listing of egresses, read at the start of each pass."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from controller.clock import Clock
from controller.errors import LiveKitError
from controller.live.egress import Egress
from controller.live.ports import EgressReader


@dataclass(slots=True)
class EgressListing:
    """The egresses that had not ended at `asked`, by room. `error`: why the listing failed."""

    reader: EgressReader
    clock: Clock
    by_room: Mapping[str, tuple[Egress, ...]] = field(default_factory=dict)
    asked: float = float("-inf")
    error: LiveKitError | None = None

    async def refresh(self) -> None:
        """Read it from LiveKit; an error is kept, not raised."""
        asked = self.clock.monotonic()
        try:
            listed, self.error = await self.reader.recordings(), None
        except LiveKitError as error:
            listed, self.error = [], error
        self.asked, self.by_room = asked, _by_room(listed)

    def all(self) -> list[Egress]:
        return [egress for egresses in self.by_room.values() for egress in egresses]

    def of_rooms(self, names: Iterable[str]) -> list[Egress]:
        return [egress for name in names for egress in self.by_room.get(name, ())]


def _by_room(listed: Iterable[Egress]) -> dict[str, tuple[Egress, ...]]:
    by_room: dict[str, list[Egress]] = {}
    for egress in listed:
        by_room.setdefault(egress.room, []).append(egress)
    return {room: tuple(egresses) for room, egresses in by_room.items()}
