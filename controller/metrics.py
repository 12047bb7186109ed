"""Every metric of one controller process, in its own registry; served by `/metrics`.

docs/monitoring.md#metrics lists them, and the values of their labels.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.log_sink import stderr_sink

_HELPER_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class _Declared:
    """A metric in the table below; each process makes its own from it."""

    make: Callable[..., Any]
    description: str
    labels: tuple[str, ...]


def _counter(description: str, *labels: str) -> Counter:
    return cast("Counter", _Declared(Counter, description, labels))


def _gauge(description: str, *labels: str) -> Gauge:
    return cast("Gauge", _Declared(Gauge, description, labels))


def _histogram(
    description: str, *labels: str, buckets: Sequence[float] = Histogram.DEFAULT_BUCKETS
) -> Histogram:
    return cast("Histogram", _Declared(partial(Histogram, buckets=buckets), description, labels))


class Metrics:
    """The metrics as attributes; one instance per process (tests make their own)."""

    passes = _counter("Reconcile passes, by outcome", "outcome")
    pass_seconds = _histogram("Duration of a reconcile pass in seconds")
    actions = _counter("Actions on rooms, by action and outcome", "action", "outcome")
    errors = _counter("Errors during reconciliation, by kind", "kind")
    rooms = _gauge("Rooms, by condition type and status", "type", "status")
    unusable_records = _gauge("Records that cannot be used, by reason", "reason")
    dependency_up = _gauge("Whether the last call succeeded (1) or failed (0)", "dependency")
    clock_difference_seconds = _gauge("How far the clock is ahead of LiveKit's, in seconds")
    dependency_last_success_timestamp_seconds = _gauge(
        "When the last call succeeded, in seconds since the epoch; absent: none did", "dependency"
    )
    manifests_withheld = _gauge("Whether manifest changes wait for a replica with a different revision (1)")
    leader = _gauge("Whether this process holds the lease (1) or not (0)")
    watch_restarts = _counter("Restarts of the manifest directory watch")
    tokens = _counter("Participant tokens issued, by role", "role")
    refusals = _counter("HTTP requests answered with an error, by code", "code")
    helper_seconds = _histogram(
        "Duration of public API requests in seconds, without reading the body",
        "helper",
        buckets=_HELPER_BUCKETS,
    )
    participant_checks_skipped = _counter("Participant checks skipped because LiveKit did not answer in time")
    webhooks = _counter(
        "Webhooks received from LiveKit, by event, outcome, and reason of a refusal",
        "event",
        "outcome",
        "reason",
    )
    connections_refused = _counter("HTTP connections rejected because the limit was reached", "listener")
    connections_closed = _counter("HTTP connections closed for a newcomer at the limit", "listener")
    untrusted_forwarded = _counter("Requests with X-Forwarded-For from an address that is no trusted proxy")
    recording = _gauge("Recordings in progress")
    recordings = _counter("Finished recordings, by final state", "state")
    recording_failures = _counter("Recordings that failed or could not start, by reason", "reason")
    recorded_seconds = _counter("Total duration of completed recordings in seconds")
    agents = _gauge("Agents inside rooms that ask for them")
    agent_calls = _counter(
        "Calls of agents, by outcome: called, inside, no_worker, lost, sent_away", "outcome"
    )
    events_lost = _counter("Events lost because too many waited for MongoDB")
    event_deliveries = _counter("Events for the receiver, by outcome: sent, failed, dropped", "outcome")

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for name, each in vars(Metrics).items():
            if isinstance(each, _Declared):
                made = each.make(f"roomctl_{name}", each.description, each.labels, registry=self.registry)
                setattr(self, name, made)
        self.log_lines_dropped = _DroppedLogLines()
        self.registry.register(self.log_lines_dropped)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format (`text/plain; version=0.0.4`)."""
        return generate_latest(self.registry)


class _DroppedLogLines(Collector):
    """Read when the metrics are read, since the logs count dropped lines themselves."""

    def collect(self) -> Iterator[Metric]:
        description = "Log lines dropped because they could not be written in time"
        yield CounterMetricFamily("roomctl_log_lines_dropped", description, value=stderr_sink().dropped)
