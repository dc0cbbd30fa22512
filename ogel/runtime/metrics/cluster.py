"""
Metrics of the whole cluster, for which every process reports the same number from the database. Their names say so,
because summing them over processes would count them several times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from prometheus_client import CollectorRegistry, Gauge, Metric

_ADVICE = "Of the whole cluster, the same from every process: take max, not sum."


def cluster_name(name: str) -> str:
    return f"ogel_cluster_{name}"


def cluster_help(documentation: str) -> str:
    return f"{documentation} {_ADVICE}"


def cluster_gauge(name: str, documentation: str, labels: Sequence[str], registry: CollectorRegistry) -> Gauge:
    return Gauge(cluster_name(name), cluster_help(documentation), labels, registry=registry)


class Labelled(Struct, frozen=True):
    """Collects `registry`, with `labels` added to every metric that is not cluster-wide."""

    registry: CollectorRegistry
    labels: Mapping[str, str]

    def collect(self) -> Iterable[Metric]:
        for metric in self.registry.collect():
            if self.labels and not metric.name.startswith(cluster_name("")):
                metric.samples = [
                    sample._replace(labels={**sample.labels, **self.labels}) for sample in metric.samples
                ]
            yield metric
