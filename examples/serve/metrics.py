"""What the server tells Prometheus of itself."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (
    0.0005, 0.001, 0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 5,
)  # fmt: skip
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)


class Metrics:
    """A registry of its own, so that a process may have several servers."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.clients = Gauge("rnn_clients", "Clients connected", registry=registry)
        self.streams = Gauge(
            "rnn_streams", "Streams open, also of clients that may come back", registry=registry
        )
        self.queued = Gauge("rnn_queued_steps", "Windows waiting for a step", registry=registry)
        self.rows = Histogram(
            "rnn_batch_steps", "Steps of a batch", buckets=ROWS, registry=registry
        )
        self.step_seconds = Histogram(
            "rnn_batch_seconds", "Time of the pool's call", buckets=SECONDS, registry=registry
        )
        self.latency = Histogram(
            "rnn_latency_seconds",
            "From the last sample of a window to its answer",
            buckets=SECONDS,
            registry=registry,
        )
        self.misses = Counter(
            "rnn_deadline_misses", "Answers later than the deadline", registry=registry
        )
        self.resumed = Counter("rnn_resumed", "Streams that went on", registry=registry)
        self.refused = Counter(
            "rnn_refused", "Clients refused, or closed for what they said", ["code"],
            registry=registry,
        )  # fmt: skip
        self.snapshots = Counter("rnn_snapshots", "Snapshots written", registry=registry)
        self.snapshot_seconds = Histogram(
            "rnn_snapshot_seconds", "Time without steps for one", buckets=SECONDS, registry=registry
        )

    def text(self) -> str:
        return generate_latest(self._registry).decode()
