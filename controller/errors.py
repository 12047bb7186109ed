"""Every error the controller raises on purpose. Foreign errors are translated into these once, at the edge.

RoomctlError                 the message is one sentence: what, where, and what to do
|-- SettingsError            a setting is missing or wrong: one line per setting
|-- RoomsDirError            the rooms folder is missing or cannot be read
|-- StoreError               MongoDB
|   |-- StoreAway            out of reach, or no primary: retried with backoff
|   |-- StoreConflict        a compare-and-set was lost: the room is planned again
|   |-- StoreRefused         wrong credentials, or what MongoDB does not let us do
|   |   `-- StoreForeign     another instance's database, or a newer schema: waiting will not help
|   `-- StoreLocked          the embedded store is in use by another process
|-- LiveError                LiveKit
|   |-- LiveAway             out of reach, too slow, or 5xx: retried with backoff
|   |   `-- NodeAway         nobody answers for this one room: its server was restarted, or is gone
|   |-- LiveDenied           the key or the secret is wrong
|   |-- LiveNotFound         no such room, participant or egress
|   |-- LiveRejected         the server refused this one call
|   |-- NoEgressService      the server has no Redis, so nothing can be recorded
|   `-- NoEgressWorker       no worker took a recording: none is there, or all are full
|-- LeaseHeld                another controller is at work on these records
|   `-- LeaveRefused         and more rooms are missing than it may be given leave to remove
`-- LeaseLost                this process no longer holds the lease and must not write
"""

from collections.abc import Sequence


class RoomctlError(Exception):
    """Base of all errors raised on purpose. `str()` of one is safe to show: it holds no secret."""


class SettingsError(RoomctlError):
    """One or more settings are missing or wrong; `problems` has one line for each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class RoomsDirError(RoomctlError):
    """The rooms folder is missing or cannot be read as a folder."""


class StoreError(RoomctlError):
    """Something about MongoDB."""


class StoreAway(StoreError):
    """MongoDB is out of reach or has no primary; the call may be repeated."""


class StoreConflict(StoreError):
    """A compare-and-set found another state than it expected; read again and plan again."""


class StoreRefused(StoreError):
    """MongoDB answered and will not serve us: credentials, or what it does not let us do."""


class StoreForeign(StoreRefused):
    """The database is another instance's, or of a newer schema: waiting will not help."""


class StoreLocked(StoreError):
    """The embedded store's folder is in use by another process."""


class LiveError(RoomctlError):
    """Something about LiveKit."""


class LiveAway(LiveError):
    """LiveKit is out of reach, too slow, or answered 5xx; the call may be repeated."""


class NodeAway(LiveAway):
    """LiveKit answers, but no server of it for this one room: the one that had it was restarted or died."""


class LiveDenied(LiveError):
    """LiveKit refused the API key or secret (401, 403)."""


class LiveNotFound(LiveError):
    """LiveKit knows no such room, participant or egress (404)."""


class LiveRejected(LiveError):
    """LiveKit refused this one call (400, 409, 412): repeating it unchanged will not help."""


class NoEgressService(LiveError):
    """LiveKit is not connected to egress workers: it runs without Redis."""


class NoEgressWorker(LiveError):
    """No egress worker took the recording within LiveKit's own time: none is there, or all are full."""


class LeaseHeld(RoomctlError):
    """Another controller is at work on these records; `holder` names it (host, pid, verb)."""

    def __init__(self, holder: str) -> None:
        self.holder = holder
        super().__init__(
            f"another controller is at work on these records: {holder}; "
            "wait for it with `roomctl wait`, or stop it first"
        )


class LeaveRefused(LeaseHeld):
    """More rooms are missing than the controller at work may be given leave to remove."""

    def __init__(self, holder: str, missing: Sequence[str], most: int) -> None:
        super().__init__(holder)
        missed = f"missing rooms: {len(missing)}, more than --allow-removals {most}, so no leave is given"
        self.args = (f"{missed}: {', '.join(missing)}\n{self}",)


class LeaseLost(RoomctlError):
    """This process does not hold the lease (any more): nothing may be written to LiveKit."""
