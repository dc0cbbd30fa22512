"""A platform: everything of one process, wired, and every feature of which it needs something."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ogel.platform import features
from ogel.platform.core import core_of
from ogel.platform.servers import Servers
from ogel.runtime.http.credentials import Authenticate
from ogel.runtime.http.metrics import HttpMetrics
from ogel.runtime.lazy import Features, LazyFeature
from ogel.runtime.process.memory import MemoryLimit
from ogel.settings import NOWHERE, Settings, require

if TYPE_CHECKING:
    from ogel.runtime.feature import BackgroundService, Feature
    from ogel.runtime.http.dialect import Dialect
    from ogel.runtime.http.route import Route, Stream
    from ogel.runtime.jobs.kind import JobKind
    from ogel.runtime.schedule.ticks import Ticker


class Platform:
    """Building it connects to nothing; the servers do, while their blocks run."""

    def __init__(self, settings: Settings) -> None:
        require(settings, "database_url", "redis_url", "admin_key", "secret")
        self.settings = settings
        self.servers = Servers(settings)
        self.features = Features(features.FEATURES, self._build)
        self.core = core_of(settings, self.servers, self.features)
        self.http_metrics = HttpMetrics(self.core.registry, self.core.tallies)
        self.memory = MemoryLimit(settings.worker_max_mb) if settings.worker_max_mb else None
        # Every process may publish events, so that it needs who hears of them; and every one knows who asks.
        for hearing in self.features.bringing("subscribers"):
            self.core.outbox.subscribe(hearing.subscribers)
        self.authenticators: dict[str, Authenticate] = {}
        for knowing in self.features.bringing("authenticators"):
            self.authenticators.update(knowing.authenticators)
            self.core.watch.by(knowing.watches)

    def _build(self, line: LazyFeature) -> Feature:
        section = line.section() if "settings" in line.brings else None
        return line.builder()(self.core, section and self.settings.of(section))

    @property
    def queue_names(self) -> list[str]:
        return self.features.queue_names

    def kinds_of(self, queue: str) -> list[JobKind]:
        """Builds what performs its jobs, and nothing else."""
        return [kind for each in self.features.with_queue(queue) for kind in each.jobs if kind.queue == queue]

    def services(self) -> list[BackgroundService]:
        return [service for each in self.features.bringing("services") for service in each.services]

    def routes(self, everything: bool) -> list[tuple[str, Route]]:
        """With the tag of their feature; not `everything`: those of every process."""
        shown = self.features.all() if everything else []
        routes = [(_tag(each), route) for each in shown for route in each.routes()]
        common = self.features.bringing("process_routes")
        return [*routes, *((_tag(each), route) for each in common for route in each.process_routes())]

    def streams(self) -> list[tuple[str, Stream]]:
        found = self.features.bringing("streams")
        return [(_tag(each), stream) for each in found for stream in each.streams()]

    def dialects(self) -> list[tuple[str, Dialect]]:
        return [(_tag(each), dialect) for each in self.features.all() for dialect in each.dialects()]

    def ticker(self) -> Ticker:
        """Raises ConfigError where OGEL_SCHEDULES cannot be meant."""
        from ogel.runtime.schedule.ticks import Ticker

        core = self.core
        return Ticker(core.database, core.jobs, core.outbox, core.reserved, core.schedules.all)


def _tag(feature: Feature) -> str:
    """A part of a feature that has a line of its own, `observability.metrics`, is shown with it."""
    return feature.name.partition(".")[0]


def check_schedules(settings: Settings) -> None:
    """
    Raises ConfigError where OGEL_SCHEDULES cannot be meant; needs no servers. Only all features together know, so that
    it builds them for itself, 0.1 s at most: a process shows numbers of those that are its own.
    """
    _ = Platform(dataclasses.replace(NOWHERE, schedules=settings.schedules)).core.schedules.all


def queue_names() -> Sequence[str]:
    """Every queue there is; needs no servers."""
    return Platform(NOWHERE).queue_names
