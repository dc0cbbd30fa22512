"""Features that are built late: each is imported and built when something of it is asked for, and not before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ogel.runtime.feature import Feature
    from ogel.runtime.jobs.kind import JobKind

# What somebody may need to find among manifests without building those that do not bring it.
ANNOUNCED = (
    "subscribers",
    "authenticators",
    "streams",
    "services",
    "process_routes",
    "samples",
    "alerts",
    "settings",
)


@dataclass(frozen=True, slots=True)
class LazyFeature:
    """
    The line by which the platform knows a feature it has not imported.

    name    the folder's, below `ogel/features`: there, `feature.py` has `build(core, settings)`.
    queues  those of its job kinds, so that a worker builds only what its queues need.
    brings  which of ANNOUNCED its manifest has. `settings`: `settings.py` has a class named after the folder.
    folder  of another package, for features of tests.
    """

    name: str
    queues: Sequence[str] = ()
    brings: Sequence[str] = ()
    folder: str = "ogel.features"

    @property
    def package(self) -> str:
        return f"{self.folder}.{self.name}"

    def section(self) -> type[Any]:
        """The class of its settings; imports them, and nothing else of it."""
        owner = self.name.partition(".")[0]
        module = import_module(f"{self.folder}.{owner}.settings")
        section: type[Any] = getattr(module, f"{owner.title().replace('_', '')}Settings")
        return section

    def builder(self) -> Callable[[Any, Any], Feature]:
        build: Callable[[Any, Any], Feature] = import_module(f"{self.package}.feature").build
        return build

    def check(self, feature: Feature) -> None:
        """Raises ValueError when the manifest says something else than this line."""
        says = (self.name, set(self.queues), set(self.brings))
        brings = {what for what in ANNOUNCED if feature.brings(what)}
        declares = (feature.name, {kind.queue for kind in feature.jobs}, brings)
        if declares != says:
            raise ValueError(f"a manifest declares {declares}, and its line in the platform says {says}")


class Features:
    """All of them by name, in the order of their lines. `build` makes one of its line."""

    def __init__(self, lines: Sequence[LazyFeature], build: Callable[[LazyFeature], Feature]) -> None:
        self.lines = lines
        self._build = build
        self._built: dict[str, Feature] = {}
        self._building: list[str] = []

    def __getitem__(self, name: str) -> Feature:
        """Raises RuntimeError when a feature asks for itself while it is being built."""
        if name not in self._built:
            [line] = [line for line in self.lines if line.name == name]
            if name in self._building:
                raise RuntimeError(f"{' needs '.join([*self._building, name])}, to be built")
            self._building.append(name)
            try:
                feature = self._build(line)
            finally:
                self._building.pop()
            line.check(feature)
            self._built[name] = feature
        return self._built[name]

    def all(self, but: str | None = None) -> list[Feature]:
        """What is not built yet is; all `but` the one of that name, which asks."""
        return [self[line.name] for line in self.lines if line.name != but]

    def bringing(self, what: str) -> list[Feature]:
        """Those with something in that field of the manifest, which has to be one of ANNOUNCED."""
        return [self[line.name] for line in self.lines if what in line.brings]

    def with_queue(self, queue: str) -> list[Feature]:
        return [self[line.name] for line in self.lines if queue in line.queues]

    @property
    def built(self) -> list[Feature]:
        """So far."""
        return [self._built[line.name] for line in self.lines if line.name in self._built]

    @property
    def queue_names(self) -> list[str]:
        return queue_names(self.lines)


def queue_names(lines: Sequence[LazyFeature]) -> list[str]:
    """Every queue there is."""
    return sorted({queue for line in lines for queue in line.queues})


class LazyKinds(Mapping[str, "JobKind"]):
    """
    The job kinds of all features, by name. One that the features built so far do not have is looked for in the feature
    that it is called after, and then in all others: whatever a process does with a job, it never takes its kind for
    unknown because it has not been imported.
    """

    def __init__(self, features: Features) -> None:
        self._features = features
        self._known: Mapping[str, JobKind] = {}

    def __getitem__(self, name: str) -> JobKind:
        if name not in self._known and name not in self._look():
            namesake = name.partition(".")[0]
            if namesake in [line.name for line in self._features.lines]:
                _ = self._features[namesake]
            if name not in self._look():
                self._all()
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> Mapping[str, JobKind]:
        self._features.all()
        return self._look()

    def _look(self) -> Mapping[str, JobKind]:
        from ogel.runtime.jobs.kind import by_name

        self._known = by_name([kind for feature in self._features.built for kind in feature.jobs])
        return self._known
