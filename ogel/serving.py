"""One process at work: it serves what its roles say until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib import resources
from typing import TYPE_CHECKING

import msgspec
import structlog
from starlette.types import ASGIApp

from ogel.adapters.rq_bell.listener import BellListener
from ogel.environ import secrets_of
from ogel.kernel.errors import Restart
from ogel.platform.outside import horses
from ogel.platform.platform import Platform, check_schedules
from ogel.platform.schema import ready_database
from ogel.runtime.feature import Where
from ogel.runtime.http.app import build_app
from ogel.runtime.http.gate import Gate
from ogel.runtime.http.health import Probe
from ogel.runtime.http.intake import HttpOptions
from ogel.runtime.http.openapi import Example, Examples
from ogel.runtime.http.server import bind, listen, serve
from ogel.runtime.jobs.metrics import JobMetrics
from ogel.runtime.jobs.runner import JobRunner, RunnerOptions
from ogel.runtime.process.lifecycle import Service, run_together, run_until_stopped, unless_stopped
from ogel.runtime.process.memory import MemoryLimit
from ogel.runtime.secrets.scrub import Scrubber

if TYPE_CHECKING:
    from ogel.runtime.schedule.service import SchedulerService

log = structlog.get_logger(__name__)


class Roles(msgspec.Struct, frozen=True):
    """What this process does besides health and metrics."""

    api: bool = False
    queues: Sequence[str] = ()
    scheduler: bool = False
    realtime: bool = False


class Process:
    def __init__(self, platform: Platform, roles: Roles) -> None:
        self._platform = platform
        self._settings = platform.settings
        self._roles = roles
        self._stop: asyncio.Event | None = None  # of the run
        platform.features["network"].offers.hops.at_start()
        # Built, and so imported, before there is an event loop that would wait for it.
        self._kinds = {queue: platform.kinds_of(queue) for queue in roles.queues}
        self._horses = horses(platform.settings, [kind for kinds in self._kinds.values() for kind in kinds])
        self._scheduler = _scheduler(platform) if roles.scheduler else None
        self._http_app = self._app()
        self._background = [each for each in platform.services() if each.where in _wheres(roles)]
        # All processes have the setting, and it concerns those with something that is scheduled.
        if self._settings.schedules and any(feature.schedules for feature in platform.features.built):
            check_schedules(self._settings)

    async def run(
        self,
        stop: asyncio.Event,
        beside: Sequence[tuple[str, Service]] = (),
        ready: Callable[[int], None] = lambda port: None,
        sockets: Sequence[socket.socket] = (),
    ) -> None:
        """
        Serves its roles, and runs what stands `beside` them, until SIGTERM, SIGINT, `stop` or the end of any part;
        raises what the first failing part raised, and Restart when workers have passed their limit of memory. `ready`
        is told the port. `sockets`, which are bound already, stand in for the settings' host and port.
        """
        self._stop, settings = stop, self._settings
        host = settings.host or "::"
        # Before anything else: a port that is taken is the operator's next question. It is listened on when requests
        # can be answered: until then they are refused, which sends them to a process that can.
        listeners = list(sockets) or bind(host, settings.port)
        app, drain, able, served = self._http_app, settings.drain_seconds, asyncio.Event(), asyncio.Event()

        async def http(stop: asyncio.Event) -> None:
            try:
                await unless_stopped(_until_set(able), stop)
                if able.is_set():
                    await serve(app, listeners, stop, drain, self._platform.http_metrics.traffic)
            finally:
                served.set()

        async def work(stop: asyncio.Event) -> None:
            migrates = self._roles.api and settings.auto_migrate
            if not await unless_stopped(ready_database(settings, migrates), stop):
                return
            connected = self._platform.servers.connected(bool(self._roles.queues), _name(self._roles))
            async with connected, self._ending_horses():
                listen(listeners)
                able.set()
                port = listeners[0].getsockname()[1]
                said = "sibling.ready" if sockets else "process.ready"  # the parent says that all are
                log.info(said, host=host, port=port, **_describe(self._roles))
                ready(port)
                try:
                    await run_together([("stop", _until_set), *self._services()], stop, drain)
                finally:
                    await served.wait()  # requests in flight need the pool
                    for each in self._background:
                        if each.at_last is not None:
                            await each.at_last()

        await run_until_stopped([("http", http), ("work", work), *beside], stop, drain)
        log.info("process.stopped")

    @asynccontextmanager
    async def _ending_horses(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            if self._horses is not None:
                await self._horses.close()

    def _services(self) -> list[tuple[str, Service]]:
        core = self._platform.core
        core.process.name = f"{_name(self._roles)} {socket.gethostname()}:{os.getpid()}"
        services = [(each.name, each.run) for each in self._background]
        if self._roles.queues:
            workers = self._worker(self._roles.queues)
            services += (
                workers
                if self._platform.memory is None
                else [("workers", self._within(self._platform.memory, workers))]
            )
        if self._roles.api:
            services.append(("pressure", partial(core.pressure.watch, core.depths)))
        if self._scheduler is not None:
            services.append(("scheduler", self._scheduler.run))
        return services

    def _worker(self, queues: Sequence[str]) -> list[tuple[str, Service]]:
        """A service per queue, so that one that fails lets the others finish what they hold."""
        settings = self._settings
        assert settings.redis_url
        metrics = JobMetrics(self._platform.core.registry, self._platform.core.tallies)
        runners = {queue: self._runner(queue, metrics) for queue in queues}
        listener = BellListener(
            settings.redis_url,
            list(queues),
            self._platform.servers.notifier.heard,
            self._platform.servers.notifier.suspended,
            self._platform.servers.notifier.has_room,
            remote_shutdown=settings.remote_shutdown,
        )

        async def listen(stop: asyncio.Event) -> None:
            self._platform.servers.notifier.serve(runners)
            listener.start()
            await stop.wait()
            await listener.stop()

        def working(runner: JobRunner) -> Service:
            return lambda stop: runner.run(stop, settings.drain_seconds)

        return [("bell", listen), *((f"worker {queue}", working(runners[queue])) for queue in queues)]

    def _within(self, limit: MemoryLimit, workers: Sequence[tuple[str, Service]]) -> Service:
        """Past the limit the workers drain first, while everything else in this process goes on."""

        async def work(stop: asyncio.Event) -> None:
            async def until_stop(leave: asyncio.Event) -> None:
                await unless_stopped(_until_set(stop), leave)

            watched = [("stop", until_stop), ("memory", limit.watch), *workers]
            await run_together(watched, asyncio.Event(), self._settings.drain_seconds)
            if limit.passed:
                raise Restart

        return work

    def _runner(self, queue: str, metrics: JobMetrics) -> JobRunner:
        settings, kinds = self._settings, self._kinds[queue]
        in_flight = settings.worker_in_flight
        if self._horses is not None and any(kind.isolated is not None for kind in kinds):
            # No more than can be performed: the others are for other workers.
            kinds = [kind.performed_by(self._horses) for kind in kinds]
            in_flight = settings.isolated_jobs
        options = RunnerOptions(
            in_flight=in_flight, lease_seconds=settings.lease_seconds, scrub=Scrubber(secrets_of(settings))
        )
        return JobRunner(self._platform.core.workers_database, queue, kinds, options, metrics)

    def _app(self) -> ASGIApp:
        options = HttpOptions(
            max_body_bytes=self._settings.max_body_bytes,
            trusted_proxies=self._settings.trusted_proxies,
            origins=self._settings.cors_origins,
        )
        # Built first: the gateway has probes, too.
        core, gate = self._platform.core, self._gate()
        probes = [*core.probes, *(probe for feature in core.features.built for probe in feature.probes)]
        if self._platform.memory is not None:
            probes.append(Probe("memory", self._platform.memory.is_kept, required=True))
        return build_app(
            self._platform.routes(everything=self._roles.api),
            self._platform.streams() if self._roles.realtime else [],
            self._platform.authenticators,
            self._platform.http_metrics,
            probes,
            options,
            _examples,
            lambda: self._stop is not None and self._stop.is_set(),
            core.limiter,
            self._platform.dialects() if self._roles.api else [],
            gate,
        )

    def _gate(self) -> Gate:
        """A worker has nothing but health and metrics, which no maintenance concerns."""
        serves = self._roles.api or self._roles.realtime
        switch = self._platform.core.features["gateway"].offers if serves else None
        return Gate(self._settings.admin_allow_nets, switch)


def _examples() -> Examples:
    """Recorded from a running suite: `make examples`."""
    content = resources.files("ogel").joinpath("examples.json").read_bytes()
    return msgspec.json.decode(content, type=dict[str, Example])


def _scheduler(platform: Platform) -> SchedulerService:
    from ogel.adapters.rq_clock import RqClock
    from ogel.runtime.schedule.service import SchedulerService

    settings = platform.settings
    assert settings.redis_url
    interval_seconds = settings.scheduler_interval_seconds
    clock = RqClock(settings.redis_url, interval_seconds)
    return SchedulerService(platform.ticker(), clock, interval_seconds)


def _wheres(roles: Roles) -> set[Where]:
    """What its background services say of where they run."""
    has: dict[Where, object] = {
        "everywhere": True,
        "api": roles.api,
        "realtime": roles.realtime,
        "worker": roles.queues,
        "scheduler": roles.scheduler,
    }
    return {where for where, it_has in has.items() if it_has}


async def _until_set(stop: asyncio.Event) -> None:
    await stop.wait()


def _name(roles: Roles) -> str:
    """As its entrypoint is called: `worker-webhooks`."""
    worker = f"worker-{roles.queues[0]}" if len(roles.queues) == 1 else "worker"
    does = {"api": roles.api, worker: roles.queues, "scheduler": roles.scheduler, "realtime": roles.realtime}
    return ",".join(name for name, it_does in does.items() if it_does)


def _describe(roles: Roles) -> Mapping[str, object]:
    return {
        "api": roles.api,
        "queues": list(roles.queues),
        "scheduler": roles.scheduler,
        "realtime": roles.realtime,
    }
