"""What Prometheus is told: traffic, batches, the queue. No ids, no histories."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The metrics of one server, in a registry of their own.

    Args:
        model: Fingerprint of the model.
        version: pocketrec's.
        waiting: Requests in the queue, asked when metrics are read.
        computed: Events that the model computed, likewise.
    """

    def __init__(
        self,
        model: str,
        version: str,
        waiting: Callable[[], float],
        computed: Callable[[], float],
    ) -> None:
        self.registry = registry = CollectorRegistry()
        Info("pocketrec", "The model that answers.", registry=registry).info(
            {"model": model, "version": version}
        )
        self._requests = Counter(
            "pocketrec_requests", "Answers by path and status.", ("path", "status"),
            registry=registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "pocketrec_request_seconds", "From the head of a request to its answer.", ("path",),
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._batch = Histogram(
            "pocketrec_batch_histories", "Histories of one run.", buckets=_SIZES, registry=registry
        )
        self._run = Histogram(
            "pocketrec_run_seconds", "One run of the model.", buckets=_SECONDS, registry=registry
        )
        self._wait = Histogram(
            "pocketrec_wait_seconds", "How long the oldest request of a run waited.",
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        Gauge("pocketrec_waiting", "Requests in the queue.", registry=registry).set_function(
            waiting
        )
        Gauge(
            "pocketrec_computed_events", "Events computed since the start.", registry=registry
        ).set_function(computed)

    def answered(self, path: str, status: int, seconds: float) -> None:
        """Count one answer."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def ran(self, histories: int, run_s: float, wait_s: float) -> None:
        """Count one run of the model."""
        self._batch.observe(histories)
        self._run.observe(run_s)
        self._wait.observe(wait_s)

    def page(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self.registry)
