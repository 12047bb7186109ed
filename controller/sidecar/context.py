"""The parts of the sidecar, and the reconciler, which starts later."""

import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from controller.events.log import EventLog
from controller.limits import Limit
from controller.live.ports import LiveKitReader
from controller.live.webhook import WebhookEvent
from controller.metrics import Metrics
from controller.records.ports import RecordStore
from controller.settings import Settings
from controller.sidecar.http.response import ApiError, Code
from controller.state_cache import StateCache


@dataclass(slots=True)
class ReconcilerHandle:
    """The reconciler's part of the process, set when it starts: both listeners are bound before.

    `store` writes the desired state, `wake` starts a pass soon, `on_webhook` passes a webhook on.
    `check_people` has it checked soon who may be inside a LiveKit room. `want` has a room made soon that is
    live on demand.
    """

    store: RecordStore | None = None
    wake: Callable[[], None] = lambda: None
    on_webhook: Callable[[WebhookEvent], None] = lambda _: None
    check_people: Callable[[str], None] = lambda _: None
    want: Callable[[str], None] = lambda _: None

    def connect(
        self,
        store: RecordStore,
        on_webhook: Callable[[WebhookEvent], None],
        check_people: Callable[[str], None],
        want: Callable[[str], None],
    ) -> None:
        self.store, self.on_webhook = store, on_webhook
        self.check_people, self.want = check_people, want

    def disconnect(self) -> None:
        self.store, self.on_webhook = None, lambda _: None
        self.check_people = self.want = lambda _: None


async def no_limits() -> tuple[Limit, ...] | None:
    """There is no policy file."""
    return ()


@dataclass(frozen=True, slots=True)
class Context:
    """What all handlers need. `clock` is the monotonic one of StateCache; `wall` is the time of day.

    `entropy` returns this many unpredictable bytes. `limits` are those of the rooms directory's own policy
    file, None if they are not known.
    """

    settings: Settings
    state: StateCache
    reader: LiveKitReader
    metrics: Metrics
    events: EventLog
    reconciler: ReconcilerHandle = field(default_factory=ReconcilerHandle)
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    entropy: Callable[[int], bytes] = os.urandom
    limits: Callable[[], Awaitable[tuple[Limit, ...] | None]] = no_limits

    def state_error(self) -> ApiError | None:
        """Why the cached state cannot be used (STARTING, UNAVAILABLE), or None if it can."""
        if not self.state.started:
            return ApiError(Code.STARTING)
        if not self.state.is_fresh(self.clock()):
            return ApiError(Code.UNAVAILABLE, "The known state of the rooms is too old")
        return None

    def note_untrusted_proxy(self, address: str) -> None:
        """X-Forwarded-For came from `address`, which is no trusted proxy; `status` and `doctor` say so."""
        self.state.record_untrusted_proxy(address, self.clock())
        self.metrics.untrusted_forwarded.inc()
