"""Every metric of one controller process, in a registry of its own; served by `/metrics`.

docs/monitoring.md#metrics says what each counts, and which values its labels have.
"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.log_sink import stderr_sink

_HELPER_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


class Metrics:
    """The metrics as attributes; one instance for each process (tests make their own)."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.passes = self._counter("passes", "Reconcile passes, by outcome", "outcome")
        self.pass_seconds = Histogram(
            "roomctl_pass_seconds", "Duration of a reconcile pass in seconds", registry=self.registry
        )
        self.actions = self._counter(
            "actions", "Actions on rooms, by action and outcome", "action", "outcome"
        )
        self.errors = self._counter("errors", "Errors during reconciliation, by kind", "kind")
        self.rooms = self._gauge("rooms", "Rooms, by condition type and status", "type", "status")
        self.unusable_records = self._gauge(
            "unusable_records", "Records that cannot be used, by reason", "reason"
        )
        self.dependency_up = self._gauge(
            "dependency_up", "Whether the last call succeeded (1) or failed (0)", "dependency"
        )
        self.clock_difference_seconds = self._gauge(
            "clock_difference_seconds", "How far the clock is ahead of LiveKit's, in seconds"
        )
        self.manifests_withheld = self._gauge(
            "manifests_withheld", "Whether manifest changes wait for a replica with a different revision (1)"
        )
        self.leader = self._gauge("leader", "Whether this process holds the lease (1) or not (0)")
        self.watch_restarts = self._counter("watch_restarts", "Restarts of the manifest directory watch")
        self.tokens = self._counter("tokens", "Participant tokens issued, by role", "role")
        self.refusals = self._counter("refusals", "HTTP requests answered with an error, by code", "code")
        self.helper_seconds = Histogram(
            "roomctl_helper_seconds",
            "Duration of public API requests in seconds, without reading the body",
            ("helper",),
            buckets=_HELPER_BUCKETS,
            registry=self.registry,
        )
        self.participant_checks_skipped = self._counter(
            "participant_checks_skipped", "Participant checks skipped because LiveKit did not answer in time"
        )
        self.webhooks = self._counter(
            "webhooks",
            "Webhooks received from LiveKit, by event, outcome, and reason of a refusal",
            "event",
            "outcome",
            "reason",
        )
        self.connections_refused = self._counter(
            "connections_refused", "HTTP connections rejected because the limit was reached", "listener"
        )
        self.recording = self._gauge("recording", "Recordings in progress")
        self.recordings = self._counter("recordings", "Finished recordings, by final state", "state")
        self.recording_failures = self._counter(
            "recording_failures", "Recordings that failed or could not start, by reason", "reason"
        )
        self.recorded_seconds = self._counter(
            "recorded_seconds", "Total duration of completed recordings in seconds"
        )
        self.events_lost = self._counter("events_lost", "Events lost because too many waited for MongoDB")
        self.event_deliveries = self._counter(
            "event_deliveries", "Events for the receiver, by outcome: sent, failed, dropped", "outcome"
        )

        self.log_lines_dropped = _DroppedLogLines()
        self.registry.register(self.log_lines_dropped)

    def text(self) -> bytes:
        """All of it in Prometheus' text format (`text/plain; version=0.0.4`)."""
        return generate_latest(self.registry)

    def _counter(self, name: str, description: str, *labels: str) -> Counter:
        return Counter(f"roomctl_{name}", description, labels, registry=self.registry)

    def _gauge(self, name: str, description: str, *labels: str) -> Gauge:
        return Gauge(f"roomctl_{name}", description, labels, registry=self.registry)


class _DroppedLogLines(Collector):
    """Asked for when the metrics are read: the logs count for themselves, and log nothing of it."""

    def collect(self) -> Iterator[Metric]:
        description = "Log lines dropped because they could not be written in time"
        yield CounterMetricFamily("roomctl_log_lines_dropped", description, value=stderr_sink().dropped)
