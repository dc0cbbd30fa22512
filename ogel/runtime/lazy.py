"""Lazy features: each is imported and built when something of it is first used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from ogel.runtime.feature import Feature
    from ogel.runtime.jobs.kind import JobKind

# Fields of the manifest that can be searched without building the features that leave them empty.
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


class LazyFeature(Struct, frozen=True):
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
        """Returns the class of its settings, importing nothing else of the feature."""
        owner = self.name.partition(".")[0]
        module = import_module(f"{self.folder}.{owner}.settings")
        section: type[Any] = getattr(module, f"{owner.title().replace('_', '')}Settings")
        return section

    def builder(self) -> Callable[[Any, Any], Feature]:
        build: Callable[[Any, Any], Feature] = import_module(f"{self.package}.feature").build
        return build

    def check(self, feature: Feature) -> None:
        """Raises ValueError when the manifest contradicts this line."""
        says = (self.name, set(self.queues), set(self.brings))
        brings = {what for what in ANNOUNCED if feature.brings(what)}
        declares = (feature.name, {kind.queue for kind in feature.jobs}, brings)
        if declares != says:
            raise ValueError(f"a manifest declares {declares}, and its line in the platform says {says}")


class Features:
    """All features by name, in the order of their lines. `build` makes the feature of a line."""

    def __init__(self, lines: Sequence[LazyFeature], build: Callable[[LazyFeature], Feature]) -> None:
        self.lines = lines
        self._build = build
        self._built: dict[str, Feature] = {}
        self._building: list[str] = []

    def __getitem__(self, name: str) -> Feature:
        """
        Returns the feature, building it if needed. Raises RuntimeError when a feature asks for itself while it is being
        built.
        """
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
        """Builds and returns all features, except the one named `but`, which is the caller."""
        return [self[line.name] for line in self.lines if line.name != but]

    def bringing(self, what: str) -> list[Feature]:
        """Returns the features that fill a field of the manifest, which must be one of ANNOUNCED."""
        return [self[line.name] for line in self.lines if what in line.brings]

    def with_queue(self, queue: str) -> list[Feature]:
        return [self[line.name] for line in self.lines if queue in line.queues]

    @property
    def built(self) -> list[Feature]:
        """Returns the features built so far."""
        return [self._built[line.name] for line in self.lines if line.name in self._built]

    @property
    def queue_names(self) -> list[str]:
        return queue_names(self.lines)


def queue_names(lines: Sequence[LazyFeature]) -> list[str]:
    """Returns the names of all queues."""
    return sorted({queue for line in lines for queue in line.queues})


class LazyKinds(Mapping[str, "JobKind"]):
    """
    The job kinds of all features, by name. A kind that is not among the built features is searched in the feature that
    its name begins with, and then in all others, so that no process takes a kind for unknown because its feature is not
    imported.
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
