"""A Prometheus histogram for values that are observed thousands of times a second, on the event loop alone."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Counts:
    """The counts of one combination of labels. Not thread-safe: prometheus_client takes locks at every observation."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def buckets(self) -> tuple[Sequence[tuple[str, float]], float]:
        """Returns cumulative buckets, as Prometheus wants them, and the sum of the values."""
        cumulative, total = [], 0
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += count
            cumulative.append((str(floatToGoString(bound)), float(total)))  # type: ignore[no-untyped-call]
        return cumulative, self._sum


class Histogram(Collector):
    """`labels` returns the same Counts for the same values; callers should keep it."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str],
        bounds: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = labels
        self._bounds = tuple(bounds)
        self._children: dict[tuple[str, ...], Counts] = {}
        registry.register(self)

    def labels(self, *values: str) -> Counts:
        if values not in self._children:
            self._children[values] = Counts(self._bounds)
        return self._children[values]

    def collect(self) -> Iterable[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
        for values, counts in self._children.items():
            buckets, sum_of_all = counts.buckets()
            family.add_metric(values, buckets, sum_of_all)
        yield family
