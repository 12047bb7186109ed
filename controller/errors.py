"""Every error that the controller raises. Errors of libraries are translated into these once.

RoomctlError                             the message is one sentence: what, where, and what to do
|-- SettingsError                        a setting is missing or wrong: one line per setting
|-- RoomsDirError                        the rooms folder is missing or cannot be read
|-- StoreError                           MongoDB
|   |-- StoreUnavailableError            unreachable, or no primary: retried with backoff
|   |-- StoreConflictError               a compare-and-set failed: the room is planned again
|   |-- StoreRefusedError                wrong credentials, or what MongoDB does not let us do
|   |   `-- StoreMismatchError           another instance's database, or a newer schema: a retry does not help
|   `-- StoreLockedError                 the embedded store is in use by another process
|-- LiveKitError                         LiveKit
|   |-- LiveKitUnavailableError          unreachable, too slow, or 5xx: retried with backoff
|   |   `-- LiveKitNodeUnavailableError  the server of this one room was restarted, or died
|   |-- LiveKitAuthError                 the API key or the secret is wrong (401, 403)
|   |-- LiveKitNotFoundError             no such room, participant or egress (404)
|   |-- LiveKitRejectedError             this one call is refused (400, 409, 412): a retry does not help
|   |-- NoEgressServiceError             LiveKit runs without Redis, so nothing can be recorded
|   `-- NoEgressWorkerError              no worker accepted a recording: there is none, or all are full
|-- LeaseHeldError                       another controller is active on these records
|   `-- RemovalNotApprovedError          and more rooms are missing than --allow-removals permits
`-- LeaseLostError                       this process no longer holds the lease and must not write
"""

from collections.abc import Sequence
from typing import ClassVar


class RoomctlError(Exception):
    """Base of all errors of the controller. `str()` of one is safe to show: it holds no secret."""

    kind: ClassVar[str] = "RoomctlError"
    """Its label in `roomctl_errors_total`: it stays if the class is renamed."""


class SettingsError(RoomctlError):
    """One or more settings are missing or wrong; `problems` has one line for each."""

    kind = "SettingsError"

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class RoomsDirError(RoomctlError):
    kind = "RoomsDirError"


class StoreError(RoomctlError):
    kind = "StoreError"


class StoreUnavailableError(StoreError):
    kind = "StoreAway"


class StoreConflictError(StoreError):
    kind = "StoreConflict"


class StoreRefusedError(StoreError):
    kind = "StoreRefused"


class StoreMismatchError(StoreRefusedError):
    kind = "StoreForeign"


class StoreLockedError(StoreError):
    kind = "StoreLocked"


class LiveKitError(RoomctlError):
    kind = "LiveError"


class LiveKitUnavailableError(LiveKitError):
    kind = "LiveAway"


class LiveKitNodeUnavailableError(LiveKitUnavailableError):
    kind = "NodeAway"


class LiveKitAuthError(LiveKitError):
    kind = "LiveDenied"


class LiveKitNotFoundError(LiveKitError):
    kind = "LiveNotFound"


class LiveKitRejectedError(LiveKitError):
    kind = "LiveRejected"


class NoEgressServiceError(LiveKitError):
    kind = "NoEgressService"


class NoEgressWorkerError(LiveKitError):
    kind = "NoEgressWorker"


class LeaseHeldError(RoomctlError):
    """Another controller holds the lease of these records; `holder` names it (host, pid, verb)."""

    kind = "LeaseHeld"

    def __init__(self, holder: str) -> None:
        self.holder = holder
        super().__init__(
            f"the database is in use by another controller: {holder}; it applies the manifests itself: "
            "wait for it with `roomctl wait`, or stop it first"
        )


class RemovalNotApprovedError(LeaseHeldError):
    kind = "LeaveRefused"

    def __init__(self, holder: str, missing: Sequence[str], most: int) -> None:
        super().__init__(holder)
        missed = f"rooms to remove: {len(missing)}, more than --allow-removals {most}"
        self.args = (f"{missed}: {', '.join(missing)}\n{self}",)


class LeaseLostError(RoomctlError):
    kind = "LeaseLost"
