"""HTTP metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from ogel.runtime.metrics.histogram import Counts, Histogram
from ogel.runtime.metrics.tallies import Tallies, Tally

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET"})
_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Traffic(Collector):
    """
    What goes through the sockets, headers and WebSocket frames too: plain integers, added to at every read and write.

    connections  open now.
    evicted      idle connections that were closed to make room for others.
    refused      requests that the server answered itself, by their status.
    """

    def __init__(self) -> None:
        self.received = 0
        self.sent = 0
        self.connections = 0
        self.evicted = 0
        self.refused: dict[int, int] = {}

    def describe(self) -> Iterable[Metric]:
        return self.collect()

    def collect(self) -> Iterable[Metric]:
        return [
            CounterMetricFamily("ogel_http_received_bytes", "Bytes that clients sent us.", self.received),
            CounterMetricFamily("ogel_http_sent_bytes", "Bytes that we sent to clients.", self.sent),
            GaugeMetricFamily(
                "ogel_http_connections", "Connections of clients that are open now.", self.connections
            ),
            CounterMetricFamily(
                "ogel_http_evicted_connections",
                "Idle connections that were closed to make room.",
                self.evicted,
            ),
            self._refusals(),
        ]

    def _refusals(self) -> Metric:
        family = CounterMetricFamily(
            "ogel_http_refused_requests",
            "Requests that the server answered itself: malformed, too large, too slow, or no room for them.",
            labels=["status"],
        )
        for status, count in self.refused.items():
            family.add_metric([str(status)], count)
        return family


class HttpMetrics:
    """Labels are route templates and never paths, so that clients cannot create new series."""

    def __init__(self, registry: CollectorRegistry, tallies: Tallies | None = None) -> None:
        """`tallies` are for the objectives: `http.read` and so on by class, `egress` in bytes."""
        self._tallies = Tallies() if tallies is None else tallies
        self.traffic = Traffic()
        registry.register(self.traffic)
        self._tallies.follow("egress", lambda: self.traffic.sent)
        self._requests = Counter(
            "ogel_http_requests",
            "Requests answered; status 499 means that the client left first.",
            ("route", "method", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "ogel_http_request_seconds",
            "Time from a request's headers to the end of its answer; streams, and bodies in pieces, are left out.",
            ("route", "method"),
            _BUCKETS,
            registry,
        )
        self._in_flight = 0
        Gauge(
            "ogel_http_requests_in_flight",
            "Requests and streams that are being answered now; realtime's clients are counted as such.",
            registry=registry,
        ).set_function(lambda: self._in_flight)
        # Bounded by the number of series. It is kept because the library's look-up of a series costs more than
        # counting.
        self._series = cache(self._labelled)

    def began(self) -> None:
        self._in_flight += 1

    def ended(
        self,
        route: str,
        method: str,
        status: int,
        seconds: float,
        stream: bool,
        rate: str = "",
        ours: bool = True,
    ) -> None:
        """`rate` is the class that it counts for, empty for none; `ours`: the answer is this server's own."""
        self._in_flight -= 1
        series = self._series(route, method if method in _METHODS else "other", status, stream, rate)
        requests, times, tally = series
        requests.inc()
        bad = ours and status >= 500
        if times is not None:
            times.observe(seconds)
            if tally is not None:
                tally.timed(seconds, bad)
        elif tally is not None:
            tally.counted(not bad, bad)

    def _labelled(
        self, route: str, method: str, status: int, stream: bool, rate: str
    ) -> tuple[Counter, Counts | None, Tally | None]:
        times = None if stream else self._seconds.labels(route, method)
        # What platforms and Prometheus ask every few seconds is limited by no class, and promised nothing.
        tally = self._tallies.of(f"http.{rate}") if rate not in ("", "none") else None
        return self._requests.labels(route, method, str(status)), times, tally
