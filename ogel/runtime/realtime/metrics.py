"""Prometheus metrics of realtime in this process: plain integers, which are read when somebody looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector


class RealtimeMetrics(Collector):
    """`bytes`: given to sockets, added to directly where they are written."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.bytes = 0
        self.queued: Callable[[], int] = lambda: 0  # the most that waits for one client now
        self._is_connected = False
        self._connections: Counter[str] = Counter()
        self._peak = 0
        self._subscriptions = 0
        self._publications = 0
        self._messages = 0
        self._dropped = 0
        self._rate_limited = 0
        self._refused = 0
        self._ended: Counter[str] = Counter()
        registry.register(self)

    def connected(self, connected: bool) -> None:
        self._is_connected = connected

    def opened(self, kind: str) -> None:
        self._connections[kind] += 1
        self._peak = max(self._peak, self._connections.total())

    def closed(self, kind: str) -> None:
        self._connections[kind] -= 1

    def refused(self) -> None:
        """Counts a client that was turned away, for want of a place."""
        self._refused += 1

    def take_peak(self) -> int:
        """Returns the largest number of connections at once since the last call."""
        peak, self._peak = self._peak, self._connections.total()
        return peak

    def subscribed(self, change: int) -> None:
        self._subscriptions += change

    def published(self, messages: int) -> None:
        """Counts one publication, and those who want it."""
        self._publications += 1
        self._messages += messages

    def rate_limited(self) -> None:
        self._rate_limited += 1

    def ended(self, reason: str, dropped: int) -> None:
        """Counts a connection that we ended, and the writes that waited for it in vain."""
        self._ended[reason] += 1
        self._dropped += dropped

    def describe(self) -> Iterable[Metric]:
        return self.collect()

    def collect(self) -> Iterable[Metric]:
        return [
            GaugeMetricFamily(
                "ogel_realtime_feed_connected", "1 while this process hears Redis.", int(self._is_connected)
            ),
            self._by("connections", "transport", "Clients connected.", self._connections, GaugeMetricFamily),
            GaugeMetricFamily(
                "ogel_realtime_subscriptions", "What they listen to, all together.", self._subscriptions
            ),
            CounterMetricFamily("ogel_realtime_events", "Events heard from Redis.", self._publications),
            CounterMetricFamily("ogel_realtime_messages", "Messages for clients.", self._messages),
            CounterMetricFamily("ogel_realtime_sent_bytes", "Bytes given to clients' sockets.", self.bytes),
            GaugeMetricFamily(
                "ogel_realtime_queued_bytes", "The most that waits for one client.", self.queued()
            ),
            CounterMetricFamily(
                "ogel_realtime_dropped", "Writes that waited for a client that was ended.", self._dropped
            ),
            CounterMetricFamily(
                "ogel_realtime_rate_limited",
                "Messages of clients that came too fast to be heard.",
                self._rate_limited,
            ),
            CounterMetricFamily(
                "ogel_realtime_refused", "Clients turned away for want of a place.", self._refused
            ),
            self._by("ended", "reason", "Connections ended by us.", self._ended, CounterMetricFamily),
        ]

    def _by(
        self,
        name: str,
        label: str,
        meaning: str,
        counts: Counter[str],
        family: type[CounterMetricFamily] | type[GaugeMetricFamily],
    ) -> Metric:
        found = family(f"ogel_realtime_{name}", meaning, labels=[label])
        for value, count in counts.items():
            found.add_metric([value], count)
        return found
