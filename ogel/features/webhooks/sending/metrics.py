"""What Prometheus learns about deliveries."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from ogel.features.webhooks.sending.verdict import Verdict

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class WebhookMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._attempts = Counter(
            "ogel_webhook_attempts_total", "Attempts by outcome; reason is empty for a success.", ["outcome", "reason"],
            registry=registry,
        )  # fmt: skip
        self._duration = Histogram(
            "ogel_webhook_attempt_seconds",
            "From look-up to the end of the answer.",
            buckets=_BUCKETS,
            registry=registry,
        )

    def attempted(self, verdict: Verdict, seconds: float) -> None:
        outcome = "delivered" if verdict.life == "up" else "ours" if verdict.ours else "failed"
        self._attempts.labels(outcome, verdict.reason or "").inc()
        self._duration.observe(seconds)
