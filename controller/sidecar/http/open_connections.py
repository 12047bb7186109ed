"""The open connections of a listener, and which of them to close for a new one when it is full."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar


class Held(Protocol):
    """A connection. `network`: under which it is counted. `unsent`: it has an unread response."""

    @property
    def network(self) -> str: ...
    @property
    def unsent(self) -> bool: ...


C = TypeVar("C", bound=Held)


@dataclass(frozen=True, slots=True)
class _Network(Generic[C]):
    """The connections of one network, in the order of their last change: a dict is an ordered set."""

    idle: dict[C, None] = field(default_factory=dict)
    busy: dict[C, None] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.idle) + len(self.busy)

    def __iter__(self) -> Iterator[C]:
        yield from self.busy
        yield from self.idle


class OpenConnections(Generic[C]):
    """Sorted as they change, so that a flood of newcomers costs little to each of them.

    A connection is idle between two requests and before the first one, and else busy.
    """

    def __init__(self) -> None:
        self._networks: dict[str, _Network[C]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[C]:
        for network in list(self._networks.values()):
            yield from list(network)

    def add(self, connection: C) -> None:
        """A new one, which is idle."""
        self._networks.setdefault(connection.network, _Network()).idle[connection] = None
        self._count += 1

    def discard(self, connection: C) -> None:
        """It may have been discarded before."""
        network = self._networks.get(connection.network)
        if network is None or (connection not in network.idle and connection not in network.busy):
            return
        network.idle.pop(connection, None)
        network.busy.pop(connection, None)
        self._count -= 1
        if not network:
            del self._networks[connection.network]

    def mark_busy(self, connection: C) -> None:
        """A request of it begins."""
        network = self._networks.get(connection.network)
        if network is not None and connection in network.idle:
            del network.idle[connection]
            network.busy[connection] = None

    def mark_idle(self, connection: C) -> None:
        """Its request is answered."""
        network = self._networks.get(connection.network)
        if network is not None and connection in network.busy:
            del network.busy[connection]
            network.idle[connection] = None

    def to_close_for(self, newcomer: str) -> C | None:
        """The longest-idle connection of the network with the most; preferably of the newcomer's own network.

        If none of these is idle, the one with the longest request, but only if that network then still has
        the most. Otherwise None.
        """
        own = self._networks.get(newcomer, _Network())
        most = max(self._networks.values(), key=len, default=own)
        if len(own) == len(most):
            most = own
        idle = next((each for each in most.idle if not each.unsent), None)
        return next(iter(most), None) if idle is None and len(most) > len(own) + 1 else idle
