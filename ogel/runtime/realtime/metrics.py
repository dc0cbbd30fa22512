"""Prometheus metrics of realtime in this process."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class RealtimeMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._now = self._peak = 0
        self._connected = Gauge(
            "ogel_realtime_feed_connected", "1 while this process hears Redis.", registry=registry
        )
        self._subscriptions = Gauge("ogel_realtime_subscriptions", "Clients listening.", registry=registry)
        self._events = Counter("ogel_realtime_events", "Events heard from Redis.", registry=registry)
        self._messages = Counter("ogel_realtime_messages", "Messages queued for clients.", registry=registry)
        self._dropped = Counter(
            "ogel_realtime_dropped",
            "Messages thrown away with a client too slow for them.",
            registry=registry,
        )
        self._ended = Counter(
            "ogel_realtime_subscriptions_ended",
            "Clients sent away, by reason.",
            ["reason"],
            registry=registry,
        )

    def connected(self, connected: bool) -> None:
        self._connected.set(connected)

    def subscriptions(self, count: int) -> None:
        self._subscriptions.set(count)
        self._now = count
        self._peak = max(self._peak, count)

    def take_peak(self) -> int:
        """Returns the largest number of clients at once since the last call."""
        peak, self._peak = self._peak, self._now
        return peak

    def published(self, messages: int) -> None:
        """Counts one event and the clients that wanted it."""
        self._events.inc()
        self._messages.inc(messages)

    def ended(self, reason: str, dropped: int) -> None:
        self._ended.labels(reason).inc()
        self._dropped.inc(dropped)
