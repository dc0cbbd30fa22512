"""How channels fare, for /metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class ChannelMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._found = Counter(
            "ogel_realtime_publications_found_total",
            "Publications that Redis did not tell, found in Postgres.",
            registry=registry,
        )
        self._lost = Counter(
            "ogel_realtime_gaps_total",
            "Times that a channel's subscribers were told to begin anew: more was missed than is kept.",
            registry=registry,
        )
        self._recovered = Counter(
            "ogel_realtime_recoveries_total",
            "Subscriptions that named a position, by whether all that came after it was still there.",
            ["recovered"],
            registry=registry,
        )

    def found(self, publications: int) -> None:
        self._found.inc(publications)

    def lost(self) -> None:
        self._lost.inc()

    def recovered(self, recovered: bool) -> None:
        self._recovered.labels(str(recovered).lower()).inc()
