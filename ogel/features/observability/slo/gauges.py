"""The objectives as Prometheus gauges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ogel.features.observability.slo.service import Kept, SloService
from ogel.runtime.metrics.cluster import cluster_help, cluster_name

_BY_WINDOW = ["objective", "window"]


class SloGauges(Collector):
    def __init__(self, service: SloService, registry: CollectorRegistry) -> None:
        self._service = service
        self._kept: Sequence[Kept] = ()
        registry.register(self)

    async def measure(self) -> None:
        self._kept = (await self._service.look()).kept

    def collect(self) -> Iterable[GaugeMetricFamily]:
        target = _gauge(
            "slo_target", "Of each objective, in seconds, parts of 1, bytes or a day.", ["objective"]
        )
        value = _gauge("slo_value", "How well it is kept, in the same unit.", _BY_WINDOW)
        left = _gauge("slo_budget_left", "The part of the window's budget that is left.", _BY_WINDOW)
        rate = _gauge("slo_burn_rate", "At 1, the budget lasts as long as its window.", _BY_WINDOW)
        for objective, standings in self._kept:
            target.add_metric([objective.name], objective.target)
            for window, standing in standings.items():
                labels = [objective.name, window]
                for family, number in (
                    (value, standing.value),
                    (left, standing.budget_left),
                    (rate, standing.burn_rate),
                ):
                    if number is not None:
                        family.add_metric(labels, number)
        return [target, value, left, rate]


def _gauge(name: str, documentation: str, labels: Sequence[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(cluster_name(name), cluster_help(documentation), labels=labels)
