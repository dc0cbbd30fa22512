"""A platform in parts: each feature is imported and built when something of it is asked for, and not before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property

import structlog

from ogel.runtime.feature import Feature
from ogel.runtime.jobs.kind import JobKind, by_name

log = structlog.get_logger(__name__)


class Part:
    """
    queues  those of its job kinds, so that a worker builds only what its queues need.
    hears   it has subscribers, so that whoever publishes events builds it too.
    """

    def __init__(self, build: Callable[[], Feature], queues: Sequence[str] = (), hears: bool = False) -> None:
        self._build = build
        self.queues = queues
        self.hears = hears

    @cached_property
    def feature(self) -> Feature:
        """Raises ValueError when the manifest says something else than the part."""
        feature = self._build()
        queues = {kind.queue for kind in feature.jobs}
        if queues != set(self.queues) or bool(feature.subscribers) != self.hears:
            raise ValueError(
                f"{feature.name} has the queues {sorted(queues)} and {len(feature.subscribers)} subscribers;"
                f" the platform says {sorted(self.queues)} and hears={self.hears}"
            )
        return feature

    @property
    def is_built(self) -> bool:
        return "feature" in vars(self)


class KindsOfParts(Mapping[str, JobKind]):
    """
    The job kinds of all parts, by name. One that the parts built so far do not have is looked for in the others too:
    whatever a process does with a job, it never takes its kind for unknown because it has not been imported.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._known: Mapping[str, JobKind] = {}

    def __getitem__(self, name: str) -> JobKind:
        if name not in self._known and name not in self._look():
            if not all(part.is_built for part in self._parts):
                log.info("platform.built_whole", kind=name, meaning="no part that this process needs has it")
            self._all()
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> Mapping[str, JobKind]:
        for part in self._parts:
            _ = part.feature
        return self._look()

    def _look(self) -> Mapping[str, JobKind]:
        built = [part.feature for part in self._parts if part.is_built]
        self._known = by_name([kind for feature in built for kind in feature.jobs])
        return self._known
