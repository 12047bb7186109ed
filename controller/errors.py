"""Every error the controller raises on purpose. Foreign errors are translated into these once, at the edge.

RoomctlError                             the message is one sentence: what, where, and what to do
|-- SettingsError                        a setting is missing or wrong: one line per setting
|-- RoomsDirError                        the rooms folder is missing or cannot be read
|-- StoreError                           MongoDB
|   |-- StoreUnavailableError            out of reach, or no primary: retried with backoff
|   |-- StoreConflictError               a compare-and-set was lost: the room is planned again
|   |-- StoreRefusedError                wrong credentials, or what MongoDB does not let us do
|   |   `-- StoreMismatchError           another instance's database, or a newer schema: waiting will not help
|   `-- StoreLockedError                 the embedded store is in use by another process
|-- LiveKitError                         LiveKit
|   |-- LiveKitUnavailableError          out of reach, too slow, or 5xx: retried with backoff
|   |   `-- LiveKitNodeUnavailableError  nobody answers for this one room: its server was restarted, or is
gone |   |-- LiveKitAuthError                 the key or the secret is wrong
|   |-- LiveKitNotFoundError             no such room, participant or egress
|   |-- LiveKitRejectedError             the server refused this one call
|   |-- NoEgressServiceError             the server has no Redis, so nothing can be recorded
|   `-- NoEgressWorkerError              no worker took a recording: none is there, or all are full
|-- LeaseHeldError                       another controller is at work on these records
|   `-- RemovalNotApprovedError          and more rooms are missing than it may be given leave to remove
`-- LeaseLostError                       this process no longer holds the lease and must not write
"""

from collections.abc import Sequence
from typing import ClassVar


class RoomctlError(Exception):
    """Base of all errors raised on purpose. `str()` of one is safe to show: it holds no secret."""

    kind: ClassVar[str] = "RoomctlError"
    """What `roomctl_errors_total` counts it as: it stays when the class is renamed."""


class SettingsError(RoomctlError):
    """One or more settings are missing or wrong; `problems` has one line for each."""

    kind = "SettingsError"

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class RoomsDirError(RoomctlError):
    """The rooms folder is missing or cannot be read as a folder."""

    kind = "RoomsDirError"


class StoreError(RoomctlError):
    """Something about MongoDB."""

    kind = "StoreError"


class StoreUnavailableError(StoreError):
    """MongoDB is out of reach or has no primary; the call may be repeated."""

    kind = "StoreAway"


class StoreConflictError(StoreError):
    """A compare-and-set found another state than it expected; read again and plan again."""

    kind = "StoreConflict"


class StoreRefusedError(StoreError):
    """MongoDB answered and will not serve us: credentials, or what it does not let us do."""

    kind = "StoreRefused"


class StoreMismatchError(StoreRefusedError):
    """The database is another instance's, or of a newer schema: waiting will not help."""

    kind = "StoreForeign"


class StoreLockedError(StoreError):
    """The embedded store's folder is in use by another process."""

    kind = "StoreLocked"


class LiveKitError(RoomctlError):
    """Something about LiveKit."""

    kind = "LiveError"


class LiveKitUnavailableError(LiveKitError):
    """LiveKit is out of reach, too slow, or answered 5xx; the call may be repeated."""

    kind = "LiveAway"


class LiveKitNodeUnavailableError(LiveKitUnavailableError):
    """LiveKit answers, but no server of it for this one room: the one that had it was restarted or died."""

    kind = "NodeAway"


class LiveKitAuthError(LiveKitError):
    """LiveKit refused the API key or secret (401, 403)."""

    kind = "LiveDenied"


class LiveKitNotFoundError(LiveKitError):
    """LiveKit knows no such room, participant or egress (404)."""

    kind = "LiveNotFound"


class LiveKitRejectedError(LiveKitError):
    """LiveKit refused this one call (400, 409, 412): repeating it unchanged will not help."""

    kind = "LiveRejected"


class NoEgressServiceError(LiveKitError):
    """LiveKit is not connected to egress workers: it runs without Redis."""

    kind = "NoEgressService"


class NoEgressWorkerError(LiveKitError):
    """No egress worker took the recording within LiveKit's own time: none is there, or all are full."""

    kind = "NoEgressWorker"


class LeaseHeldError(RoomctlError):
    """Another controller is at work on these records; `holder` names it (host, pid, verb)."""

    kind = "LeaseHeld"

    def __init__(self, holder: str) -> None:
        self.holder = holder
        super().__init__(
            f"the database is in use by another controller: {holder}; it applies the manifests itself: "
            "wait for it with `roomctl wait`, or stop it first"
        )


class RemovalNotApprovedError(LeaseHeldError):
    """More rooms are missing than the controller at work may be given leave to remove."""

    kind = "LeaveRefused"

    def __init__(self, holder: str, missing: Sequence[str], most: int) -> None:
        super().__init__(holder)
        missed = f"rooms to remove: {len(missing)}, more than --allow-removals {most}"
        self.args = (f"{missed}: {', '.join(missing)}\n{self}",)


class LeaseLostError(RoomctlError):
    """This process does not hold the lease (any more): nothing may be written to LiveKit."""

    kind = "LeaseLost"
