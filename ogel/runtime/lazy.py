"""Features that are built late: each is imported and built when something of it is asked for, and not before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property

from ogel.runtime.feature import Feature
from ogel.runtime.jobs.kind import JobKind, by_name


class LazyFeature:
    """
    name    the feature's.
    queues  those of its job kinds, so that a worker builds only what its queues need.
    hears   it has subscribers, so that whoever publishes events builds it too.
    """

    def __init__(
        self, name: str, build: Callable[[], Feature], queues: Sequence[str] = (), hears: bool = False
    ) -> None:
        self.name = name
        self._build = build
        self.queues = queues
        self.hears = hears

    @cached_property
    def feature(self) -> Feature:
        """Raises ValueError when the manifest says something else than the part."""
        feature = self._build()
        says = (self.name, set(self.queues), self.hears)
        declares = (feature.name, {kind.queue for kind in feature.jobs}, bool(feature.subscribers))
        if declares != says:
            raise ValueError(f"a manifest declares {declares}, and the platform says {says}")
        return feature

    @property
    def is_built(self) -> bool:
        return "feature" in vars(self)


class LazyKinds(Mapping[str, JobKind]):
    """
    The job kinds of all features, by name. One that the features built so far do not have is looked for in the feature
    that it is called after, and then in all others: whatever a process does with a job, it never takes its kind for
    unknown because it has not been imported.
    """

    def __init__(self, parts: Sequence[LazyFeature]) -> None:
        self._parts = parts
        self._known: Mapping[str, JobKind] = {}

    def __getitem__(self, name: str) -> JobKind:
        if name not in self._known and name not in self._look():
            namesake = [part for part in self._parts if part.name == name.partition(".")[0]]
            if name not in self._built(namesake):
                self._built(self._parts)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._built(self._parts))

    def __len__(self) -> int:
        return len(self._built(self._parts))

    def _built(self, parts: Sequence[LazyFeature]) -> Mapping[str, JobKind]:
        for part in parts:
            _ = part.feature
        return self._look()

    def _look(self) -> Mapping[str, JobKind]:
        features = [part.feature for part in self._parts if part.is_built]
        self._known = by_name([kind for feature in features for kind in feature.jobs])
        return self._known
