"""Prometheus metrics of deliveries."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from ogel.features.webhooks.sending.verdict import AttemptVerdict
from ogel.runtime.jobs.job import FIRST_ATTEMPT, REPLAY, RETRY
from ogel.runtime.metrics.histogram import Histogram

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LAG_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
_PRIORITIES = {FIRST_ATTEMPT: "first", RETRY: "retry", REPLAY: "replay"}


class WebhookMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._attempts = Counter(
            "ogel_webhook_attempts_total", "Attempts by outcome; reason is empty for a success.", ["outcome", "reason"],
            registry=registry,
        )  # fmt: skip
        self._duration = Histogram(
            "ogel_webhook_attempt_seconds",
            "From look-up to the end of the answer.",
            [],
            _BUCKETS,
            registry,
        ).labels()
        lag = Histogram(
            "ogel_webhook_lag_seconds",
            "Until a request begins, from publishing (first) or from when it was due (retry, replay), whatever it "
            "waited for: a worker, its endpoint's limits, rate, slowing, breaker or pause, or a fault of ours.",
            ["priority"],
            _LAG_BUCKETS,
            registry,
        )
        # Looked up once, because `labels` costs more than counting.
        self._delivered = self._attempts.labels("delivered", "")
        self._lag = {priority: lag.labels(name) for priority, name in _PRIORITIES.items()}

    def attempted(self, verdict: AttemptVerdict, seconds: float, priority: int, lag_seconds: float) -> None:
        self._duration.observe(seconds)
        if verdict.ours:  # no request was sent, so the delivery still waits
            self._attempts.labels("ours", verdict.reason or "").inc()
            return
        self._lag[priority].observe(max(0.0, lag_seconds))
        if verdict.life == "up":
            self._delivered.inc()
        else:
            self._attempts.labels("failed", verdict.reason or "").inc()
