"""The last samples as Prometheus gauges, for numbers that /metrics does not show otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from ogel.features.observability.resources.sample import CUMULATIVE, NAMES, SHOWN_ELSEWHERE
from ogel.features.observability.resources.store import ResourceStore, Taken
from ogel.runtime.database.database import Database
from ogel.runtime.metrics.cluster import cluster_help, cluster_name

_Family = CounterMetricFamily | GaugeMetricFamily


class ResourceGauges(Collector):
    """Series that are missing from the last samples are removed, so a dropped table leaves no number behind."""

    def __init__(self, database: Database, store: ResourceStore, registry: CollectorRegistry) -> None:
        self._database = database
        self._store = store
        self._latest: Sequence[Taken] = ()
        registry.register(self)

    async def measure(self) -> None:
        async with self._database.autocommit() as tx:
            self._latest = await self._store.latest(tx)

    def collect(self) -> Iterable[_Family]:
        families: dict[str, _Family] = {}
        for taken in self._latest:
            if taken.name in SHOWN_ELSEWHERE or taken.name not in NAMES:
                continue
            if taken.name not in families:
                families[taken.name] = _family(taken)
            families[taken.name].add_metric(
                [taken.labels[each] for each in sorted(taken.labels)], taken.value
            )
        return families.values()


def _family(taken: Taken) -> _Family:
    kind = CounterMetricFamily if taken.name in CUMULATIVE else GaugeMetricFamily
    name = cluster_name(taken.name.replace(".", "_"))
    documentation = cluster_help(f"{NAMES[taken.name]} Sampled every five minutes.")
    return kind(name, documentation, labels=sorted(taken.labels))
