"""Prometheus metrics of rate limits."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class RateMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.refused = Counter(
            "ogel_rate_limited_requests",
            "Requests that were answered 429, by the policy they were too many for.",
            ["policy"],
            registry=registry,
        )
        self.shared = Gauge(
            "ogel_rate_limits_shared",
            "1: processes share the budgets of rate limits; 0: Redis is away, and each counts for itself.",
            registry=registry,
        )
        self.budgets = Gauge(
            "ogel_rate_limit_budgets",
            "Callers whose requests this process counts, once for each class that they used.",
            registry=registry,
        )
