"""The other replicas on the same database: what they see, and who of us should lead. Does no I/O.

Each replica renews its document every 2 s (records/replicas.py). Whether one is alive is judged by its
number, which moves, and by our own monotonic clock in seconds: the clocks of two hosts may differ.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from controller.records.replicas import Replica

RENEW_SECONDS: Final = 2.0
"""Seconds between two documents of one replica."""
ALIVE_SECONDS: Final = 3 * RENEW_SECONDS
LIVEKIT_AWAY_SECONDS: Final = 15.0
"""Without a good ListRooms for so long, what was seen is no longer known to be so."""
LIVEKIT_SEEN_SECONDS: Final = 5.0
"""A candidate whose last good ListRooms is no older sees LiveKit."""
SETTLE_SECONDS: Final = 300.0
"""For so long a new holder, and the document of another replica, count where revisions differ."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Another replica; when its number moved last, and since when it has had its revision."""

    replica: Replica
    moved_at: float
    revision_at: float

    def is_alive(self, now: float) -> bool:
        return now - self.moved_at <= ALIVE_SECONDS

    def sees_livekit(self, now: float) -> bool:
        age = self.replica.livekit_age_s
        return age is not None and age + now - self.moved_at <= LIVEKIT_SEEN_SECONDS


@dataclass(slots=True)
class Peers:
    """What this replica knows of the others, and of itself.

    `revision_changed` is set when there is something new to tell the others. `_lead_since` is since when
    this replica holds the lease, None while it does not.
    """

    revision_changed: asyncio.Event = field(default_factory=asyncio.Event)
    _lead_since: float | None = None
    _peers: Mapping[str, Peer] = field(default_factory=dict)
    _revision: str = ""
    _revision_at: float = float("-inf")

    def start_leading(self, now: float) -> None:
        """This replica got the lease."""
        self._lead_since = now

    def stop_leading(self) -> None:
        """This replica lost the lease."""
        self._lead_since = None

    def observe(self, others: Iterable[Replica], now: float, wall: datetime) -> None:
        """The documents of the others, as they stand now. `wall` judges one that is new to us."""
        self._peers = {each.id: _followed(self._peers.get(each.id), each, now, wall) for each in others}

    def observe_revision(self, revision: str, now: float) -> None:
        """Our own manifests, as they were just read. Those of the start are no change."""
        if revision != self._revision:
            self._revision_at = now if self._revision else float("-inf")
            self._revision = revision
            self.revision_changed.set()

    def may_lead(self, livekit_seen: float | None, now: float) -> bool:
        """Whether to take a lease that is free: not while another sees LiveKit and we do not."""
        return not is_away(livekit_seen, now) or not self._sees_livekit(now)

    def should_give_way(self, livekit_seen: float | None, now: float) -> bool:
        """Whether to give the lease up: LiveKit is away for us alone."""
        return is_away(livekit_seen, now) and self._sees_livekit(now)

    def other_revision(self, now: float) -> Replica | None:
        """The replica whose manifests differ, while ours may be the older ones; None: ours may be followed.

        Only a holder of less than 5 minutes has to ask. One who saw its own manifests change while the other
        already had its revision knows that its own are newer.
        """
        if self._lead_since is None or now - self._lead_since >= SETTLE_SECONDS or not self._revision:
            return None
        return next((peer.replica for peer in self._peers.values() if self._is_doubtful(peer, now)), None)

    def _is_doubtful(self, peer: Peer, now: float) -> bool:
        recent = now - peer.moved_at <= SETTLE_SECONDS and bool(peer.replica.revision)
        return recent and peer.replica.revision != self._revision and self._revision_at < peer.revision_at

    def _sees_livekit(self, now: float) -> bool:
        return any(peer.is_alive(now) and peer.sees_livekit(now) for peer in self._peers.values())


def is_away(livekit_seen: float | None, now: float) -> bool:
    """Whether LiveKit has given no good list for so long that what is known of it is old."""
    return livekit_seen is None or now - livekit_seen > LIVEKIT_AWAY_SECONDS


def _followed(before: Peer | None, replica: Replica, now: float, wall: datetime) -> Peer:
    if before is None:
        return Peer(replica, now - max(0.0, (wall - replica.written).total_seconds()), now)
    moved = replica.number != before.replica.number or replica.started != before.replica.started
    same = replica.revision == before.replica.revision
    return Peer(replica, now if moved else before.moved_at, before.revision_at if same else now)
