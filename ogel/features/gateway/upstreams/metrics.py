"""Prometheus metrics of upstreams."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge

from ogel.runtime.metrics.histogram import Histogram

_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class UpstreamMetrics:
    """By the upstream's path, which operators chose. `is_open`: whether its breaker is."""

    def __init__(self, registry: CollectorRegistry, is_open: Mapping[str, Callable[[], bool]]) -> None:
        self._requests = Counter(
            "ogel_upstream_requests",
            "Requests that were passed on, by what came of it: the answer's class (2xx), or timeout, reset, connect, "
            "dns, tls, protocol; refused: its breaker was open; retried.",
            ("upstream", "outcome"),
            registry=registry,
        )
        self._seconds = Histogram(
            "ogel_upstream_seconds",
            "Until the head of an upstream's answer.",
            ["upstream"],
            _BUCKETS,
            registry,
        )
        self._sockets = Gauge(
            "ogel_upstream_websockets",
            "WebSockets to upstreams that are open now.",
            ("upstream",),
            registry=registry,
        )
        opened = Gauge(
            "ogel_upstream_away",
            "1: its breaker is open, so that requests are answered 503 without asking it.",
            ("upstream",),
            registry=registry,
        )
        for path, ask in is_open.items():
            opened.labels(path).set_function(partial(_as_number, ask))

    def counted(self, path: str, outcome: str) -> None:
        self._requests.labels(path, outcome).inc()

    def answered(self, path: str, status: int, seconds: float) -> None:
        self._requests.labels(path, f"{status // 100}xx").inc()
        self._seconds.labels(path).observe(seconds)

    def sockets(self, path: str, change: int) -> None:
        self._sockets.labels(path).inc(change)


def _as_number(ask: Callable[[], bool]) -> float:
    return float(ask())
