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

        # What nearly all attempts are, looked up once.
        self._delivered = self._attempts.labels("delivered", "")

    def attempted(self, verdict: Verdict, seconds: float) -> None:
        if verdict.life == "up":
            self._delivered.inc()
        else:
            self._attempts.labels("ours" if verdict.ours else "failed", verdict.reason).inc()
        self._duration.observe(seconds)
