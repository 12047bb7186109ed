"""The other replicas on the same database: what they see, and which one should lead. Does no I/O.

Each replica renews its document every 2 s (records/replicas.py). It is alive if its number changes within
a time of our own monotonic clock, in seconds: the clocks of two hosts may differ.
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
"""Without a successful ListRooms for this long, the last listing counts as outdated."""
LIVEKIT_SEEN_SECONDS: Final = 5.0
"""A candidate whose last successful ListRooms is not older reaches LiveKit."""
SETTLE_SECONDS: Final = 300.0
"""How long a new holder, and another replica's document, count if revisions differ."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Another replica; when its number last changed, and since when it has its revision."""

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

    `revision_changed` is set when the others should get our new revision. `_lead_since` is since when this
    replica holds the lease, None while it does not.
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
        """The current documents of the others. `wall` is for the age of a new one."""
        self._peers = {each.id: _followed(self._peers.get(each.id), each, now, wall) for each in others}

    def observe_revision(self, revision: str, now: float) -> None:
        """The revision that was just read. The first one is not a change."""
        if revision != self._revision:
            self._revision_at = now if self._revision else float("-inf")
            self._revision = revision
            self.revision_changed.set()

    def may_lead(self, livekit_seen: float | None, now: float) -> bool:
        """Whether to take a free lease: not while another reaches LiveKit and we do not."""
        return not is_away(livekit_seen, now) or not self._sees_livekit(now)

    def should_give_way(self, livekit_seen: float | None, now: float) -> bool:
        """Whether to give the lease up: LiveKit is unreachable only for us."""
        return is_away(livekit_seen, now) and self._sees_livekit(now)

    def other_revision(self, now: float) -> Replica | None:
        """The replica whose manifests differ while ours may be older; None: ours may be applied.

        Only in the first 5 minutes of the lease. If our manifests changed while the other already had its
        revision, ours are newer.
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
    """Whether the last successful listing of LiveKit is too old."""
    return livekit_seen is None or now - livekit_seen > LIVEKIT_AWAY_SECONDS


def _followed(before: Peer | None, replica: Replica, now: float, wall: datetime) -> Peer:
    if before is None:
        return Peer(replica, now - max(0.0, (wall - replica.written).total_seconds()), now)
    moved = replica.number != before.replica.number or replica.started != before.replica.started
    same = replica.revision == before.replica.revision
    return Peer(replica, now if moved else before.moved_at, before.revision_at if same else now)
