"""
Metrics of the whole cluster: every process shows the same number, which it has from the database. Their names say so:
whoever adds up what processes show would count it once for each of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Gauge

_ADVICE = "Of the whole cluster, the same from every process: take max, not sum."


def cluster_name(name: str) -> str:
    return f"ogel_cluster_{name}"


def cluster_help(documentation: str) -> str:
    return f"{documentation} {_ADVICE}"


def cluster_gauge(name: str, documentation: str, labels: Sequence[str], registry: CollectorRegistry) -> Gauge:
    return Gauge(cluster_name(name), cluster_help(documentation), labels, registry=registry)
