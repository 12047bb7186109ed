"""What the sidecar is built from, and the reconciler, which starts later."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from controller.events.log import EventLog
from controller.live.ports import LiveKitReader
from controller.live.webhook import WebhookEvent
from controller.metrics import Metrics
from controller.records.ports import RecordStore
from controller.settings import Settings
from controller.sidecar.http.response import ApiError, Code
from controller.state_cache import StateCache


@dataclass(slots=True)
class ReconcilerHandle:
    """The reconciler's side of the process, filled in once it is there: both listeners are bound before.

    `store` writes desire, `wake` makes the reconciler look at it soon, `on_webhook` passes a webhook on.
    """

    store: RecordStore | None = None
    wake: Callable[[], None] = lambda: None
    on_webhook: Callable[[WebhookEvent], None] = lambda _: None

    def connect(self, store: RecordStore, on_webhook: Callable[[WebhookEvent], None]) -> None:
        self.store, self.on_webhook = store, on_webhook

    def disconnect(self) -> None:
        self.store, self.on_webhook = None, lambda _: None


@dataclass(frozen=True, slots=True)
class Context:
    """What all answers need. `clock` is monotonic, the one of Known's times; `wall` the time of day.

    `entropy` gives that many bytes which nobody can foretell.
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

    def state_error(self) -> ApiError | None:
        """Why nothing can be answered from the cached state (STARTING, UNAVAILABLE), or None if it can."""
        if not self.state.started:
            return ApiError(Code.STARTING)
        if not self.state.is_fresh(self.clock()):
            return ApiError(Code.UNAVAILABLE, "The known state of the rooms is too old")
        return None

    def note_untrusted_proxy(self, address: str) -> None:
        """X-Forwarded-For came from `address`, which is no trusted proxy; `status` and `doctor` say so."""
        self.state.record_untrusted_proxy(address, self.clock())
        self.metrics.untrusted_forwarded.inc()
